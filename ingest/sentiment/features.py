"""The features of a headline: what the model has weights for. The training uses them, too."""

import re

_WORDS = re.compile(r"[a-z']+|[0-9][0-9.,]*|[%?]")

MOST_WORDS = 60
"""Of a headline; a longer text is no headline, and must not cost more."""

MOST_CHARACTERS = 600

PREFIX = 5
"""The letters by which words of one stem are alike: downgrade, downgrades, downgraded."""


def words(headline: str) -> list[str]:
    """Return the words in lower case, each number as ``#``, and the signs ``%`` and ``?``."""
    text = headline[:MOST_CHARACTERS].lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    found = _WORDS.findall(text)[:MOST_WORDS]
    return ["#" if "0" <= word[0] <= "9" else word for word in found]


def features(headline: str) -> set[str]:
    """Return the words, the pairs of neighbours, and the stems of long words (``/`` before it).

    ``^`` stands before the first word, ``$`` after the last one.
    """
    found = words(headline)
    pairs = map("{} {}".format, ["^", *found], [*found, "$"])
    return {*found, *pairs, *("/" + word[:PREFIX] for word in found if len(word) > PREFIX)}
