"""The network's proxy: one choice for REST and WebSocket."""

import asyncio

import pytest

from ingest.alpaca import messages as wire
from ingest.demand.subscription import SubscriptionChange
from ingest.upstream.account_stream import AccountStream
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.proxy import proxy_for, without_credentials
from ingest.upstream.upstream_error import Retry, UpstreamError
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.upstream.forward_proxy import forward_proxy
from tests.services import until
from tests.simulator.client import endpoint_state
from tests.tcp_server import tcp_server

QUIET = SimulatorSettings(tape=None, positions=())
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
HOST = "alpaca.invalid"
"""Only the proxy can resolve it."""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxy of this machine's network."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("endpoint", "variables", "proxy"),
    [
        ("wss://stream.data.alpaca.markets/v2/iex", {}, None),
        ("wss://stream.data.alpaca.markets/v2/iex", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://data.alpaca.markets", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        (
            "wss://stream.data.alpaca.markets",
            {"https_proxy": "proxy.example:3128"},
            "http://proxy.example:3128",
        ),
        ("wss://stream.data.alpaca.markets", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://stream.data.alpaca.markets", {"HTTP_PROXY": "http://p:1"}, None),
        ("ws://relay.example", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("ws://relay.example", {"HTTPS_PROXY": "http://p:1"}, None),
        ("wss://a.b", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x,a.b"}, None),
        ("wss://a.b", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("wss://a.b", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "c"}, "http://p:1"),
        ("ws://127.0.0.1:7300/v2/iex", {"HTTP_PROXY": "http://p:1"}, None),
        ("ws://localhost:7300/v2/iex", {"HTTP_PROXY": "http://p:1"}, None),
        ("ws://[::1]:7300/v2/iex", {"HTTP_PROXY": "http://p:1"}, None),
    ],
)
def test_the_variables_choose_the_proxy_and_loopback_has_none(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, variables: dict[str, str], proxy: str | None
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    assert proxy_for(endpoint) == proxy


def test_a_proxy_is_named_without_its_password() -> None:
    assert without_credentials("http://user:pass@proxy.example:3128") == "proxy.example:3128"


async def test_streams_and_rest_reach_alpaca_through_a_proxy_that_alone_resolves_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Simulator(QUIET) as simulator, forward_proxy() as (address, proxy):
        monkeypatch.setenv("HTTP_PROXY", f"http://user:pass@{address}")
        port = simulator.rest_url.rpartition(":")[2]
        stream = AlpacaStream(f"ws://{HOST}:{port}/v2/iex", DEFAULT_KEY, DEFAULT_SECRET)
        await stream.open()
        account = AccountStream(f"ws://{HOST}:{port}/stream", DEFAULT_KEY, DEFAULT_SECRET)
        await account.open()
        url = f"http://{HOST}:{port}"
        rest = AlpacaRest(DEFAULT_KEY, DEFAULT_SECRET, data_url=url, trading_url=url, feed="iex")
        await rest.snapshots(["SPY"])
        rest.close()

        assert proxy.connects == [f"{HOST}:{port}"] * 2
        assert [each.partition("?")[0] for each in proxy.requests] == [
            f"http://{HOST}:{port}/v2/stocks/snapshots"
        ]
        assert all("Proxy-Authorization: Basic dXNlcjpwYXNz" in each for each in proxy.headers)

        await stream.change(SubscriptionChange("subscribe", "trades", ("SPY",)))
        assert [type(each) for each in wire.decode(await stream.frame())] == [wire.Subscribed]
        await simulator.publish({"T": "t", "S": "SPY", "p": 1.5, "s": 2})
        assert wire.decode(await stream.frame())[0].price == 1.5
        await stream.shut()
        await account.shut()
        await until(lambda: endpoint_state(simulator)["connections"] == 0)


async def test_through_a_proxy_a_buffered_frame_is_read_without_suspending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Simulator(QUIET) as simulator, forward_proxy() as (address, _):
        monkeypatch.setenv("HTTP_PROXY", address)
        port = simulator.rest_url.rpartition(":")[2]
        stream = AlpacaStream(f"ws://{HOST}:{port}/v2/iex", DEFAULT_KEY, DEFAULT_SECRET)
        await stream.open()
        await stream.change(SubscriptionChange("subscribe", "trades", ("SPY",)))
        await stream.frame()
        await simulator.publish({"T": "t", "S": "SPY", "p": 1.5, "s": 2})
        await until(lambda: len(stream._ws.recv_messages.frames) == 1)
        reading = stream.frame()
        with pytest.raises(StopIteration):
            reading.send(None)
        await stream.shut()


async def test_no_proxy_is_asked_for_an_excepted_host_nor_for_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Simulator(QUIET) as simulator, forward_proxy() as (address, proxy):
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        url = simulator.rest_url
        rest = AlpacaRest(DEFAULT_KEY, DEFAULT_SECRET, data_url=url, trading_url=url, feed="iex")
        await rest.snapshots(["SPY"])
        rest.close()
        stream = AlpacaStream(f"{simulator.stream_url}/v2/iex", DEFAULT_KEY, DEFAULT_SECRET)
        await stream.open()
        await stream.shut()
        monkeypatch.setenv("NO_PROXY", f"other.example,{HOST}")
        with pytest.raises(UpstreamError, match="no connection to Alpaca"):
            await AlpacaStream(f"ws://{HOST}:7/v2/iex", "k", "s").open()

    assert proxy.connects == proxy.requests == []


@pytest.mark.parametrize(
    ("rejection", "said"),
    [
        ("407 Proxy Authentication Required", "HTTP 407 to CONNECT: it requires a user"),
        ("403 Forbidden", "HTTP 403 to CONNECT: it does not allow this host"),
        ("502 Bad Gateway", "HTTP 502 to CONNECT"),
    ],
)
async def test_a_proxys_rejection_names_the_proxy_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, rejection: str, said: str
) -> None:
    async with forward_proxy() as (address, proxy):
        proxy.rejection = rejection
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@{address}")
        with pytest.raises(UpstreamError) as caught:
            await AlpacaStream(f"wss://{HOST}/v2/iex", "k", "s").open()

    assert str(caught.value).startswith(f"the proxy {address} answered {said}")
    assert caught.value.retry is Retry.SOON
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (
            "http://user:secret@127.0.0.1:1",
            "no connection to Alpaca through the proxy 127.0.0.1:1: ",
        ),
        (
            "ftp://user:secret@p:1",
            "no connection to Alpaca through the proxy p:1: its address is invalid",
        ),
        ("socks5://user:secret@p:1", "no connection to Alpaca through the proxy p:1: "),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str, said: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(UpstreamError) as caught:
        await AlpacaStream(f"wss://{HOST}/v2/iex", "k", "s").open()

    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)


async def test_an_answer_of_alpacas_through_the_proxy_is_alpacas_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Simulator(QUIET) as simulator, forward_proxy() as (address, _):
        monkeypatch.setenv("HTTP_PROXY", address)
        port = simulator.rest_url.rpartition(":")[2]
        with pytest.raises(UpstreamError) as caught:
            await AlpacaStream(f"ws://{HOST}:{port}/v9/iex", "k", "s").open()

    assert str(caught.value).startswith("Alpaca answered HTTP 404: check ALPACA_FEED")


async def test_cancelling_while_the_proxy_is_silent_leaves_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()

    async with tcp_server(silent) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        task = asyncio.create_task(AlpacaStream(f"wss://{HOST}/v2/iex", "k", "s").open())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
