"""Reading a capture: whole, torn, damaged, foreign."""

import gzip
import json
import zlib
from pathlib import Path

import pytest

from simulator.capture.capture_file import CaptureError, CaptureFile, Frame
from simulator.capture.outline import outline_of
from tests.simulator.capture.written import ACKNOWLEDGED, STOCKS, WELCOME, Capture, trade


def kinds(path: Path) -> list[str]:
    return [each.kind for each in CaptureFile(path).records()]


def test_text_and_binary_frames_are_told_apart(tmp_path: Path) -> None:
    capture = Capture().connect().frame("received", "[ä]").frame("received", b"\xff\n")
    path = capture.write(tmp_path / "capture.jsonl")

    frames = [each.frame for each in CaptureFile(path).records() if each.kind == "received"]
    assert frames == [Frame("[ä]".encode(), is_text=True), Frame(b"\xff\n", is_text=False)]


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_may_have_several_members(tmp_path: Path, members: int) -> None:
    lines = Capture().session(trade(1)).write(tmp_path / "plain").read_bytes().splitlines(True)
    path = tmp_path / "capture.jsonl.gz"
    size = -(-len(lines) // members)
    parts = [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]
    path.write_bytes(b"".join(gzip.compress(part) for part in parts))
    file = CaptureFile(path)

    assert [each.kind for each in file.records()] == kinds(tmp_path / "plain")
    assert not file.is_torn


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_is_left_out(tmp_path: Path, cut: int) -> None:
    path = Capture().session(trade(1)).write(tmp_path / "capture.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    file = CaptureFile(path)

    assert len(list(file.records())) == 7
    assert file.is_torn
    assert outline_of(file).is_torn


def test_a_mark_that_follows_a_torn_line_does_not_repair_it(tmp_path: Path) -> None:
    path = Capture().session(trade(1)).write(tmp_path / "capture.jsonl")
    path.write_bytes(path.read_bytes()[:-30] + b'{"kind":"stop","at":1,"monotonic":1}\n')
    file = CaptureFile(path)

    assert len(list(file.records())) == 7
    assert file.is_torn


@pytest.mark.parametrize("tail", [b"\0" * 400, b"\x1f\x8b\x08\0rubbish"])
def test_a_tail_of_gzip_that_is_no_member_is_left_out(tmp_path: Path, tail: bytes) -> None:
    plain = Capture().session(trade(1)).write(tmp_path / "plain").read_bytes()
    path = tmp_path / "capture.jsonl.gz"
    path.write_bytes(gzip.compress(plain) + tail)
    file = CaptureFile(path)

    assert len(list(file.records())) == 8
    assert file.is_torn


def test_a_torn_member_of_gzip_is_read_as_far_as_it_is_there(tmp_path: Path) -> None:
    capture = Capture().session(*(trade(number) for number in range(500)))
    packed = gzip.compress(capture.write(tmp_path / "plain").read_bytes())
    path = tmp_path / "capture.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    file = CaptureFile(path)

    found = list(file.records())
    assert 100 < len(found) < 500
    assert found == list(CaptureFile(tmp_path / "plain").records())[: len(found)]
    assert file.is_torn


def test_damage_before_the_end_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    path = Capture().session(trade(1)).write(tmp_path / "capture.jsonl")
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b"".join([*lines[:3], b"{rubbish}\n", *lines[3:]]))

    with pytest.raises(CaptureError, match=r"capture\.jsonl, line 4: "):
        list(CaptureFile(path).records())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no capture"),
        (b'{"T":"t","S":"SPY"}\n', "no capture"),
        (b'{"T":"t","S":"SPY"}\n{"T":"t"}\n', "line 1"),
        (b'{"kind":"capture","at":1,"monotonic":1,"format":"other"}\n', "no capture"),
        (zlib.compress(b"{}"), "no capture"),
    ],
)
def test_another_file_is_rejected(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "tape.jsonl"
    path.write_bytes(content)

    with pytest.raises(CaptureError, match=rf"tape\.jsonl.*{problem}"):
        list(CaptureFile(path).records())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nothing\.jsonl: No such file"):
        list(CaptureFile(tmp_path / "nothing.jsonl").records())


def test_another_version_is_rejected_with_the_remedy(tmp_path: Path) -> None:
    capture = Capture()
    capture.lines[0]["version"] = 2

    with pytest.raises(CaptureError, match="version 2, expected 1: use the simulator of the ver"):
        list(CaptureFile(capture.write(tmp_path / "capture.jsonl")).records())


def test_records_and_fields_of_a_later_version_are_left_out(tmp_path: Path) -> None:
    capture = Capture().session(trade(1)).add(kind="weather", connection=1, sun=True)
    path = capture.write(tmp_path / "capture.jsonl")

    assert kinds(path)[-1] == "weather"
    assert outline_of(CaptureFile(path)).records == 9


def test_a_capture_with_no_connection_cannot_be_replayed(tmp_path: Path) -> None:
    path = Capture().rest("/v2/clock", {}).write(tmp_path / "capture.jsonl")

    with pytest.raises(CaptureError, match="no connection was recorded"):
        outline_of(CaptureFile(path))


def test_the_outline_has_each_greeting_and_the_answers_to_each_request(tmp_path: Path) -> None:
    capture = Capture().session(trade(1))
    capture.frame("sent", {"action": "subscribe"}).frame("sent", {"action": "unsubscribe"})
    capture.frame("received", trade(2))
    capture.frame("received", [{"T": "error", "code": 405}])
    capture.frame("received", json.dumps(ACKNOWLEDGED)).frame("received", trade(3))
    outline = outline_of(CaptureFile(capture.write(tmp_path / "capture.jsonl")))
    [connection] = outline.connections.values()

    assert (connection.path, connection.stream, outline.feed) == (STOCKS, "stocks", "iex")
    assert len(connection.greeting) == 1
    assert len(connection.requests) == 4
    assert [json.loads(connection.answers[3].payload)] == [ACKNOWLEDGED]
    assert sorted(connection.answers) == [0, 1, 2, 3]
    assert WELCOME[0]["msg"].encode() in connection.greeting[0].payload
