"""The documents as the tests read them: sections, and tables by their first column."""

import re

from tests.repository.tree import ROOT


def document(name: str) -> str:
    """The text of a page in ``docs``."""
    return (ROOT / "docs" / name).read_text()


def section(page: str, title: str) -> str:
    """A part of a page in ``docs``, from its heading to the next of the same level."""
    text = document(page)
    assert f"\n## {title}\n" in text, f"{page} has no section {title}"
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str, header: str) -> dict[str, str]:
    """The rest of each row by its first cell, of the tables whose header begins so."""
    found: dict[str, str] = {}
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        head, _, *lines = table.splitlines()
        if head.startswith(f"| {header} |"):
            found |= dict(map(_split, lines))
    return found


def codes(text: str) -> list[str]:
    """The texts in backticks, in order."""
    return re.findall(r"`([^`]+)`", text)


def words(text: str) -> set[str]:
    """All words, those of code too."""
    return set(re.findall(r"\w+", text))


def _split(line: str) -> tuple[str, str]:
    first, _, rest = line.removeprefix("| ").removesuffix(" |").partition(" | ")
    return first, rest
