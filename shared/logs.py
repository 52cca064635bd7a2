"""One log stream for everything in a process: structlog's lines, uvicorn's and alpaca-py's."""

import logging
import sys
from typing import Literal

import structlog

Processor = structlog.types.Processor


def configure(level: str, output: Literal["auto", "json", "console"], service: str) -> None:
    """Send every logger to stderr: JSON, or readable lines when stderr is a terminal."""

    def name_service(
        _: object, __: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        return {"service": service, **event}  # a context variable would be unknown to threads

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
    if as_json:
        return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(pad_event_to=32)]


def _collect_stdlib(level: str, common: list[Processor], renderer: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
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
