"""docs/architecture.md has a place for every module, and what it calls pure is pure."""

import re
from itertools import chain

import pytest

from tests.repository.documents import codes, document, section
from tests.repository.tree import ROOT, imports, modules, name_of

PAGE = "architecture.md"
LINES = 85
"""One page: it has to be read in five minutes."""

IMPURE = {
    "alpaca",
    "asyncio",
    "os",
    "random",
    "redis",
    "secrets",
    "socket",
    "starlette",
    "structlog",
    "time",
}


def names(package: str) -> set[str]:
    """Return a package's modules without their folders."""
    return {path.stem for path in modules(package)} - {"__init__", "__main__"}


def pure() -> list[str]:
    """Return the modules that the page calls pure, as paths."""
    text = section(PAGE, "Where to put things")
    [sentence] = re.findall(r"Pure modules know .*?: (.*?)\.", text)
    paths = [name_of(path) for path in modules("ingest", "gateway", "shared")]
    found: list[str] = []
    for part in sentence.split(";"):
        *some, room = codes(part)
        inside = [path for path in paths if path.split("/")[-2] == room]
        chosen = [path for path in inside if path.split("/")[-1].removesuffix(".py") in some]
        assert len(chosen) == len(some), part
        found += chosen if some else [path for path in inside if "__init__" not in path]
    return sorted(found)


@pytest.mark.parametrize("package", ["ingest", "gateway"])
def test_every_module_is_named(package: str) -> None:
    told = set(re.findall(r"\w+", document(PAGE)))

    assert names(package) - told == set()


@pytest.mark.parametrize("package", ["ingest", "gateway"])
def test_every_module_is_in_its_room(package: str) -> None:
    table = section(PAGE, f"The rooms of the {package}")
    rooms = re.findall(r"^\| `(\w+)/`: [^|]*\| (.*) \|$", table, re.MULTILINE)

    assert {room for room, _ in rooms} == {
        path.parent.name for path in modules(package) if path.parent.parent.name == package
    }
    for room, listed in rooms:
        assert {name for name in codes(listed) if "." not in name} == names(f"{package}/{room}"), (
            room
        )


def test_no_module_is_named_that_there_is_not() -> None:
    there = {path.name for path in modules("ingest", "gateway", "shared", "standalone.py")}
    named = chain.from_iterable(
        re.findall(r"([\w]+\.py)\b", code) for code in codes(document(PAGE))
    )

    assert set(named) - there == set()


def test_what_is_called_pure_imports_nothing_that_is_not() -> None:
    paths = {name_of(path): path for path in modules("ingest", "gateway", "shared")}

    assert len(pure()) > 20
    assert {
        name: imports(paths[name]) & IMPURE for name in pure() if imports(paths[name]) & IMPURE
    } == {}


def test_the_page_stays_a_page() -> None:
    assert len((ROOT / "docs" / PAGE).read_text().splitlines()) <= LINES
