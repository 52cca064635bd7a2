"""Excerpts of foreign text for errors: however long a text is, an error shows its start."""

SHOWN_CHARACTERS = 100


def excerpt(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Return the first characters of a text in quotes; ``…`` follows if there are more."""
    # Cut before it is quoted: to quote a megabyte takes milliseconds, and escapes make it longer.
    return repr(text[:limit]) + "…" * (len(text) > limit)


def cut(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Return the first characters of a text; ``…`` follows if there are more."""
    return text[:limit] + "…" * (len(text) > limit)
