"""What the documents promise exists, and what they must not hold is not there."""

import json
import re

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


def _links(text: str) -> list[str]:
    outside_code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found = [link or image for link, image in LINK.findall(outside_code)]
    return [target.split("#")[0] for target in found if not re.match(r"[a-z]+:|#", target)]
