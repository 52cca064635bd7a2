from collections.abc import Callable
from typing import Any

import pytest

from simulator.protocol.subscription import IEX, SIP, TEST, Feed
from simulator.streams.session import Outcome, Session, Terms, refusal

AUTH = {"action": "auth", "key": "k", "secret": "s"}
CONNECTED = {"T": "success", "msg": "connected"}
AUTHENTICATED = {"T": "success", "msg": "authenticated"}


def session(
    feed: Feed = IEX,
    plan: str = "basic",
    limit: int | None = 30,
    claim: Callable[[str], bool] = lambda _: True,
) -> Session:
    return Session(feed, Terms("k", "s", plan, limit), claim)


def signed_in(feed: Feed = IEX, limit: int | None = 30) -> Session:
    one = session(feed, limit=limit)
    one.receive(AUTH)
    return one


def subscribe(one: Session, **channels: Any) -> dict[str, object]:
    [reply] = one.receive({"action": "subscribe", **channels}).replies
    return dict(reply)


def error(code: int, text: str) -> dict[str, object]:
    return {"T": "error", "code": code, "msg": text}


def test_a_new_session_says_connected() -> None:
    assert session().open() == Outcome((CONNECTED,))


def test_the_right_keys_authenticate() -> None:
    assert session().receive(AUTH) == Outcome((AUTHENTICATED,))


def test_keys_in_the_headers_authenticate_unasked() -> None:
    one = session()

    assert one.open("k", "s") == Outcome((CONNECTED, AUTHENTICATED))
    assert one.receive(AUTH).replies == (error(403, "already authenticated"),)


def test_wrong_keys_in_the_headers_end_the_session() -> None:
    assert session().open("k", "x") == Outcome(
        (CONNECTED, error(402, "auth failed")), close=True, code=402
    )


@pytest.mark.parametrize(
    "message",
    [
        None,
        7,
        "auth",
        [],
        [AUTH],
        {},
        {"action": "unknown"},
        {"action": 1},
        {"action": "auth"},
        {"action": "auth", "key": 1, "secret": "s"},
    ],
)
def test_bad_syntax_is_400_and_keeps_the_session(message: object) -> None:
    one = session()

    assert one.receive(message) == Outcome((error(400, "invalid syntax"),), code=400)
    assert one.receive(AUTH) == Outcome((AUTHENTICATED,))


@pytest.mark.parametrize(
    "channels",
    [
        {"trades": "AAPL"},
        {"trades": [1]},
        {"trades": ["aapl"]},
        {"trades": ["AAPL", "A B"]},
        {"trades": [""]},
        {"trades": {"AAPL": 1}},
        {"trades": ["AAPL", None]},
        {5: ["AAPL"]},
    ],
)
def test_a_bad_symbol_or_type_is_400_and_changes_nothing(channels: dict[Any, Any]) -> None:
    one = signed_in()

    [reply] = one.receive({"action": "subscribe", **channels}).replies

    assert reply == error(400, "invalid syntax")
    assert one.subscriptions.symbols("trades") == []


@pytest.mark.parametrize("action", ["subscribe", "unsubscribe"])
def test_before_authentication_it_is_401(action: str) -> None:
    outcome = session().receive({"action": action, "trades": ["AAPL"]})

    assert outcome == Outcome((error(401, "not authenticated"),), code=401)


def test_wrong_keys_are_402_and_the_end() -> None:
    outcome = session().receive({"action": "auth", "key": "k", "secret": "wrong"})

    assert outcome == Outcome((error(402, "auth failed"),), close=True, code=402)


def test_a_second_authentication_is_403() -> None:
    assert signed_in().receive(AUTH) == Outcome((error(403, "already authenticated"),), code=403)


@pytest.mark.parametrize(("code", "text"), [(404, "auth timeout"), (407, "slow client")])
def test_what_the_connection_finds_wrong_ends_the_session(code: int, text: str) -> None:
    assert refusal(code) == Outcome((error(code, text),), close=True, code=code)


def test_a_taken_slot_is_406_until_it_is_free() -> None:
    answers = iter([False, True])
    one = session(claim=lambda _: next(answers))

    assert one.receive(AUTH) == Outcome((error(406, "connection limit exceeded"),), code=406)
    assert not one.authenticated
    assert one.receive(AUTH) == Outcome((AUTHENTICATED,))


def test_a_feed_outside_of_the_plan_is_409_and_claims_nothing() -> None:
    claimed: list[str] = []

    def claim(key: str) -> bool:
        claimed.append(key)
        return True

    one = session(SIP, claim=claim)

    assert one.receive(AUTH) == Outcome((error(409, "insufficient subscription"),), code=409)
    assert claimed == []


