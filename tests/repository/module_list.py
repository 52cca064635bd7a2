"""docs/modules.md, generated from the package tree and the docstrings of packages and modules.

``python -m tests.repository.module_list`` prints the page; ``make docs`` writes it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tests.repository.tree import PACKAGES, ROOT, name_of, source_modules, syntax

PAGE = ROOT / "docs" / "modules.md"

_HEAD = """# Modules

Every package and module with the first line of its docstring. `make docs` writes this page; do not
edit it. [Architecture](architecture.md) describes how the modules work together.
"""


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_HEAD, *_programs(), *_packages()])


def _programs() -> Iterator[str]:
    yield "## Programs\n"
    yield from _table(path for path in source_modules() if path.parent == ROOT)


def _packages() -> Iterator[str]:
    paths = sorted((path for path in source_modules() if path.parent != ROOT), key=_order)
    for folder, inside in groupby(paths, key=lambda path: path.parent):
        modules = list(inside)
        yield f"## {name_of(folder)}\n"
        if (first := modules[0]).stem == "__init__":
            yield f"{_purpose(first)}\n"
        yield from _table(path for path in modules if path.stem != "__init__")


def _order(path: Path) -> tuple[int, str, bool, str]:
    program = PACKAGES.index(path.relative_to(ROOT).parts[0])
    return program, name_of(path.parent), path.stem != "__init__", path.stem


def _table(paths: Iterator[Path]) -> Iterator[str]:
    yield "| module | purpose |\n|---|---|"
    yield from (f"| `{path.stem}` | {_purpose(path)} |" for path in paths)
    yield ""


def _purpose(path: Path) -> str:
    """Return the first line of a docstring as Markdown."""
    line = (ast.get_docstring(syntax(path)) or "").partition("\n")[0]
    return re.sub(r"``([^`]+)``", r"`\1`", line).replace("|", r"\|")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(page())
