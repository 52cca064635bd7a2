"""Every decision has its reason, and the circumstances that would change it."""

import re

from tests.repository.documents import document

PARTS = ["Decision", "Reason", "Reconsider when"]
LINES = 10


def sections() -> dict[str, str]:
    _, *parts = re.split(r"^## (.+)$", document("decisions.md"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_a_decision_has_a_reason_and_an_end() -> None:
    decisions = {title: text for title, text in sections().items() if title != "Smaller decisions"}

    assert decisions
    for title, text in decisions.items():
        assert re.findall(r"^\*\*([A-Z][a-z ]+)\.?\*\*", text, re.MULTILINE) == PARTS, title
        assert len(text.strip().splitlines()) <= LINES, title


def test_only_public_sources_are_cited() -> None:
    sources = re.findall(r"\]\(([^)]+)\)", document("decisions.md"))

    assert all(source.startswith("https://") or source.endswith(".md") for source in sources)
