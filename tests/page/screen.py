"""The page at ``/`` as a user sees it, and the browser's notes about it."""

from typing import Any, Self

from tests.browser import Browser
from tests.limits import LIMIT_SECONDS

PRICE = r"^\d+\.\d\d$"
TOKEN = "input[name=token]"
SYMBOLS = "input[name=symbols]"
CHART = "#chart-title"
POSITIONS = ".tapecast-positions tbody"

REFUSED = "Failed to load resource"
"""The browser's own console messages about a gateway that is unreachable or rejects a request."""


def cell(symbol: str, field: str) -> str:
    """Select a figure of the watchlist."""
    return f"#prices tr[data-symbol='{symbol}'] [data-field='{field}']"


def position(symbol: str, part: str = "") -> str:
    """Select the row of a position, or a part of it."""
    return f"{POSITIONS} tr[data-symbol='{symbol}'] {part}"


class Screen:
    """A browser with a tab. ``expected`` are words of problems that are none in this test.

    ``async with running_gateway(...) as url, screen`` closes all tabs before the gateway ends: they
    would note that it is unreachable.
    """

    def __init__(self, browser: Browser) -> None:
        self.do = browser.do
        self.until = browser.until
        self.expected: tuple[str, ...] = ()
        self._opened: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.do("leave")

    async def open(self, url: str) -> None:
        """Go to an address."""
        self._opened.add("/".join(url.split("/", 3)[:3]) + "/")
        await self.do("open", url=url)

    async def live(self, seconds: float = LIMIT_SECONDS) -> None:
        """Wait until it says so."""
        await self.until("#connection", "^LIVE$", seconds)

    async def type(self, into: str, text: str) -> None:
        """Fill in a field, and press Enter."""
        await self.do("fill", selector=into, value=text)
        await self.do("press", selector=into, key="Enter")

    async def sign_in(self, token: str) -> None:
        """Give the page a token that is right."""
        await self.type(TOKEN, token)
        await self.live()

    async def text(self, selector: str) -> str:
        """Return the text of an element."""
        answer: str = await self.do("text", selector=selector)
        return answer

    async def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a selector finds, at one moment."""
        found: list[str] = await self.evaluate(
            f"[...document.querySelectorAll({selector!r})].map(e => e.textContent)"
        )
        return found

    async def changes(self, selector: str, before: str) -> None:
        """Wait until the text of an element is another one."""
        await self.until(selector, f"^(?!{before}$)")

    async def evaluate(self, script: str) -> Any:
        """Return the value of an expression."""
        return await self.do("evaluate", script=script)

    async def urls(self, part: str = "") -> list[str]:
        """Return the addresses that were asked for, those with some text in them."""
        urls: list[str] = (await self.do("seen"))["urls"]
        return [url for url in urls if part in url]

    async def strangers(self) -> list[str]:
        """Return the requests to hosts whose page was not opened."""
        known = (*self._opened, "data:", "blob:")
        return [url for url in await self.urls() if not url.startswith(known)]

    async def problems(self) -> list[str]:
        """Return errors, also of the console and of the policy, that were not expected."""
        problems: list[str] = (await self.do("seen"))["problems"]
        return [each for each in problems if not any(word in each for word in self.expected)]
