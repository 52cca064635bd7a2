"""The settings of the simulator in a chaos run: its tapes, its day before, its account."""

from collections.abc import Mapping
from decimal import Decimal

from simulator.account.ledger import Holding
from simulator.crypto.book_tape import GEMINI
from simulator.options.recording import SHIPPED_OPTION_TAPE
from simulator.service import SimulatorSettings
from simulator.tape.recording import DailyBar
from tests.chaos.markets import PAIR_CLOSES
from tests.chaos.tape import Tape

GHOST_SECONDS = 2.0

SPLIT, SPLIT_RATIO = "AIG", 4
"""A symbol that has split today, and its new shares for one old share."""

CASH = Decimal(1_000_000)
HOLDINGS = (("SPY", 120), ("IBM", -80), ("CALM", 55))
"""The positions of yesterday."""


def last_equity(closes: Mapping[str, float]) -> Decimal:
    """Return the account's value at the previous closes of its positions, in dollars."""
    return CASH + sum(Decimal(qty) * Decimal(str(closes[symbol])) for symbol, qty in HOLDINGS)


def settings(tape: Tape, closes: Mapping[str, float]) -> SimulatorSettings:
    """Return the settings; ``closes`` are the previous ones of stocks, in today's shares.

    The tape of stocks is published by hand. Those of pairs and contracts are the shipped ones.
    """
    raw = {**closes, **PAIR_CLOSES, SPLIT: closes[SPLIT] * SPLIT_RATIO}
    return SimulatorSettings(
        tape=None,
        crypto_tape=GEMINI,
        option_tape=SHIPPED_OPTION_TAPE,
        ghost_seconds=GHOST_SECONDS,
        cash=CASH,
        positions=[
            Holding(symbol, Decimal(qty), Decimal(str(tape.price(symbol))))
            for symbol, qty in HOLDINGS
        ],
        splits={SPLIT: SPLIT_RATIO},
        previous_daily_bars={
            symbol: [DailyBar(o=close, h=close, l=close, c=close, v=1000)]
            for symbol, close in raw.items()
        },
    )
