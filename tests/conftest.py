"""The shared fixtures and settings of all tests: limits, examples, a real Valkey, fakeredis."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from shared.bus import redis_connection, redis_pool, redis_source
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests import examples
from tests.limits import LIMIT_SECONDS, TEST_SECONDS, limit
from tests.ports import free_port
from tests.shared_valkey import SharedValkey

pytest_plugins = [
    "tests.first_imports",
    "tests.leftover_connections",
    "tests.order",
    "tests.own_logging",
    "tests.skips",
    "tests.store",
]

SETTINGS = re.findall(
    r"^# ([A-Z_]+)=", (Path(__file__).parents[1] / ".env.example").read_text(), re.MULTILINE
)


examples.load_profile()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Limit every test, unless the command line does, and every request, also to Redis."""
    # pytest-timeout reads the option after this; workers of xdist get it with all other options.
    if config.getoption("timeout") is None:
        config.option.timeout = TEST_SECONDS
    # httpx gives up after 5 s by default, which a busy machine can take for one connection.
    for phase in ("connect", "read", "write", "pool"):
        setattr(DEFAULT_TIMEOUT_CONFIG, phase, LIMIT_SECONDS)
    # A test's own process may not run for 2 s, the product's limit, and Redis is not to blame then.
    # Nor for the time of a connection, without which a gateway counts no stream and admits all.
    redis_source.COMMAND_TIMEOUT_SECONDS = limit(10)
    for module in (redis_source, redis_connection):
        module.__dict__["CONNECT_TIMEOUT_SECONDS"] = limit(10)
    redis_pool.WAIT_SECONDS = limit(30)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys and tokens must not reach a test."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def valkey() -> AsyncIterator[ValkeyServer]:
    """A server of this test alone, which it may stop, kill and configure."""
    async with ValkeyServer(free_port()) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_valkey() -> AsyncIterator[SharedValkey]:
    """The server of all tests that do not need a separate one."""
    async with ValkeyServer(free_port()) as server:
        shared = SharedValkey(server)
        yield shared
        shared.close()


@pytest.fixture
def emptied_valkey(one_valkey: SharedValkey) -> Iterator[SharedValkey]:
    """The server of all tests as if it had just started."""
    one_valkey.empty()
    yield one_valkey
    altered = one_valkey.altered_settings()
    assert altered == {}, "a test that configures its server needs the fixture valkey"


@pytest.fixture
def source(request: pytest.FixtureRequest) -> RedisSource:
    """A real Valkey: the test's own if it asks for ``valkey`` too, else an emptied one."""
    wanted = "valkey" if "valkey" in request.fixturenames else "emptied_valkey"
    server: ValkeyServer | SharedValkey = request.getfixturevalue(wanted)
    return RedisSource(server.url)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with ``any_source`` on both stores; ``tests/gateway`` combines it with ``run``."""
    if "any_source" in metafunc.fixturenames and "run" not in metafunc.fixturenames:
        metafunc.parametrize("any_source", ["valkey", "memory"], indirect=True)


@pytest.fixture
def any_source(request: pytest.FixtureRequest) -> RedisSource:
    """The same test on a real Valkey and on fakeredis, so that ``memory://`` cannot drift."""
    if request.param == "memory":
        return RedisSource("memory://")
    found: RedisSource = request.getfixturevalue("source")
    return found
