"""The articles of a client against those that were published: each version once, or a gap. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.faults.odd_frames import ODD_NS
from simulator.protocol import rfc3339
from tests.chaos.follower import Complain
from tests.chaos.ordered_topic import OrderedTopic

NEWS, ALL_NEWS = "news", "news:*"


@dataclass(frozen=True)
class Version:
    """A version of an article, at a time in unix nanoseconds."""

    article: int
    at: int
    headline: str
    symbols: tuple[str, ...]


class NewsLedger:
    """Makes Alpaca's articles, and knows every version, in the order of publication."""

    def __init__(self, dice: random.Random) -> None:
        self.versions: list[Version] = []
        self._dice = dice
        self._articles = 0
        self._known: dict[tuple[str, int], Version] = {}

    def anything(self, symbols: Sequence[str], now: int) -> dict[str, Any]:
        """Return a message at ``now`` (unix ns): a new article, a later version, or one again."""
        chance = self._dice.random()
        if self.versions and chance < 0.1:
            return _message(self.versions[-1])
        if self.versions and chance < 0.3:
            before = self.versions[-1]
            version = Version(before.article, now, f"{before.headline}, again", before.symbols)
        else:
            self._articles += 1
            about = tuple(self._dice.sample(symbols, self._dice.randrange(3)))
            version = Version(self._articles, now, f"Headline {self._articles}", about)
        self.add(version)
        return _message(version)

    def add(self, version: Version) -> None:
        """Note a version that is published now."""
        self.versions.append(version)
        self._known[str(version.article), version.at] = version

    def of(self, article: str, at: int) -> Version | None:
        """Return a version of an article by its time."""
        return self._known.get((article, at))


class News(OrderedTopic):
    """Follows all articles of one client."""

    def __init__(
        self, name: str, ledger: NewsLedger, emptied: Sequence[int], complain: Complain
    ) -> None:
        """``emptied``: the times (unix ns) at which Redis lost its data."""
        super().__init__(name, ALL_NEWS, NEWS, emptied, complain)
        self._ledger = ledger
        self._here: set[Version] = set()
        self._newest: dict[int, int] = {}
        """The time of the newest version received, by article."""
        self._checked: int | None = None
        """How many versions have been found complete; None before the first that came."""

    def _check(self, data: Mapping[str, Any]) -> None:
        # An article of an odd frame, which the ledger does not know.
        if (at := rfc3339.parse(data["updated_at"])) != ODD_NS:
            self._article(data, at)

    def missing(self, before: int) -> list[str]:
        """Return the first version before a time (unix ns) that is neither here nor in a gap.

        The versions before the first one that came are not expected.
        """
        versions = self._ledger.versions
        if self._checked is None:
            is_late = bool(versions) and versions[0].at < before
            return [f"{self._name}: no article has come"] if is_late else []
        while self._checked < len(versions) and (each := versions[self._checked]).at < before:
            if each not in self._here and not self.gaps.cover((each.at,)):
                return [f"{self._name}: {each} did not come, and no gap covers it"]
            self._checked += 1
        return []

    def forgive(self, before: int) -> None:
        """Accept the losses before a time, which have been complained of."""
        if self._checked is not None:
            count = sum(each.at < before for each in self._ledger.versions)
            self._checked = max(count, self._checked)

    def _article(self, data: Mapping[str, Any], at: int) -> None:
        version = self._ledger.of(data["id"], at)
        if version is None or (data["headline"], tuple(data["symbols"])) != (
            version.headline,
            version.symbols,
        ):
            self.wrong(f"an article that was never published: {dict(data)}, but {version}")
            return
        if self._checked is None:
            self._checked = self._ledger.versions.index(version)
        self.received += 1
        may_repeat = self._may_repeat(at)
        if version in self._here and not may_repeat:
            self.wrong(f"an article came twice: {dict(data)}")
        elif at < self._newest.get(version.article, 0) and not may_repeat:
            self.wrong(f"an older version came after a newer one: {dict(data)}")
        self._here.add(version)
        self._newest[version.article] = max(at, self._newest.get(version.article, 0))
        self._newest_at = max(at, self._newest_at)
        self.gaps.close(at)


def _message(version: Version) -> dict[str, Any]:
    moment = rfc3339.render(version.at)
    return {
        "T": "n",
        "id": version.article,
        "headline": version.headline,
        "summary": "",
        "author": "",
        "source": "benzinga",
        "url": None,
        "content": "",
        "symbols": list(version.symbols),
        "created_at": moment,
        "updated_at": moment,
    }
