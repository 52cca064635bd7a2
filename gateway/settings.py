"""The gateway's settings."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from gateway.token_file import Grants, TokenFile
from gateway.wire.addresses import EVERY_PEER, network_of
from gateway.wire.allowed_hosts import host_entry
from gateway.wire.grant import MIN_LENGTH, Grant, grants_of
from shared.bus.settings import MEMORY_URL, BusSettings, RedisUrl

# A browser leaves out the default port, so an origin with one would never match its header.
ORIGIN = re.compile(
    r"(?!http:.*:80$|https:.*:443$)[a-z][a-z0-9+.-]*://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?"
)


def parts_of(text: str) -> tuple[str, ...]:
    """Return the parts between commas that are not empty."""
    return tuple(each.strip() for each in text.split(",") if each.strip())


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(given: str) -> str:
    if given != "*" and not ORIGIN.fullmatch(given):
        raise ValueError(
            f"{given!r} is not an origin: expected https://HOST or https://HOST:PORT as a browser "
            "sends it: in lower case, without a path, a trailing slash or the default port"
        )
    return given


def _proxy(given: str) -> str:
    try:
        if given != EVERY_PEER:
            network_of(given)
    except ValueError as error:
        raise ValueError(
            f"{error}: expected the addresses or networks of proxies, such as 10.0.0.0/8, or *"
        ) from None
    return given


Host = Annotated[str, AfterValidator(host_entry)]
Origin = Annotated[str, AfterValidator(_origin)]
Proxy = Annotated[str, AfterValidator(_proxy)]


class GatewaySettings(BusSettings):
    """The settings of a gateway; see ``docs/reference.md``."""

    host: str = "127.0.0.1"
    port: int = Field(8001, ge=0, le=65535)
    api_token_file: Annotated[TokenFile | None, NoDecode] = None
    api_token: Annotated[tuple[Grant, ...], NoDecode] = ()
    update_interval_seconds: float = Field(0.25, ge=0, le=60)
    flush_interval_ms: float = Field(20, ge=0, le=1000)
    heartbeat_seconds: float = Field(9, gt=0, le=300)
    lame_duck_seconds: float = Field(5, ge=0, le=300)
    drain_seconds: float = Field(10, ge=0, le=300)
    slow_client_seconds: float = Field(30, gt=0, le=600)
    forwarded_allow_ips: Annotated[tuple[Proxy, ...], NoDecode] = ("127.0.0.1",)
    allowed_hosts: Annotated[tuple[Host, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[Origin, ...], NoDecode] = ()
    max_clients: int = Field(10000, ge=1)
    max_topics_per_client: int = Field(500, ge=1)
    max_streams_per_principal: int | None = Field(None, ge=0)
    max_streams_per_address: int | None = Field(None, ge=0)
    max_tickets_per_minute: int = Field(20_000, ge=0)

    access_log: bool = False
    audit_log: bool = True

    @field_validator("allowed_hosts", "cors_origins", "forwarded_allow_ips", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Split a list that is separated by commas."""
        return parts_of(value) if isinstance(value, str) else value

    @field_validator("api_token_file", mode="before")
    @classmethod
    def _token_file(cls, value: object) -> object:
        return TokenFile.read(Path(value)) if isinstance(value, str) else value

    @field_validator("api_token", mode="before")
    @classmethod
    def _grants(cls, value: object) -> object:
        """Split a list of tokens. During a replacement the old and the new one both work."""
        return grants_of(parts_of(value)) if isinstance(value, str) else value

    @field_validator("api_token")
    @classmethod
    def _safe_tokens(cls, grants: Grants, info: ValidationInfo) -> Grants:
        # The reason why the file cannot be used is reported by itself.
        if "api_token_file" in info.data:
            file: TokenFile | None = info.data["api_token_file"]
            host = info.data.get("host", "127.0.0.1")
            if not _combined(grants, file, host) and not is_loopback(host):
                raise ValueError(
                    f"not set, and HOST is {host}: anyone who reaches this address could read the "
                    "prices. Set API_TOKEN or API_TOKEN_FILE, or HOST=127.0.0.1"
                )
        return grants

    @property
    def grants(self) -> Grants:
        """The tokens of ``API_TOKEN`` and of ``API_TOKEN_FILE``."""
        return _combined(self.api_token, self.api_token_file, self.host)

    def with_file(self, file: TokenFile) -> Grants:
        """Return the same with another content of the file.

        Raises:
            ValueError: a token is too short, or in both.
        """
        return _combined(self.api_token, file, self.host)


def _combined(grants: Grants, file: TokenFile | None, host: str) -> Grants:
    """Return the tokens of the setting and of the file.

    Raises:
        ValueError: one is in both, or too short for a gateway that others can reach.
    """
    added = () if file is None else file.grants
    own = {grant.digest for grant in grants}
    for number, grant in enumerate((*grants, *added), 1):
        is_added = number > len(grants)
        if is_added and grant.digest in own:
            raise ValueError("API_TOKEN_FILE has a token that is in API_TOKEN too: write it once")
        if grant.is_short and not is_loopback(host):
            where = f"{number - len(grants)} of API_TOKEN_FILE" if is_added else f"{number}"
            raise ValueError(
                f"entry {where} has fewer than {MIN_LENGTH} characters, and HOST is "
                f"{host}: a short token can be guessed. Take a random one: openssl rand -hex 32"
            )
    return grants + added


class GatewayProcessSettings(GatewaySettings):
    """The settings of ``python -m gateway``, which needs a Redis outside its process."""

    redis_url: RedisUrl = Field(default="", repr=False)

    @field_validator("redis_url", mode="before")
    @classmethod
    def _needs_redis(cls, url: str) -> str:
        if not url:
            raise ValueError(
                "not set: a gateway reads prices from Redis, for example redis://127.0.0.1:6379; "
                "to try everything without a Redis, run: tapecast run"
            )
        if url.startswith(MEMORY_URL):
            raise ValueError(
                "memory:// exists within one process, and no ingest would write to this one; "
                "use it with: tapecast run"
            )
        return url
