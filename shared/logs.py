"""One log stream for everything in a process: structlog's lines, uvicorn's and alpaca-py's."""

import logging
import re
import sys
from typing import Literal
from urllib.parse import unquote_plus

import structlog
from structlog.tracebacks import ExceptionDictTransformer

Processor = structlog.types.Processor

_PARAMETER = re.compile(r"([\w%.+-]{1,99})(=|%3D)([^&;\s\"'\\]+)", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"(ticket|token|secret|password|passwd|api_?key|secret_?key)$", re.IGNORECASE
)
_BEARER = re.compile(r"(\bbearer\s+)[^\s\"'\\,]+", re.IGNORECASE)
_USER = re.compile(r"(://[^\s:/@\"'\\]*:)[^\s/\"'\\]+@")


def redact(line: str) -> str:
    """Return a log line in which the secrets of URLs and headers are redacted.

    ``ticket=``, ``token=`` and the like in any spelling, bearer tokens, and passwords of URLs.
    """
    # Most lines have none of these characters: searching them in detail would cost 30 µs each.
    if "=" in line or "%3" in line:
        line = _PARAMETER.sub(_redacted, line)
    if "://" in line:
        line = _USER.sub(r"\1[redacted]@", line)
    return _BEARER.sub(r"\1[redacted]", line) if "bearer" in line.lower() else line


def _redacted(found: re.Match[str]) -> str:
    name = found[1]
    # Decoded twice: a proxy in front may have encoded a name that was encoded already.
    for _ in range(2):
        name = unquote_plus(name)
    return f"{found[1]}{found[2]}[redacted]" if _SECRET_NAME.search(name) else found[0]


def configure(level: str, output: Literal["auto", "json", "console"], service: str) -> None:
    """Send all loggers to stderr: as JSON, or as readable lines if stderr is a terminal."""

    def name_service(
        _: object, __: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        return {"service": service, **event}  # threads would not see a context variable

    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json = output == "json" or (output == "auto" and not sys.stderr.isatty())
    _collect_stdlib(level, common, _renderer(as_json))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _renderer(as_json: bool) -> list[Processor]:
    """Return the processors that turn an event into a line.

    Tracebacks omit the values of local variables, because a request's token is among them.
    """
    if as_json:
        tracebacks = ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(pad_event_to=32, exception_formatter=plain)]


def _collect_stdlib(level: str, common: list[Processor], renderer: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderer,
                lambda _, __, line: redact(str(line)),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.WARNING)  # its news of starting and connecting is not ours
    # alpaca-py logs every subscription at info, and each error that the ingest reports itself.
    logging.getLogger("alpaca").setLevel(logging.ERROR)
