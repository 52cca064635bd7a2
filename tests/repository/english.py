"""The idioms that native readers stumble over, and where the repository's prose still has them.

``python -m tests.repository.english`` prints the table of counts; with names of areas or files
(``python -m tests.repository.english ingest docs/reference.md``) it lists each finding with
its line and the better form.
"""

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.repository.tree import ROOT, files, name_of

_PERSONS = (
    "anyone|author|client|contributor|customer|developer|member|operator|owner|people|person"
    "|reader|subscriber|they|those|trader|user|viewer|visitor"
)
_WHAT_VERBS = (
    "is|are|was|were|has|have|had|does|did|do|can|cannot|could|will|would|must|may|might|should"
    "|isn't|wasn't|became|becomes|begins|belongs|brings|came|changed|changes|comes|concerns|counts"
    "|ends|follows|goes|happened|holds|keeps|leads|leaves|makes|matters|means|needs|passes|reads"
    "|remains|runs|stands|stays|stops|takes|tells|waits"
)


@dataclass(frozen=True)
class Idiom:
    """A form that is foreign to technical English, and the form to write instead."""

    name: str
    pattern: re.Pattern[str]
    better: str


def _idiom(name: str, pattern: str, better: str) -> Idiom:
    return Idiom(name, re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), better)


IDIOMS = (
    # "what happens" and questions are fine: "What is an epoch?" The lease may hold "nobody 0".
    _idiom(
        "what is",
        rf"\bwhat(?:ever)? (?:{_WHAT_VERBS})\b(?![^.;:?!]*\?)",
        'name the thing: "what is wanted" -> "the wanted symbols"',
    ),
    _idiom(
        "tells",
        r"\b(?:tells?|told|telling)\b(?! (?:\w+ ){0,5}apart)",
        'things report, send, state, show; clients are notified: "is told" -> "is notified"',
    ),
    _idiom(
        "nobody",
        r"\b(?:nobody(?! 0\b)|somebody|anybody|everybody)(?:'s)?\b",
        'name the actor: "nobody watches it" -> "no client watches it"',
    ),
    # "who" may follow a noun for persons, and may ask a question.
    _idiom(
        "who",
        r"\b(?:whoever|whom|"
        + "".join(rf"(?<!\b{person}\s)(?<!\b{person}s\s)" for person in _PERSONS.split("|"))
        + r"who)\b(?![^.;:?!]*\?)",
        'name the actor: "who comes back" -> "a client that reconnects"',
    ),
    _idiom(
        "is away",
        r"\b(?:is|are|was|were|be|been|being|stays?|stayed|redis) away\b(?! from)",
        '"is unreachable", "is unavailable", "is disconnected"',
    ),
    _idiom(
        "say whether",
        r"\b(?:(?:Say|Tell) (?:whether|if|that|how|which)|Take (?:that|how|what))\b",
        '"Return whether"; "Take that X" -> "Record X", "Apply X"',
    ),
    _idiom(
        "anew",
        r"\banew\b|\b(?-i:Of) (?!course)\w+|\bwithout(?=\s*(?:[.;:,)|]|$))",
        '"again"; "Of one topic, ids grow" -> "Within a topic, ids increase"; '
        '"; all without" -> "if there is no X"',
    ),
    _idiom(
        "quaint",
        r"\b(?:turn(?:s|ed|ing)? away|let(?:s|ting)? (?:\w+ )?go\b(?! of)|mend(?:s|ed|ing)?"
        r"|puts? (?:\w+ )?right|in earnest|lest|once more(?! than)|(?:is|are|was|be) for good"
        r"|goes on|go on|going on with|went on|ma(?:ke|kes|de) up for|at hand"
        r"|(?:of|on) (?:its|their|his) own|ceas(?:e|es|ed|ing))\b",
        '"reject", "release", "fix", "again", "permanently", "continues", "available", '
        '"its own X", "stop"',
    ),
)

COUNTED = "what is"
"""The idiom that was the commonest when the counting began."""


@dataclass(frozen=True)
class Prose:
    """Consecutive text of one file, with the line on which it starts."""

    name: str
    line: int
    text: str


@dataclass(frozen=True)
class Finding:
    """One idiom in one place."""

    name: str
    line: int
    idiom: Idiom
    words: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {self.words!r}: {self.idiom.better}"


_AREAS = {
    "ingest": ("ingest/",),
    "gateway": ("gateway/",),
    "shared": ("shared/", "standalone.py", "tapecast"),
    "simulator": ("simulator/",),
    "web": ("web/",),
    "bench": ("bench/",),
    "tests": ("tests/",),
}
_OTHERS = "docs"
AREAS = (*_AREAS, _OTHERS)
_SELF = {"docs/modules.md", "tests/repository/english.py", "tests/repository/test_english.py"}
_TEXTS = {".md", ".txt"}
_SCRIPTS = {".ts", ".tsx", ".js", ".jsx", ".mjs", ".css"}
_HASH_COMMENTS = {".toml", ".yaml", ".yml", ".cfg", ".sh", ".example", ""}
_PROSE_WORDS = 3


def area_of(name: str) -> str:
    """Return the area of a file; whatever has no folder in the table counts as documents."""
    for area, starts in _AREAS.items():
        if name.startswith(starts):
            return area
    return _OTHERS


