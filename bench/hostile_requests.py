"""Requests of an attacker: wrong secrets, forged tickets, huge bodies, odd paths, broken HTTP."""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BODY = b'{"topics":["price:SPY"]}'
STREAM = "/api/stream/prices?symbols=SPY"
SECRETS_OF_THE_API = (STREAM, "/api/prices?symbols=SPY", "/api/positions", "/api/stream/status")

UNKNOWN_NAMES = b"{" + b",".join(b'"%x":0' % each for each in range(1, 90_000)) + b"}"
MANY_VALUES = b'{"topics":[' + b",".join([b'{"a":[]}'] * 110_000) + b"]}"
NESTED = b'{"topics":' + b"[" * 900_000
LONG_TOPIC = b'{"topics":["' + b"x" * 1_000_000 + b'"]}'
HUGE = (UNKNOWN_NAMES, MANY_VALUES, NESTED, LONG_TOPIC)

PATHS = (
    "/../../etc/passwd",
    "/assets/..%2f..%2f..%2fetc%2fpasswd",
    "/assets/%2e%2e/%2e%2e/settings.py",
    "//api/prices",
    "/api//prices",
    "/api/prices/",
    "/API/PRICES",
    "/api/prices;x=1",
    "/api/prices%00",
    "/api/stream/ticket/../prices",
    "/.env",
    "/metrics",
    "/debug/pprof",
    "/docs",
    "http://169.254.169.254/latest/meta-data",
)

SMUGGLED = b"GET /api/positions HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLING = (
    b"POST /api/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    b"POST /api/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
    b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    b"POST /api/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n"
    b"0\r\n\r\n" + SMUGGLED,
    b"POST /api/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n"
    b"0\r\n\r\n" + SMUGGLED,
    b"GET /api/prices HTTP/1.1\nHost: localhost\n\n" + SMUGGLED,
    b"GET /api/prices\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /api/prices HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AA\r\n\r\n" + SMUGGLED,
    b"GET /api/prices HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + SMUGGLED,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
)


@dataclass(frozen=True)
class Attack:
    """``sent`` goes out on a separate connection; if ``unread``, no answer is read."""

    kind: str
    sent: bytes
    unread: bool = False


class Attacker:
    """Draws attacks at random. ``tokens`` are the right ones, of which it sends only parts."""

    def __init__(self, tokens: Sequence[str], randomness: random.Random) -> None:
        self._tokens = tokens
        self._random = randomness
        self._kinds: dict[str, tuple[int, Callable[[], Attack]]] = {
            "wrong token": (36, self._wrong_token),
            "token in the URL": (8, self._token_in_url),
            "forged ticket": (16, self._forged_ticket),
            "odd path": (12, self._odd_path),
            "mutated bytes": (14, self._mutated),
            "smuggling": (6, self._smuggling),
            "huge body": (3, self._huge_body),
            "no request": (3, self._no_request),
            "unread answers": (2, self._unread),
        }

    def draw(self) -> Attack:
        """Return the next attack."""
        weights = [weight for weight, _ in self._kinds.values()]
        [(_, make)] = self._random.choices(list(self._kinds.values()), weights)
        return make()

    def _wrong_token(self) -> Attack:
        token = self._spoilt(self._random.choice(self._tokens))
        header = f"Authorization: Bearer {token}"
        return Attack("wrong token", self._get(self._random.choice(SECRETS_OF_THE_API), header))

    def _spoilt(self, token: str) -> str:
        """Return a token that resembles a right one."""
        cut = self._random.randrange(1, len(token))
        spoilt = self._random.choice(
            (
                token[:cut],
                token[:-1] + self._random.choice(string.punctuation),
                token + "x",
                token.swapcase(),
                token[::-1],
                f"{token},{token}",
                f'"{token}"',
                token.replace("a", "а"),  # noqa: RUF001 - a Cyrillic letter
                "",
                "undefined",
                self._letters(len(token)),
            )
        )
        return "wrong" if spoilt in self._tokens else spoilt

    def _token_in_url(self) -> Attack:
        token = self._spoilt(self._random.choice(self._tokens)).encode().hex()
        name = self._random.choice(("token", "api_key", "access_token", "tick%65t", "TICKET"))
        return Attack("token in the URL", self._get(f"{STREAM}&{name}={token}"))

    def _forged_ticket(self) -> Attack:
        ticket = self._letters(self._random.choice((0, 1, 31, 32, 32, 32, 33, 4_000)))
        path = self._random.choice((STREAM, "/api/stream?topics=price:SPY", "/api/positions?x=1"))
        accept = self._random.choice(("Accept: text/event-stream", "Accept: */*"))
        return Attack("forged ticket", self._get(f"{path}&ticket={ticket}", accept))

    def _odd_path(self) -> Attack:
        path = self._random.choice((*PATHS, "/" + self._letters(5_000), "/?" + "a&" * 10_000))
        method = self._random.choice(("GET", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
        return Attack("odd path", self._get(path, method=method))

    def _mutated(self) -> Attack:
        whole = bytearray(
            self._get(STREAM, "Authorization: Bearer x", "Content-Length: 24", method="POST") + BODY
        )
        for _ in range(self._random.randrange(1, 6)):
            at = self._random.randrange(len(whole))
            match self._random.randrange(3):
                case 0:
                    whole[at] = self._random.randrange(256)
                case 1:
                    del whole[at]
                case _:
                    whole[at:at] = self._random.randbytes(3)
        return Attack("mutated bytes", bytes(whole))

    def _smuggling(self) -> Attack:
        return Attack("smuggling", self._random.choice(SMUGGLING))

    def _huge_body(self) -> Attack:
        body = self._random.choice(HUGE)
        method, path = self._random.choice(
            (
                ("POST", "/api/stream"),
                ("POST", f"/api/stream/prices?ticket={self._letters(32)}"),
                ("POST", "/api/stream/ticket"),
                ("PATCH", f"/api/stream/gateway-{self._random.randbytes(12).hex()}"),
            )
        )
        headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        return Attack("huge body", self._get(path, *headers, method=method) + body)

    def _no_request(self) -> Attack:
        return Attack("no request", self._random.choice((b"", b"GET / HTTP/1.1\r\nHost:")), True)

    def _unread(self) -> Attack:
        request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        return Attack("unread answers", request * 16, unread=True)

    def _get(self, path: str, *headers: str, method: str = "GET") -> bytes:
        """Return a request from one of many addresses, some of which are none."""
        address = self._random.choice(
            (
                f"198.51.100.{self._random.randrange(256)}",
                f"2001:db8::{self._random.randrange(65536):x}:1",
                "127.0.0.1",
                "unknown",
                "x" * 1_000,
            )
        )
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        return "\r\n".join([*lines, f"X-Forwarded-For: {address}", *headers, "", ""]).encode()

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=count))
