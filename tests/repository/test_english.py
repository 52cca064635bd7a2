"""The repository's prose stays plain: idioms that native readers stumble over are counted."""

import ast
import re

import pytest

from tests.repository.english import AREAS, IDIOMS, Prose, counts, findings, repository
from tests.repository.tree import modules, name_of, source_modules, syntax

PER_10_000_WORDS = 3
"""The limit of each idiom in each area: websockets, starlette and other models have 0 to 3."""


def found(text: str) -> list[str]:
    return [finding.idiom.name for finding in findings(Prose("", 1, text))]


@pytest.mark.parametrize("area", AREAS)
def test_idioms_are_rare(area: str) -> None:
    row = counts()[area]
    frequent = {
        idiom.name: row[idiom.name]
        for idiom in IDIOMS
        if row[idiom.name] * 10_000 > PER_10_000_WORDS * row["words"]
    }

    assert frequent == {}, (
        f"more than {PER_10_000_WORDS} in 10,000 words of {area}:"
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


def test_predicates_say_what_they_return() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in [*source_modules(), *modules("bench")]
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and re.match(r"_?(?:is|has|can|may|needs|knows|awaits|watches)_", f"{node.name}_")
        and node.returns is not None
        and ast.unparse(node.returns) == "bool"
        and (text := ast.get_docstring(node))
        and not re.match(r"(?:Return w|W)hether\b", text)
    ]

    assert wrong == [], 'their docstrings start with "Return whether", or "Whether" in a property'
