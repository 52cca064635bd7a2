"""The repository as the tests see it: its packages, its modules, its text files."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "ingest", "gateway", "simulator")
_NOT_OURS = {"build", "dist", "node_modules", "__pycache__"}


@cache
def files() -> tuple[Path, ...]:
    """What git holds or would hold; in an unpacked archive, everything that is not made."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        found = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
        return tuple(sorted(path for path in set(found) if path.is_file()))
    return tuple(sorted(path for path in ROOT.rglob("*") if path.is_file() and _ours(path)))


def _ours(path: Path) -> bool:
    folders = path.relative_to(ROOT).parts[:-1]
    return folders[:3] != ("gateway", "http", "page") and not any(
        part in _NOT_OURS
        or part.endswith(".egg-info")
        or (part[0] == "." and part not in {".ci", ".github"})
        for part in folders
    )


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every text file."""
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            yield name_of(path), content.decode(errors="replace")


def name_of(path: Path) -> str:
    """The path as one writes it from the root."""
    return path.relative_to(ROOT).as_posix()


def modules(*folders: str) -> list[Path]:
    """Every Python file in these folders; a name that ends in .py is that file."""
    wanted = tuple(name if name.endswith(".py") else f"{name}/" for name in folders)
    return [path for path in files() if path.suffix == ".py" and name_of(path).startswith(wanted)]


def source_modules() -> list[Path]:
    """Every Python file of the product."""
    return modules(*PACKAGES, "standalone.py", "tapecast.py")


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(), filename=name_of(path))


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    return {name.split(".")[0] for name in imported_modules(path)}


def imported_modules(path: Path) -> set[str]:
    """The full names of the modules that a file imports, anywhere in it.

    ``from package import name`` counts as ``package.name``, which may be a module.
    """
    names: set[str] = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            own = path.relative_to(ROOT).parts[0]
            module = own if node.level else str(node.module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names
