"""The entries of ``API_TOKEN``: a token each, and after it what it is good for."""

import pytest

from gateway.settings import GatewaySettings
from gateway.wire.grant import grants_of
from shared.settings import SettingsError


def test_an_entry_is_a_token_and_its_scopes_and_without_any_it_has_all() -> None:
    found = grants_of(["s3cret", "for-the-web market", "for-the-desk  market positions account"])

    assert [(grant.token.get_secret_value(), grant.scopes) for grant in found] == [
        ("s3cret", None),
        ("for-the-web", {"market"}),
        ("for-the-desk", {"market", "positions", "account"}),
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            "one, other prices",
            "entry 2: 'prices' is not a scope: a token may be followed by market",
        ),
        ("one Market", "entry 1: 'Market' is not a scope"),
        ("one s3cret-two", "entry 1: a word that is not shown here is not a scope"),
        ("one correcthorsebatterystaple", "entry 1: a word that is not shown here is not a scope"),
        ("one, two market, one orders", "entry 3 has the token of an earlier entry"),
        ("one, one", "entry 2 has the token of an earlier entry"),
        ("one, market positions", "entry 2 begins with the scope market: write the token before"),
    ],
)
def test_a_wrong_entry_stops_the_start_and_no_token_is_shown(
    monkeypatch: pytest.MonkeyPatch, given: str, says: str
) -> None:
    monkeypatch.setenv("API_TOKEN", given.replace("one", "hush-one"))

    with pytest.raises(SettingsError) as refusal:
        GatewaySettings.load()

    [line] = str(refusal.value).splitlines()
    assert line.startswith(f"API_TOKEN: {says}")
    assert "hush" not in line
    assert "s3cret" not in line
    assert "horse" not in line


def test_no_token_is_in_what_the_settings_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hush-token market")

    assert "hush" not in repr(GatewaySettings.load())
    assert "market" in repr(GatewaySettings.load())
