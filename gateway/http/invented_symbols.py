"""The symbols of a stream whose data are invented, as `hello` and the answer of PATCH name them."""

from collections.abc import Callable, Iterable

from shared.topics import EVERYTHING, NEWS, key_of, kind_of


def invented_symbols(topics: Iterable[str], is_invented: Callable[[str], bool]) -> list[str]:
    """Return the symbols of topics whose data are invented, each once, in the topics' order.

    News are never invented, so a symbol that has no other topic is not among them.
    """
    symbols = dict.fromkeys(key_of(topic) for topic in topics if kind_of(topic) != NEWS)
    return [each for each in symbols if each not in ("", EVERYTHING) and is_invented(each)]
