"""The valid tokens: compared by their hashes, replaced while clients are connected."""

import pytest

from gateway.wire.grant import MAX_LENGTH, grants_of
from gateway.wire.principal import ADMIN, Principal
from gateway.wire.token_table import TokenTable


def table(*entries: str) -> TokenTable:
    return TokenTable(grants_of(entries))


def owner(tokens: TokenTable, token: str) -> Principal:
    found = tokens.principal_of(token.encode())
    assert found is not None
    return found


def test_a_token_has_its_principal_and_a_wrong_one_none() -> None:
    tokens = table("one market", "two")

    assert owner(tokens, "one").scopes == frozenset({"market"})
    assert owner(tokens, "two").scopes is None
    assert tokens.principal_of(b"on") is tokens.principal_of(b"") is None
    assert tokens.principal_of(b"one market") is None


def test_a_token_has_a_longest_form_so_that_a_strangers_costs_nothing() -> None:
    longest = "x" * MAX_LENGTH

    assert table(longest).principal_of(longest.encode()) is not None
    assert table(longest).principal_of(longest.encode() + b"x") is None
    with pytest.raises(ValueError, match="entry 2 is longer than 1024 characters"):
        grants_of(["one", longest + "x"])


def test_a_token_given_by_its_hash_has_the_same_principal() -> None:
    name = owner(table("one"), "one").name
    [grant] = grants_of(["one"])

    assert (
        owner(table(f"sha256:{grant.digest.hex()}"), "one").name == name == grant.digest.hex()[:12]
    )


def test_a_replacement_names_the_principals_that_lost_something() -> None:
    tokens = table("gone", "kept", "less market orders", "more market", "all", "some market")
    names = {name: owner(tokens, name).name for name in ("gone", "less", "all")}

    lost = tokens.replace(
        grants_of(["kept", "less market", "more market orders", "all market", "some", "new"])
    )

    assert lost == set(names.values())
    assert tokens.principal_of(b"gone") is None
    assert tokens.principal_of(b"new") is not None


def test_a_ticket_loses_what_its_token_loses_and_gains_nothing() -> None:
    tokens = table("less market orders", "more market", "gone")
    less, more, gone = (owner(tokens, each) for each in ("less", "more", "gone"))
    tokens.replace(grants_of(["less market", "more"]))

    now = tokens.present(Principal(less.name, frozenset({"orders"}), less.scopes))
    assert now == Principal(less.name, frozenset({"orders"}), frozenset({"market"}))
    assert tokens.present(more) == more
    assert tokens.present(gone) is None
    assert tokens.present(Principal("invented")) is None


def test_without_tokens_everybody_is_as_before() -> None:
    tokens = table()

    assert tokens.is_empty
    assert tokens.present(Principal("anonymous")) == Principal("anonymous")


@pytest.mark.parametrize(
    ("scopes", "operates", "sees"),
    [(None, False, True), ({"market"}, False, False), ({"admin"}, True, True)],
)
def test_only_a_token_that_names_the_scope_admin_ends_the_streams_of_others(
    scopes: set[str] | None, operates: bool, sees: bool
) -> None:
    principal = Principal("ann", scopes=None if scopes is None else frozenset(scopes))

    assert (principal.has(ADMIN), principal.sees_others) == (operates, sees)
