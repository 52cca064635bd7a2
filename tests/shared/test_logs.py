import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared import logs
from tests.limits import LIMIT_SECONDS

ROOT = Path(__file__).parents[2]

SPEAK = """
import logging, threading
import structlog
from shared import logs

early = structlog.get_logger()
logs.configure("{level}", "{output}", "gateway")
early.info("ours", port=8001)
structlog.get_logger().debug("detail")
logging.getLogger("redis.somewhere").warning("theirs %s", "formatted")
logging.getLogger("uvicorn.error").info("Started server process")
logging.getLogger("uvicorn.error").error("Exception in ASGI application")
logging.getLogger("alpaca.data.live").warning("subscribed to trades")
logging.getLogger("alpaca.data.live").error("connection failed")
try:
    authorization = "a-" + "secret"
    raise ValueError("broken at /x?ticket=a-secret&y")
except ValueError:
    structlog.get_logger().exception("failed", url="/x?y=1&access_token=a-secret")
thread = threading.Thread(target=lambda: logging.getLogger("worker").warning("from a thread"))
thread.start()
thread.join()
"""


def _spoken(level: str = "info", output: str = "auto") -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", SPEAK.format(level=level, output=output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_SECONDS,
    )
    assert ran.stdout == ""
    return ran.stderr.splitlines()


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _spoken()]


def _line(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    [found] = [line for line in lines if line["event"] == event]
    return found


def test_without_a_terminal_every_line_is_one_json_object(lines: list[dict[str, Any]]) -> None:
    assert [line["event"] for line in lines] == [
        "ours",
        "theirs formatted",
        "Exception in ASGI application",
        "connection failed",
        "failed",
        "from a thread",
    ]


def test_every_line_names_service_level_time_and_logger(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        assert line["service"] == "gateway"
        assert line["level"] in ("info", "warning", "error")
        assert line["timestamp"].endswith("Z")
        assert "logger" in line


def test_values_are_fields_of_their_own(lines: list[dict[str, Any]]) -> None:
    assert _line(lines, "ours")["port"] == 8001
    assert _line(lines, "Exception in ASGI application")["logger"] == "uvicorn.error"


def test_an_exception_is_told_within_its_line(lines: list[dict[str, Any]]) -> None:
    [told] = _line(lines, "failed")["exception"]
    assert told["exc_type"] == "ValueError"
    assert told["exc_value"].startswith("broken at /x")


@pytest.mark.parametrize("output", ["json", "console"])
def test_no_secret_of_a_url_is_told_and_no_local_variable(output: str) -> None:
    told = "\n".join(_spoken(output=output))

    assert "broken at /x?ticket=[redacted]&y" in told
    assert "/x?y=1&access_token=[redacted]" in told
    assert "a-secret" not in told


def test_a_higher_level_silences_what_is_below() -> None:
    events = [json.loads(line)["event"] for line in _spoken(level="error")]

    assert events == ["Exception in ASGI application", "connection failed", "failed"]


def test_debug_lets_our_details_through() -> None:
    assert "detail" in [json.loads(line)["event"] for line in _spoken(level="debug")]


def test_the_console_is_for_people() -> None:
    first = _spoken(output="console")[0]

    assert "ours" in first
    assert "port" in first
    assert not first.startswith("{")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/x?ticket=hush&y=1", "/x?ticket=[redacted]&y=1"),
        ("/x?tick%65t=hush&y=1", "/x?tick%65t=[redacted]&y=1"),
        ("/x?%74icket=hush", "/x?%74icket=[redacted]"),
        ("/x?tick%2565t=hush", "/x?tick%2565t=[redacted]"),
        ("/x?TICKET=hush", "/x?TICKET=[redacted]"),
        ("/x?ticket%3Dhush", "/x?ticket%3D[redacted]"),
        ("/x?a=1;access_token=hush", "/x?a=1;access_token=[redacted]"),
        ('{"url": "/x?token=hush"}', '{"url": "/x?token=[redacted]"}'),
        ("authorization: Bearer hush", "authorization: Bearer [redacted]"),
        ("redis://me:hush@redis:6379/0", "redis://me:[redacted]@redis:6379/0"),
        ("redis://:h@u:sh@redis:6379/0", "redis://:[redacted]@redis:6379/0"),
        ("http://proxy.example:3128/ failed", "http://proxy.example:3128/ failed"),
        ("tokens=3 ticks=4 key=price:SPY", "tokens=3 ticks=4 key=price:SPY"),
        ("redis://127.0.0.1:6379/0 a@b", "redis://127.0.0.1:6379/0 a@b"),
    ],
)
def test_a_secret_is_redacted_however_it_is_spelt_and_nothing_else(line: str, shown: str) -> None:
    assert logs.redact(line) == shown
