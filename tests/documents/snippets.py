"""The fenced blocks of a document, and the commands in those for a shell."""

import re
from dataclasses import dataclass

from tests.repository.tree import ROOT

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELLS = {"sh", "bash", "console"}


@dataclass(frozen=True)
class Snippet:
    """A block of code: its document, its language, the line where it starts."""

    document: str
    language: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def snippets(document: str) -> list[Snippet]:
    """Return all fenced blocks of a document."""
    text = (ROOT / document).read_text()
    return [
        Snippet(document, found[1], text.count("\n", 0, found.start()) + 1, found[2])
        for found in _FENCED.finditer(text)
    ]


def commands(document: str) -> list[str]:
    """Return each command in a document's shell blocks on one line, without its comment."""
    return [
        re.sub(r"\s+#\s.*$", "", line)
        for block in snippets(document)
        if block.language in SHELLS
        for line in re.sub(r"\s*\\\n\s*", " ", block.code).splitlines()
        if line and not line.startswith("#")
    ]