def test_the_plus_plan_has_sip() -> None:
    assert session(SIP, plan="plus", limit=None).receive(AUTH).replies == (AUTHENTICATED,)


@pytest.mark.parametrize("channel", ["news", "orderbooks", "corrections", "cancelErrors", "foo"])
def test_a_channel_that_cannot_be_subscribed_is_410(channel: str) -> None:
    one = signed_in()

    reply = subscribe(one, trades=["AAPL"], **{channel: ["AAPL"]})

    assert reply == error(410, "invalid subscribe action for this feed")
    assert one.subscriptions.symbols("trades") == []


def test_the_test_stream_has_three_channels() -> None:
    one = signed_in(TEST)

    assert subscribe(one, quotes=["FAKEPACA"], bars=["FAKEPACA"]) == {
        "T": "subscription",
        "trades": [],
        "quotes": ["FAKEPACA"],
        "bars": ["FAKEPACA"],
    }
    assert subscribe(one, dailyBars=["FAKEPACA"])["code"] == 410


def test_the_acknowledgement_is_the_entire_set_in_the_documented_order() -> None:
    # docs.alpaca.markets/docs/streaming-market-data
    one = signed_in(limit=None)
    subscribe(one, trades=["AAPL"])
    reply = subscribe(one, quotes=["AMD", "CLDR"], bars=["*"])

    assert list(reply.items()) == [
        ("T", "subscription"),
        ("trades", ["AAPL"]),
        ("quotes", ["AMD", "CLDR"]),
        ("bars", ["*"]),
        ("updatedBars", []),
        ("dailyBars", []),
        ("statuses", []),
        ("lulds", []),
        ("corrections", ["AAPL"]),
        ("cancelErrors", ["AAPL"]),
    ]


def test_unsubscribing_takes_away_what_is_there() -> None:
    one = signed_in()
    subscribe(one, trades=["AAPL", "AMD"], bars=["*"])

    [reply] = one.receive(
        {"action": "unsubscribe", "trades": ["AAPL", "NEVER"], "bars": ["*"]}
    ).replies

    assert reply["trades"] == reply["corrections"] == reply["cancelErrors"] == ["AMD"]
    assert reply["bars"] == []


def test_an_empty_subscribe_is_acknowledged() -> None:
    assert subscribe(signed_in(), trades=None)["trades"] == []


def test_the_limit_counts_distinct_symbols_over_trades_and_quotes() -> None:
    one = signed_in(limit=2)

    assert subscribe(one, trades=["A", "B"], quotes=["B", "A"])["quotes"] == ["B", "A"]
    assert subscribe(one, bars=["*"], dailyBars=["C", "D"], statuses=["*"])["bars"] == ["*"]


def test_beyond_the_limit_nothing_of_the_request_is_taken() -> None:
    one = signed_in(limit=2)
    subscribe(one, trades=["A"])

    reply = subscribe(one, trades=["B"], quotes=["C"], bars=["D"])

    assert reply == error(405, "symbol limit exceeded")
    assert one.subscriptions.symbols("trades") == ["A"]
    assert one.subscriptions.symbols("bars") == []


@pytest.mark.parametrize("channel", ["bars", "updatedBars", "dailyBars"])
def test_symbols_of_bars_count_only_if_alpaca_should_count_them(channel: str) -> None:
    one = signed_in(limit=2)
    many = [f"S{number}" for number in range(5000)]

    assert subscribe(one, trades=["A"], **{channel: many})[channel] == many
    one.counts_bars = True
    assert subscribe(one, **{channel: ["Z"]}) == error(405, "symbol limit exceeded")
    assert len(one.subscriptions.symbols(channel)) == 5000
    one.receive({"action": "unsubscribe", channel: many})
    assert subscribe(one, **{channel: ["Z"]})[channel] == ["Z"]
    assert subscribe(one, **{channel: ["*"]})["code"] == 405


def test_a_wildcard_for_trades_is_beyond_any_limit() -> None:
    assert subscribe(signed_in(), trades=["*"])["code"] == 405
    assert subscribe(signed_in(limit=None), trades=["*"])["trades"] == ["*"]


@pytest.mark.parametrize(
    ("kind", "symbol", "wanted"),
    [
        ("t", "AAPL", True),
        ("t", "AMD", False),
        ("c", "AAPL", True),
        ("x", "AAPL", True),
        ("q", "AAPL", False),
        ("b", "AMD", True),
        ("i", "INAQU", True),
        ("subscription", "AAPL", False),
    ],
)
def test_a_session_gets_what_it_asked_for(kind: str, symbol: str, wanted: bool) -> None:
    one = signed_in()
    subscribe(one, trades=["AAPL"], bars=["*"], imbalances=["INAQU"])

    assert one.wants({"T": kind, "S": symbol}) is wanted
