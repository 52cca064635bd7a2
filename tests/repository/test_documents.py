"""What the documents promise exists, and what they must not hold is not there."""

import json
import re
from pathlib import Path

import pytest

from tests.repository.deployment import settings
from tests.repository.tree import ROOT, files, name_of, texts

# Written in pieces, so that this file does not hold what it forbids.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("py" + "pi", "org"),
        ("python" + "hosted", "org"),
        ("npm" + "js", "org"),
        ("npm" + "js", "com"),
        ("yarn" + "pkg", "com"),
        ("deb", "debian", "org"),
        ("ubuntu", "com"),
    )
]
MACHINE_PATH = re.compile(
    r"(?<![\w.~$}-])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "fa" + "rm")) + r")/"
)
ALPACA_KEY = re.compile(r"\b[PAC]K[A-Z0-9]{18}\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<(?:img|a)\s[^>]*(?:src|href)=\"([^\"]+)\"")


def test_the_reference_names_every_setting() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text()

    assert [name for name in settings() if f"`{name}`" not in reference] == []


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_the_two_commands_of_the_readme_exist(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert command in (ROOT / "README.md").read_text()
    assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE)


def test_every_make_command_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (name, target)
        for name, text in texts()
        if name.endswith(".md")
        for target in re.findall(r"`make ([a-z]+)", text)
    }

    assert {(name, target) for name, target in named if target not in targets} == set()


def test_the_changelog_has_a_section_for_what_comes_next() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def test_every_word_of_the_glossary_has_one_entry_and_one_meaning() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    entries = re.findall(r"^\| (?!word )([^|]+?) \| (.+) \|$", text, re.MULTILINE)
    words = [word for word, _ in entries]

    assert len(words) > 60
    assert sorted(words) == sorted(set(words))
    assert [word for word, meaning in entries if re.search(r"; also\b|, also\b", meaning)] == []


def test_no_file_names_a_package_registry() -> None:
    found = [(name, host) for name, text in texts() for host in REGISTRIES if host in text]

    assert found == []


def test_no_file_holds_a_path_of_the_machine_it_was_written_on() -> None:
    assert [name for name, text in texts() if MACHINE_PATH.search(text)] == []


def test_no_file_holds_a_key_of_alpaca() -> None:
    assert [name for name, text in texts() if ALPACA_KEY.search(text)] == []


def test_package_locks_hold_no_download_addresses() -> None:
    locks = [path for path in files() if path.name == "package-lock.json"]
    addressed = {
        f"{name_of(lock)}: {package}"
        for lock in locks
        for package, entry in json.loads(lock.read_text())["packages"].items()
        if "resolved" in entry
    }

    assert addressed == set()


def test_every_link_to_a_file_of_the_repository_leads_somewhere() -> None:
    broken = [
        f"{name_of(path)}: {target}"
        for path in files()
        if path.suffix == ".md"
        for target in _links(path.read_text())
        if not (path.parent / target).exists()
    ]

    assert broken == []


def test_every_link_to_a_section_leads_to_one() -> None:
    broken = [
        f"{name_of(path)}: {target}"
        for path in files()
        if path.suffix == ".md"
        for target in _targets(path.read_text())
        if "#" in target
        and target.split("#")[1] not in _anchors(path.parent / (target.split("#")[0] or path.name))
    ]

    assert broken == []


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    uneven = [
        f"{name_of(path)}: {row[:60]}"
        for path in files()
        if path.suffix == ".md"
        for table in re.findall(r"(?:^\|.*\n)+", _outside_code(path.read_text()), re.MULTILINE)
        for row in table.splitlines()
        if _cells(row) != _cells(table.splitlines()[0])
    ]

    assert uneven == []


def _links(text: str) -> list[str]:
    return [target.split("#")[0] for target in _targets(text) if not target.startswith("#")]


def _targets(text: str) -> list[str]:
    """What a page links to in this repository."""
    found = [link or image for link, image in LINK.findall(_outside_code(text))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def _outside_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The sections of a page as links name them: small letters, hyphens for spaces."""
    titles = re.findall(r"^#+ (.+)$", _outside_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def _cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row))
