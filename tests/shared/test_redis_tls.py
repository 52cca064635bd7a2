"""TLS to a real Redis with a certificate that it has made itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from shared.bus import redis_source
from shared.bus.errors import BusUnreachableError, bus_errors
from shared.bus.redis_source import RedisSource
from tests.installed import program
from tests.ports import free_port
from tests.redis_servers import QUIET, redis_server
from tests.services import until
from tests.tcp_server import tcp_server


@dataclass(frozen=True)
class TlsRedis:
    port: int
    sentinel_port: int
    certificate: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TlsRedis]:
    """Debian's Redis; its certificate is for 127.0.0.1 and ``redis.example``."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate, port = folder / "key.pem", folder / "ca.pem", free_port()
    making = await asyncio.create_subprocess_exec(
        *(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt"),
        *("ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=redis.example", "-days", "2"),
        *("-addext", "subjectAltName=DNS:redis.example,IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(certificate)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await making.wait() == 0
    binary = Path(program("redis-server"))
    files = [
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
        *("--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"),
        *("--tls-replication", "yes"),
    ]
    configuration, sentinel_port = folder / "sentinel.conf", free_port()
    configuration.write_text(f"sentinel monitor mymaster 127.0.0.1 {port} 1\n")
    sentinel = [str(configuration), "--sentinel", "--tls-port", str(sentinel_port), *files]
    async with (
        redis_server(folder, *QUIET, "--tls-port", str(port), *files, binary=binary),
        redis_server(folder, *sentinel, binary=binary),
    ):
        yield TlsRedis(port, sentinel_port, certificate)


async def _works(url: str) -> bool:
    source = RedisSource(url)
    async with (
        source.client("one") as client,
        source.client("two", subscriber=True) as subscriber,
    ):
        pubsub = subscriber.pubsub()
        await pubsub.subscribe("price:SPY")
        assert await client.set("a", b"1")
        await pubsub.aclose()  # type: ignore[no-untyped-call]
    return True


async def test_the_certificate_of_its_own_authority_is_accepted(tls_redis: TlsRedis) -> None:
    assert await _works(
        f"rediss://127.0.0.1:{tls_redis.port}/0?ssl_ca_certs={tls_redis.certificate}"
    )


async def test_sentinels_are_asked_with_tls_too(tls_redis: TlsRedis) -> None:
    options = f"ssl_ca_certs={tls_redis.certificate}"

    assert await _works(
        f"rediss+sentinel://127.0.0.1:{tls_redis.sentinel_port}/mymaster/0?{options}"
    )


async def test_any_certificate_is_accepted_if_none_is_required(tls_redis: TlsRedis) -> None:
    assert await _works(f"rediss://127.0.0.1:{tls_redis.port}/0?ssl_cert_reqs=none")


async def test_a_certificate_for_another_name_is_accepted_if_names_are_not_checked(
    tls_redis: TlsRedis,
) -> None:
    url = f"rediss://localhost:{tls_redis.port}/0?ssl_ca_certs={tls_redis.certificate}"
    with pytest.raises(BusUnreachableError, match="Hostname mismatch"), bus_errors():
        await _works(url)

    assert await _works(f"{url}&ssl_check_hostname=no")


async def test_a_certificate_of_an_unknown_authority_is_rejected_with_the_remedy(
    tls_redis: TlsRedis,
) -> None:
    told = r"self.signed certificate; add \?ssl_ca_certs="
    with pytest.raises(BusUnreachableError, match=told), bus_errors():
        await _works(f"rediss://127.0.0.1:{tls_redis.port}/0")


@pytest.mark.parametrize("answer", [b"", b"-ERR unknown command\r\n"])
async def test_a_server_without_tls_is_named(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await reader.read()

    monkeypatch.setattr(redis_source, "CONNECT_TIMEOUT_SECONDS", 0.1)
    async with tcp_server(serve) as port:
        with pytest.raises(BusUnreachableError, match="does not answer with TLS"), bus_errors():
            await _works(f"rediss://127.0.0.1:{port}/0")


async def test_closing_all_connections_ends_tls_connections_at_once(tls_redis: TlsRedis) -> None:
    url = f"rediss://127.0.0.1:{tls_redis.port}/0?ssl_cert_reqs=none"
    source = RedisSource(url)
    async with source.client("two", subscriber=True) as subscriber:
        pubsub = subscriber.pubsub()
        await pubsub.subscribe("price:SPY")
        await pubsub.get_message(timeout=None)
        reading = asyncio.ensure_future(pubsub.get_message(timeout=None))
        await asyncio.sleep(0)
        source.leave_server("a test")

        await until(reading.done)
        assert isinstance(reading.exception(), Exception)
        await pubsub.aclose()  # type: ignore[no-untyped-call]
