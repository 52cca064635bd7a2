"""docs/architecture.md is read in five minutes, and its names and its pure packages are right."""

import ast
import re
from itertools import chain
from statistics import median

import pytest

from tests.repository import module_list
from tests.repository.documents import codes, document, section
from tests.repository.tree import imports, modules, name_of, source_modules, syntax

PAGE = "architecture.md"
WORDS = 1_300
SENTENCE_WORDS = 18

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


def text() -> str:
    """Return the page without its figure."""
    return re.sub(r"```.*?```", "", document(PAGE), flags=re.DOTALL)


def sentences() -> list[str]:
    """Return the sentences of paragraphs and lists."""
    lines = [line for line in text().splitlines() if line and line[0] not in "|#"]
    return [
        sentence
        for line in lines
        for sentence in re.split(r"(?<=[.?!])\s+", re.sub(r"^\d+\. |^- |\*\*", "", line))
        if len(sentence.split()) > 1
    ]


def pure() -> list[str]:
    """Return the packages that the page calls pure."""
    [sentence] = re.findall(r"Pure packages use .*?: (.*?)\.", section(PAGE, "Where to put things"))
    return codes(sentence)


def test_every_package_of_a_program_is_named() -> None:
    named = {part for code in codes(text()) for part in code.split("/")}
    packages = {path.parent.name for path in modules("ingest", "gateway", "shared")}

    assert packages - named == set()


def test_no_module_is_named_that_does_not_exist() -> None:
    there = {name_of(path) for path in modules("ingest", "gateway", "shared", "standalone.py")}
    named = set(chain.from_iterable(re.findall(r"[\w/]+\.py\b", code) for code in codes(text())))

    assert [
        name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in there)
    ] == []


def test_packages_that_are_called_pure_are_pure() -> None:
    found = {
        name_of(path): imports(path) & IMPURE for package in pure() for path in modules(package)
    }

    assert len(found) > 20
    assert {name: impure for name, impure in found.items() if impure} == {}


@pytest.mark.parametrize(("claim", "allowed"), [("Pure", set()), ("No I/O", {"time"})])
def test_modules_that_claim_to_be_pure_are(claim: str, allowed: set[str]) -> None:
    found = {
        name_of(path): imports(path) & IMPURE - allowed
        for path in source_modules()
        if re.search(rf"\b{claim}\b", ast.get_docstring(syntax(path)) or "")
    }

    assert found
    assert {name: impure for name, impure in found.items() if impure} == {}


def test_the_page_is_read_in_five_minutes() -> None:
    assert len(text().split()) <= WORDS
    assert median(len(sentence.split()) for sentence in sentences()) <= SENTENCE_WORDS


def test_the_list_of_modules_is_up_to_date() -> None:
    assert module_list.PAGE.read_text() == module_list.page(), "it is outdated: run `make docs`"
