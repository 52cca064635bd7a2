"""The entries of ``API_TOKEN``: a token each, and after it what it is good for."""

import hashlib

import pytest

from gateway.settings import GatewaySettings
from gateway.wire.grant import digest_of, grants_of
from shared.settings import SettingsError


def test_an_entry_is_a_token_and_its_scopes_and_without_any_it_has_all() -> None:
    found = grants_of(["s3cret", "for-the-web market", "for-the-desk  market positions account"])

    assert [(grant.digest, grant.scopes) for grant in found] == [
        (digest_of(b"s3cret"), None),
        (digest_of(b"for-the-web"), {"market"}),
        (digest_of(b"for-the-desk"), {"market", "positions", "account"}),
    ]


def test_a_hash_stands_for_its_token_and_only_the_hash_is_kept() -> None:
    [plain] = grants_of(["s3cret market"])
    [hashed] = grants_of([f"sha256:{hashlib.sha256(b's3cret').hexdigest()} market"])

    assert plain[:2] == hashed[:2]
    assert "s3cret" not in repr(plain)
    with pytest.raises(ValueError, match="entry 2 has the token of an earlier entry"):
        grants_of(["s3cret", f"sha256:{plain.digest.hex()}"])


@pytest.mark.parametrize("digest", ["", "12", "g" * 64, "0" * 63, "0" * 65])
def test_what_is_no_hash_is_refused_and_not_shown(digest: str) -> None:
    with pytest.raises(ValueError, match="entry 1 begins with sha256: but is not") as refused:
        grants_of([f"sha256:{digest} market"])

    assert len(digest) < 3 or digest not in str(refused.value)


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
