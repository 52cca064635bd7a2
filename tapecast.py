"""``tapecast COMMAND``: each of the programs by one name, as pip installs it.

Each program is imported when its command is given, so that a gateway's installation needs neither
alpaca-py nor pandas. ``python -m standalone``, ``ingest``, ``gateway`` and ``simulator`` start the
same programs.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata

EXIT_USAGE = 2
HELP = ("-h", "--help")
OURS = frozenset({"gateway", "ingest", "shared", "simulator", "standalone"})


@dataclass(frozen=True)
class Command:
    """A program, the extra of the package that it needs, and its line in the list of commands."""

    start: Callable[[Sequence[str]], int]
    extra: str
    summary: str
    has_options: bool = False


def _run(options: Sequence[str]) -> int:
    import standalone

    return standalone.main(options)


def _ingest(options: Sequence[str]) -> int:
    import ingest.__main__

    return ingest.__main__.main(options)


def _gateway(_: Sequence[str]) -> int:
    import gateway.__main__

    return gateway.__main__.main()


def _simulator(options: Sequence[str]) -> int:
    import simulator.__main__

    return simulator.__main__.main(options)


COMMANDS = {
    "run": Command(_run, "embedded", "everything in one process", has_options=True),
    "ingest": Command(
        _ingest, "ingest", "the process that owns the connection to Alpaca", has_options=True
    ),
    "gateway": Command(_gateway, "gateway", "a process that serves the streams"),
    "simulator": Command(
        _simulator, "embedded", "Alpaca's protocol on loopback, from a tape", has_options=True
    ),
}

_LIST = "\n".join(f"  {name:11}{command.summary}" for name, command in COMMANDS.items())

USAGE = f"""\
usage: tapecast COMMAND

{_LIST}

  --version  print the version
  --help     print this list; `tapecast simulator --help` prints a program's options

Settings come from the environment or from .env in the current directory. If there are no Alpaca
keys, `tapecast run` uses the simulator; if there is no REDIS_URL, it starts its own Valkey.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the program that the command line names; return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    first, options = (words[0], words[1:]) if words else ("", ())
    if first in HELP:
        sys.stdout.write(USAGE)
        return 0
    if first == "--version":
        sys.stdout.write(f"tapecast {metadata.version('tapecast')}\n")
        return 0
    command = COMMANDS.get(first)
    if command is None:
        return _fail(f"unknown command {first!r}" if first else "no command given", USAGE)
    if options and not command.has_options:
        if options[0] in HELP:
            sys.stdout.write(USAGE)
            return 0
        return _fail(
            f"{first} takes no options, but was given {' '.join(options)!r}",
            "Its settings are environment variables: PORT=8002 tapecast run",
        )
    try:
        return command.start(options)
    except ModuleNotFoundError as error:
        # Our own modules are always installed: one of those that cannot be found is a defect, and
        # its traceback is needed. Any other missing module belongs to an extra.
        missing = (error.name or "").partition(".")[0]
        if missing in OURS:
            raise
        return _fail(
            f"{first} needs {missing}, which is not installed",
            f"Install it: pip install 'tapecast[{command.extra}]'",
        )


def _fail(problem: str, remedy: str) -> int:
    sys.stderr.write(f"tapecast: {problem}\n{remedy.rstrip()}\n")
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
