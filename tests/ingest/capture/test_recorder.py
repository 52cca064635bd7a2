"""The recorder: every frame of every connection, no key, and an end that loses nothing else."""

import gzip
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgpack
import pytest
from structlog.testing import capture_logs

from ingest.capture import recorder as recorder_module
from ingest.capture.capture_file import CaptureError, CaptureFile
from ingest.capture.recorder import Recorder
from ingest.demand.subscription import SubscriptionChange
from ingest.upstream.account_stream import AccountStream
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.upstream_error import UpstreamError
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.capture.captures import frames, recording, records
from tests.ingest.peers import AUTHENTICATED, WELCOME, saying, websocket_server
from tests.limits import LIMIT_SECONDS
from tests.services import until

QUIET = SimulatorSettings(tape=None, positions=())
TRADE = {"T": "t", "S": "SPY", "p": 1.5, "s": 2, "t": "2026-11-16T17:00:00.123456789Z"}


def stocks(simulator: Simulator, recorder: Recorder) -> AlpacaStream:
    endpoint = f"{simulator.stream_url}/v2/iex"
    return AlpacaStream(endpoint, DEFAULT_KEY, DEFAULT_SECRET, recorder.tap("stocks"))


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["capture.jsonl", "capture.jsonl.gz"])
async def test_a_connection_is_recorded_from_its_opening_to_its_close(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    async with Simulator(QUIET) as simulator:
        with recording(path) as recorder:
            stream = stocks(simulator, recorder)
            await stream.open()
            await stream.change(SubscriptionChange("subscribe", "trades", ("SPY",)))
            acknowledged = await stream.frame()
            await simulator.publish(TRADE)
            trade = await stream.frame()
            await stream.shut()

    found = records(path)
    assert [each.kind for each in found] == [
        *("capture", "connect", "received", "sent", "received"),
        *("sent", "received", "received", "end", "stop"),
    ]
    assert {(each.stream, each.connection) for each in found[1:-1]} == {("stocks", 1)}
    assert (found[1].path, found[-2].by, found[-2].code) == ("/v2/iex", "ingest", 1000)
    assert found[-1].reason == "the ingest has ended"
    assert frames(path) == [WELCOME, AUTHENTICATED, acknowledged, trade]
    for before, after in pairwise(found):
        assert before.at <= after.at
        assert before.monotonic <= after.monotonic


async def test_text_and_binary_frames_keep_their_kind_and_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    odd: list[bytes | str] = ["[]", "ä\u2028\n\x00", b"\xff\x00\n", b"", b"[]"]
    async with websocket_server(saying(*odd)) as url:
        with recording(path) as recorder:
            stream = AlpacaStream(url, "key", "secret", recorder.tap("stocks"))
            await stream.open()
            received = [await stream.frame() for _ in odd]
            await stream.shut()

    assert received == odd
    assert frames(path)[2:] == odd


async def test_a_huge_frame_is_recorded_whole(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl.gz"
    huge = os.urandom(3_000_000)
    async with websocket_server(saying(huge)) as url:
        with recording(path) as recorder:
            stream = AlpacaStream(url, "key", "secret", recorder.tap("stocks"))
            await stream.open()
            await stream.frame()
            await stream.shut()

    assert frames(path)[-1] == huge


async def test_no_key_is_written_whatever_form_it_has(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    key, secret = 'PKüber"key/+', 'a"secret\\with+odd/characters'
    async with websocket_server(saying(secret, secret.encode(), msgpack.packb([secret]))) as url:
        with recording(path, (key, secret)) as recorder:
            for kind, name in ((AlpacaStream, "stocks"), (AccountStream, "account")):
                stream = kind(url, key, secret, recorder.tap(name))
                if kind is AlpacaStream:
                    await stream.open()
                    for _ in range(3):
                        await stream.frame()
                else:
                    with pytest.raises(UpstreamError):
                        await stream.open()
                await stream.shut()

    sent = [each.frame.payload for each in records(path, "sent")]
    assert msgpack.unpackb(sent[0])["action"] == "auth"
    assert set(msgpack.unpackb(sent[0])["secret"]) == {"*"}
    assert b'"secret_key": "***' in sent[1]
    for each in records(path):
        for part in (key, secret, "odd/char", "über", "\\u00fc"):
            assert part.encode() not in each.frame.payload
            assert part not in each.path + each.reason


async def test_each_attempt_has_the_next_number_whatever_became_of_it(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    async with Simulator(QUIET) as simulator:
        with recording(path) as recorder:
            simulator.faults.refuse_upgrade("iex", status=503)
            with pytest.raises(UpstreamError):
                await stocks(simulator, recorder).open()
            for code in (None, 1012):
                stream = stocks(simulator, recorder)
                await stream.open()
                if code is None:
                    simulator.faults.fin("iex")
                else:
                    simulator.faults.close("iex", code=code)
                with pytest.raises(UpstreamError):
                    await stream.frame()
                await stream.shut()
            account = f"{simulator.stream_url}/stream"
            tap = recorder.tap("account")
            other = AccountStream(account, DEFAULT_KEY, DEFAULT_SECRET, tap)
            await other.open()
            await other.shut()
        url = simulator.stream_url
    with recording(tmp_path / "other.jsonl") as recorder, pytest.raises(UpstreamError):
        await AlpacaStream(f"{url}/v2/iex", "key", "secret", recorder.tap("stocks")).open()

    found = records(path, "refused", "connect", "end")
    assert [(each.kind, each.stream, each.connection) for each in found] == [
        ("refused", "stocks", 1),
        *((kind, "stocks", number) for number in (2, 3) for kind in ("connect", "end")),
        ("connect", "account", 4),
        ("end", "account", 4),
    ]
    assert found[0].status == 503
    assert [(each.by, each.code) for each in found if each.kind == "end"] == [
        ("alpaca", 1006),
        ("alpaca", 1012),
        ("ingest", 1000),
    ]
    [unreachable] = records(tmp_path / "other.jsonl", "refused")
    assert (unreachable.status, unreachable.path) == (None, "/v2/iex")


async def test_a_rest_exchange_is_recorded_with_its_query_status_and_body(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    async with Simulator(QUIET) as simulator:
        with recording(path) as recorder:
            rest = AlpacaRest(
                DEFAULT_KEY,
                DEFAULT_SECRET,
                data_url=simulator.rest_url,
                trading_url=simulator.rest_url,
                feed="iex",
                on_exchange=recorder.exchange,
            )
            await rest.clock()
            await rest.snapshots(["SPY"])
            assert not await rest.lists_asset("NOSUCH")
            rest.close()

    clock, snapshots, asset = records(path, "rest")
    assert (clock.method, clock.path, clock.status) == ("GET", "/v2/clock", 200)
    assert b'"is_open":true' in clock.frame.payload
    assert clock.duration > 0
    assert snapshots.path == "/v2/stocks/snapshots?feed=iex&symbols=SPY"
    assert (snapshots.status, snapshots.frame.payload) == (200, b"{}")
    assert (asset.path, asset.status) == ("/v2/assets/NOSUCH", 404)


async def test_what_is_received_is_in_the_file_soon_and_before_the_recorder_ends(
    tmp_path: Path,
) -> None:
    path = tmp_path / "capture.jsonl"
    with recording(path) as recorder:
        tap = recorder.tap("stocks")
        tap.connected("ws://host/v2/iex")
        tap.received(b"now")

        await until(lambda: b"now" in frames(path))
        assert records(path, "stop") == []


@pytest.mark.parametrize("name", ["capture.jsonl", "capture.jsonl.gz"])
async def test_a_crash_that_tears_the_end_costs_only_its_last_record(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    file = CaptureFile.create(str(path))
    recorder = Recorder(file, (), "iex")
    tap = recorder.tap("stocks")
    tap.connected("ws://host/v2/iex")
    for number in range(20):
        tap.received(f"frame {number}")
        if number == 9:
            await until(lambda: frames(path) == [f"frame {each}" for each in range(10)])
    recorder.close(LIMIT_SECONDS)
    whole = path.read_bytes()

    # Within the last block: the members of gzip before it are whole.
    for size in range(len(whole) - 1, len(whole) - 60, -7):
        path.write_bytes(whole[:size])
        found = frames(path)
        assert found == [f"frame {each}" for each in range(len(found))]
        assert len(found) >= 10


def test_an_existing_file_is_kept_and_the_error_names_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    path.write_text("precious")

    with pytest.raises(CaptureError) as caught:
        CaptureFile.create(str(path))
    assert f"{path} exists" in str(caught.value)
    assert "name another file" in str(caught.value)
    assert "%Y%m%d" in str(caught.value)
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nowhere.*No such file or directory.*name a file in"):
        CaptureFile.create(str(tmp_path / "nowhere" / "capture.jsonl"))


def test_the_start_is_put_into_a_name_that_asks_for_it(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 30, 14, 30, 5, tzinfo=UTC)
    for name in ("day-%Y%m%d-%H%M%S.jsonl", "plain.jsonl"):
        CaptureFile.create(str(tmp_path / name), moment).close_with(b"{}\n")

    assert {each.name for each in tmp_path.iterdir()} == {
        "day-20261130-143005.jsonl",
        "plain.jsonl",
    }


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    with recording(tmp_path / "capture.jsonl"):
        assert (tmp_path / "capture.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["capture.jsonl", "capture.jsonl.gz"])
async def test_a_full_disk_ends_the_recording_with_a_mark_and_nothing_else(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    with capture_logs() as logs, file_limit(40_000), recording(path) as recorder:
        tap = recorder.tap("stocks")
        tap.connected("ws://host/v2/iex")
        for _ in range(10):
            tap.received(os.urandom(2_000))
        await until(lambda: len(frames(path)) == 10)
        for _ in range(30):
            tap.received(os.urandom(2_000))
        await until(lambda: recorder.stopped is not None)
        tap.received(b"later")

    kept = frames(path)
    assert recorder.stopped == "File too large"
    assert len(kept) + recorder.lost == 41
    assert len(kept) >= 10
    assert [each["event"] for each in logs] == ["recording_stopped"]
    assert (logs[0]["file"], logs[0]["error"]) == (str(path), "File too large")
    assert records(path)[-1].kind == "stop"
    assert records(path)[-1].reason == "File too large"


async def test_records_that_the_disk_is_too_slow_for_end_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WAITING_BYTES", 1 << 20)
    monkeypatch.setattr(recorder_module, "WRITE_SECONDS", LIMIT_SECONDS)
    path = tmp_path / "capture.jsonl"
    with capture_logs() as logs, recording(path) as recorder:
        tap = recorder.tap("stocks")
        tap.connected("ws://host/v2/iex")
        for _ in range(12):
            tap.received(bytes(100_000))

        assert recorder.stopped == "the disk is too slow: 1 MiB waited to be written"
        assert recorder.lost == 13
    assert [each["event"] for each in logs] == ["recording_stopped"]


def test_threads_and_the_event_loop_may_record_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    with recording(path) as recorder:

        def ask(name: int) -> None:
            for number in range(200):
                recorder.exchange("GET", f"/{name}/{number}", 200, b"{}", 1)

        threads = [threading.Thread(target=ask, args=(each,)) for each in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    found = records(path, "rest")
    assert sorted(each.path for each in found) == sorted(
        f"/{name}/{number}" for name in range(4) for number in range(200)
    )
    assert [each.monotonic for each in found] == sorted(each.monotonic for each in found)


def test_the_mark_gets_the_room_of_the_last_block_if_there_is_no_other(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    file = CaptureFile.create(str(path))
    for block in (b"header\n", b"first\n", b"second, which is longer\n"):
        file.append(block)
    with file_limit(path.stat().st_size):
        assert not file.close_with(b"the mark\n")

    assert path.read_bytes() == b"header\nfirst\nthe mark\n"


def test_a_disk_that_is_full_at_the_start_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    file = CaptureFile.create(str(tmp_path / "capture.jsonl"))
    with file_limit(10), pytest.raises(CaptureError, match="File too large; make room"):
        Recorder(file, (), "iex")


def test_blocks_of_gzip_are_one_file_for_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl.gz"
    file = CaptureFile.create(str(path))
    file.append(b"first\n")
    file.append(b"second\n")
    assert file.close_with(b"last\n")

    assert gzip.decompress(path.read_bytes()) == b"first\nsecond\nlast\n"