def words(text: str) -> int:
    """Count the words of a text."""
    return len(re.findall(r"[A-Za-z][A-Za-z'\u2019-]*", text))


def findings(prose: Prose) -> Iterator[Finding]:
    """Find every idiom in a text, in the order of the table."""
    for idiom in IDIOMS:
        for match in idiom.pattern.finditer(prose.text):
            line = prose.line + prose.text[: match.start()].count("\n")
            yield Finding(prose.name, line, idiom, " ".join(match[0].split()))


@cache
def repository() -> tuple[Prose, ...]:
    """Return all prose of the repository, except generated lists and the list of idioms itself."""
    return tuple(
        prose
        for path in files()
        if (name := name_of(path)) not in _SELF and "CODE_OF_CONDUCT" not in name
        for prose in _prose(path, name)
    )


def _prose(path: Path, name: str) -> Iterable[Prose]:
    if path.name in {"LICENSE", "SOURCES.md", "notices.txt", "constraints.txt"}:
        return ()
    if path.suffix in _TEXTS:
        return (_markdown(name, path.read_text()),)
    if path.suffix == ".py":
        return _python(name, path.read_text())
    if path.suffix in _SCRIPTS:
        return _script(name, path.read_text())
    if path.suffix in _HASH_COMMENTS:
        return _hash_comments(name, path.read_text())
    return ()


def _blank(match: re.Match[str]) -> str:
    """Keep the line numbers of a text from which something is left out."""
    return "`" + "\n" * match[0].count("\n")


_INLINE_CODE = re.compile(r"``[^`]*``|`[^`\n]*`")


def _markdown(name: str, text: str) -> Prose:
    text = re.sub(r"```.*?```", _blank, text, flags=re.DOTALL)
    text = re.sub(_INLINE_CODE, _blank, text)
    return Prose(name, 1, re.sub(r"\]\([^)\n]*\)", "]", text))


def _python(name: str, source: str) -> Iterator[Prose]:
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and words(node.value) >= _PROSE_WORDS
        ):
            yield Prose(name, node.lineno, re.sub(_INLINE_CODE, _blank, node.value))
    yield from _joined(
        name,
        (
            (token.start[0], token.string.lstrip("# "))
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ),
    )


def _joined(name: str, lines: Iterable[tuple[int, str]]) -> Iterator[Prose]:
    """Join comments on consecutive lines: an idiom may be broken by the end of a line."""
    start, parts = 0, list[str]()
    for line, text in lines:
        if parts and line != start + len(parts):
            yield Prose(name, start, "\n".join(parts))
            parts = []
        if not parts:
            start = line
        parts.append(text)
    if parts:
        yield Prose(name, start, "\n".join(parts))


_SCRIPT_PROSE = re.compile(
    r"/\*.*?\*/|(?<!:)//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`|>[^<>{}=;]{12,}<",
    re.DOTALL,
)


def _script(name: str, source: str) -> Iterator[Prose]:
    """Find comments, string literals and the text of elements in TypeScript."""
    comments: list[tuple[int, str]] = []
    for match in _SCRIPT_PROSE.finditer(source):
        line, text = source[: match.start()].count("\n") + 1, match[0]
        if text.startswith("//"):
            comments.append((line, text.lstrip("/ ")))
        elif words(text) >= _PROSE_WORDS:
            yield Prose(name, line, re.sub(r"\n\s*\*\s", "\n ", text.strip('/*`"<> ')))
    yield from _joined(name, comments)


def _hash_comments(name: str, source: str) -> Iterator[Prose]:
    lines = enumerate(source.splitlines(), 1)
    found = ((line, re.search(r"(?:^|\s)#\s(.*)$", text)) for line, text in lines)
    yield from _joined(name, ((line, comment[1]) for line, comment in found if comment))


def counts() -> dict[str, Counter[str]]:
    """Count the words ("words") and the idioms of each area."""
    table = {area: Counter[str]() for area in AREAS}
    for prose in repository():
        row = table[area_of(prose.name)]
        row["words"] += words(prose.text)
        row.update(finding.idiom.name for finding in findings(prose))
    return table


def _table() -> Iterator[str]:
    names = [idiom.name for idiom in IDIOMS]
    yield "count (per 10,000 words)".ljust(26) + "".join(
        f"{name:>13}" for name in ["words", *names]
    )
    for area, row in counts().items():
        rates = (f"{row[name]} ({row[name] * 10_000 / row['words']:.1f})" for name in names)
        yield f"{area:26}{row['words']:13}" + "".join(f"{rate:>13}" for rate in rates)


def _list(chosen: list[str]) -> Iterator[str]:
    unknown = [name for name in chosen if name not in AREAS and not (ROOT / name).exists()]
    if unknown:
        sys.exit(f"no area and no file: {', '.join(unknown)} (areas: {', '.join(AREAS)})")
    found = [finding for prose in repository() for finding in findings(prose)]
    for finding in sorted(found, key=lambda finding: (finding.name, finding.line)):
        if area_of(finding.name) in chosen or finding.name.startswith(tuple(chosen)):
            yield str(finding)


if __name__ == "__main__":
    lines = _list(sys.argv[1:]) if sys.argv[1:] else _table()
    sys.stdout.writelines(f"{line}\n" for line in lines)
