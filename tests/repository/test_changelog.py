"""The changelog describes the version of the package, briefly."""

import json
import re
import tomllib

from tests.repository.tree import ROOT

LONGEST_ENTRY_WORDS = 40


def test_the_version_has_a_dated_section_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert json.loads((ROOT / "web" / "package.json").read_text())["version"] == version


def test_an_entry_of_the_changelog_is_short() -> None:
    entries = re.findall(r"^- (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert entries
    assert [entry for entry in entries if len(entry.split()) > LONGEST_ENTRY_WORDS] == []
