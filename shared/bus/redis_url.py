"""``REDIS_URL``, taken apart and checked: a wrong one is rejected before anything is started."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

REDIS_PORT = 6379
SENTINEL_PORT = 26379

FORMS = (
    "redis://HOST:PORT/0, rediss://…, unix://PATH, "
    "redis+sentinel://HOST:PORT,HOST:PORT/NAME/0, rediss+sentinel://… or memory://"
)

_SCHEMES = frozenset({"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"})

_FIXED = frozenset(
    {
        "client_name",
        "decode_responses",
        "encoding",
        "encoding_errors",
        "health_check_interval",
        "lib_name",
        "lib_version",
        "max_connections",
        "protocol",
        "retry_on_error",
        "retry_on_timeout",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_read_size",
        "socket_timeout",
        "socket_type",
        "timeout",
    }
)
"""Options of redis-py that have no effect here. URLs are shared between programs: an option that
Celery or Flask needs must not keep this one from starting, nor change how it talks to Redis."""

_ENCODE = "percent-encode '/', '?', '#' and '@' in the user name and the password: %2F %3F %23 %40"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is. Its ``options`` are keywords of redis-py's connections.

    ``sentinels`` are the hosts and ports of the sentinels that know the master ``service``; if
    there are none, the host is in ``options``. The ``repr`` shows no password.
    """

    scheme: str
    options: Mapping[str, Any] = field(repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_tls(self) -> bool:
        """Return whether connections use TLS."""
        return self.scheme.startswith("rediss")

    def __str__(self) -> str:
        """Return the URL for logs: without credentials and options."""
        options = self.options
        if self.scheme == "unix":
            return f"unix://{options['path']}"
        hosts = self.sentinels or ((options["host"], options["port"]),)
        places = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in hosts)
        name = f"{self.service}/" if self.service else ""
        return f"{self.scheme}://{places}/{name}{options['db']}"


def parse(url: str) -> RedisAddress:
    """Return the parts of a URL, except of ``memory://``.

    Raises:
        ValueError: it is wrong; the message contains no part of the credentials.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in _SCHEMES:
        raise ValueError(f"expected {FORMS}")
    main, _, query = rest.partition("?")
    authority, slash, path = main.partition("/")
    _check_delimiters(scheme, path, query, has_fragment="#" in rest)
    user, _, hosts = authority.rpartition("@")
    options = _credentials(user)
    ours, theirs = _query_options(query, is_tls=scheme.startswith("rediss"))
    if scheme == "unix":
        options |= {"path": unquote(slash + path), "db": 0}
        return RedisAddress(scheme, MappingProxyType(options | ours))
    if scheme.endswith("+sentinel"):
        service, _, database = path.partition("/")
        if not service:
            raise ValueError("the name of the master is missing: redis+sentinel://HOST:PORT/NAME/0")
        options["db"] = _database(database)
        sentinels = tuple(_host(each, SENTINEL_PORT) for each in hosts.split(","))
        return RedisAddress(
            scheme, MappingProxyType(options | ours), sentinels, unquote(service), theirs
        )
    if "," in hosts:
        raise ValueError("several hosts need redis+sentinel://HOST:PORT,HOST:PORT/NAME/0")
    host, port = _host(hosts, REDIS_PORT)
    options |= {"host": host, "port": port, "db": _database(path)}
    return RedisAddress(scheme, MappingProxyType(options | ours))


def _check_delimiters(scheme: str, path: str, query: str, *, has_fragment: bool) -> None:
    """Reject a password with a character that ends the host.

    Else ``redis://user#secret@host`` would connect to ``user`` and print that name.
    """
    if has_fragment:
        raise ValueError(f"'#' has no meaning in a Redis URL: {_ENCODE}")
    # A socket's path may contain '@'; the credentials before it end at the first slash.
    if scheme != "unix" and "@" in path:
        raise ValueError(f"'/' before '@': {_ENCODE}")
    # A query may contain '@' too, in an option that takes any text.
    options = (part.partition("=")[0] for part in query.split("&") if "@" in part)
    if not all(name in _OPTIONS for name in options):
        raise ValueError(f"'?' before '@': {_ENCODE}")


def _credentials(user: str) -> dict[str, Any]:
    name, _, password = user.partition(":")
    return {
        **({"username": unquote(name)} if name else {}),
        **({"password": unquote(password)} if password else {}),
    }


def _host(text: str, default_port: int) -> tuple[str, int]:
    host, port = text, ""
    if text.startswith("["):  # IPv6
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address needs brackets: redis://[::1]:6379/0")
        port = rest[1:]
    elif ":" in text:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"the port is not a number from 1 to 65535; expected {FORMS}")
    return unquote(host) or "localhost", int(port or default_port)


def _database(text: str) -> int:
    text = text.removesuffix("/")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise ValueError("the database after the host is not a number: redis://HOST:PORT/0")
    return int(text)


def _query_options(query: str, *, is_tls: bool) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the options for connections to Redis, and those for connections to a sentinel."""
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name in _FIXED:
            continue
        convert = _OPTIONS.get(name)
        if convert is None:
            raise ValueError(f"unknown option after '?'; there are {', '.join(sorted(_OPTIONS))}")
        if name.startswith("ssl_") and not is_tls:
            raise ValueError(f"{name} needs rediss://, or rediss+sentinel://")
        try:
            converted = convert(unquote(value))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if name.startswith("sentinel_"):
            theirs[name.removeprefix("sentinel_")] = converted
        else:
            ours[name] = converted
    return ours, MappingProxyType(theirs)


def _number(text: str) -> int:
    return _database(text)


def _flag(text: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in known:
        raise ValueError("expected true or false")
    return known[text.lower()]


def _verification(text: str) -> str:
    # Celery writes CERT_NONE.
    found = text.lower().removeprefix("cert_")
    if found not in ("none", "optional", "required"):
        raise ValueError("expected none, optional or required")
    return found


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError(f"there is no file {text!r}")
    return text


def _folder(text: str) -> str:
    if not Path(text).is_dir():
        raise ValueError(f"there is no folder {text!r}")
    return text


_OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "db": _number,
        "password": str,
        "sentinel_password": str,
        "sentinel_username": str,
        "ssl_ca_certs": _file,
        "ssl_ca_path": _folder,
        "ssl_cert_reqs": _verification,
        "ssl_certfile": _file,
        "ssl_check_hostname": _flag,
        "ssl_keyfile": _file,
        "username": str,
    }
)
