"""The repository's prose stays plain: idioms that native readers stumble over are counted."""

import pytest

from tests.repository.english import AREAS, IDIOMS, Prose, counts, findings, repository

LIMITS = {
    "ingest": 208,
    "gateway": 179,
    "shared": 0,
    "simulator": 0,
    "web": 193,
    "bench": 0,
    "tests": 0,
    "docs": 0,
}
"""Findings that an area may still have: as many as it has today. They only go down."""


def found(text: str) -> list[str]:
    return [finding.idiom.name for finding in findings(Prose("", 1, text))]


@pytest.mark.parametrize("area", AREAS)
def test_no_area_gains_an_idiom(area: str) -> None:
    row = counts()[area]
    number = sum(row[idiom.name] for idiom in IDIOMS)

    assert number <= LIMITS[area], (
        f"{number} foreign idioms in {area}, at most {LIMITS[area]}:"
        f" `python -m tests.repository.english {area}` lists them with the better form"
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Return what is wanted.", "what is"),
        ("Keep whatever\nhas come.", "what is"),
        ("A status tells why.", "tells"),
        ("somebody watches it", "nobody"),
        ("for those who waits; who comes back gets it", "who"),
        ("while Redis is away", "is away"),
        ("Say whether it is open.", "say whether"),
        ("Take that a stream ended.", "say whether"),
        ("It is subscribed anew.", "anew"),
        ("Of one topic, ids only grow.", "anew"),
        ("skipped without.", "anew"),
        ("It goes on.", "quaint"),
    ],
)
def test_an_idiom_is_found(text: str, name: str) -> None:
    assert found(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "What is an epoch?",
        "What happens if Redis restarts",
        "Of course it does.",
        "The users who opened it, and a client who left; who asks?",
        "Tell a loose task apart from one with an owner.",
        "without a Redis, `make run` still works",
        "The lease expires ten seconds away from now.",
    ],
)
def test_ordinary_english_is_not_found(text: str) -> None:
    assert found(text) == []


def test_a_finding_has_the_line_on_which_it_starts() -> None:
    [finding] = findings(Prose("page.md", 10, "One line.\nWhat\nis wanted."))

    assert (finding.line, finding.words) == (11, "What is")


def test_docstrings_comments_messages_and_documents_are_read() -> None:
    kinds = {prose.name.rpartition(".")[2] for prose in repository()}

    assert {"py", "md", "ts", "tsx", "Makefile"} <= kinds
