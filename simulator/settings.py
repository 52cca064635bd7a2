"""The settings of a simulator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.account.ledger import CASH, CRYPTO_FEE, HOLDINGS, Holding
from simulator.capture.settings import CaptureSettings
from simulator.protocol.option_feeds import OPTION_CHANNELS, option_feeds
from simulator.protocol.subscription import CRYPTO_FEEDS, IEX, NEWS, SIP, TEST, Feed
from simulator.streams.session import Terms
from simulator.tape.hours import AlwaysOpen, MarketHours
from simulator.tape.recording import SHIPPED, DailyBar
from simulator.tape.shift import SHIFTS, Shift

PLAN_LIMITS: Final[Mapping[str, int | None]] = {"basic": 30, "plus": None}
"""The number of symbols, counted over trades and quotes, that a plan allows; None = no limit."""


@dataclass(frozen=True)
class SimulatorSettings:
    """The settings. `port` 0 chooses a free one; `tape` None replays nothing.

    `replay`: a capture that is served in the place of tape, account and market.
    `crypto_tape` is the tape of pairs, see `simulator/crypto/book_tape.py`; None replays none.
    `crypto_symbol_limit` None means no limit.
    `option_tape` is replayed on the streams of options, `option_chains` are REST's recorded
    contracts, see `simulator/options/recording.py` for the shipped ones. `option_limits` maps
    `quotes` or `trades` to the number of contracts that may be subscribed; by default the plan's
    for quotes, and none for trades.
    `repeat_ids`: ids that the tape lacks repeat as Alpaca's do, see `simulator/tape/trade_ids.py`.
    `shift`: by what the tape's times are moved to now at speed 1, see `simulator/tape/shift.py`.
    `history`: REST has bars from before the tape, recorded and invented, see
    `simulator/tape/history.py`.
    `invents`: stocks and pairs that are on no tape have invented trades and quotes, see
    `simulator/tape/inventor.py`; but not `assets`, and nothing beside a capture.
    `ping_seconds` is both the time between pings and the time limit of a pong.
    `symbol_limit` None means the plan's own. `outbox_bytes` is the backlog at which a client
    gets 407. `news` False removes the news stream from the plan.

    `previous_daily_bars` maps a symbol to the bars of the trading days before, oldest first,
    instead of those in the tape's sidecar. `splits` maps a symbol to the number of new shares
    today for each of yesterday's. `positions` and `cash` are those at the start of the day.
    `assets` are further stocks that Alpaca lists, with no data; `overnight_halted` are the symbols
    that its assets show as halted in the overnight session.
    `crypto_fee` is a fraction: of the coins of a purchase, of the dollars of a sale.
    `is_position_qty_net` False: updates state the position after a purchase before its fee.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tape: Path | None = SHIPPED
    replay: CaptureSettings | None = None
    crypto_tape: Path | None = None
    option_tape: Path | None = None
    option_chains: Sequence[Path] = ()
    speed: float = 1.0
    loop: bool = True
    repeat_ids: bool = False
    shift: Shift = "minutes"
    history: bool = False
    invents: bool = False
    plan: str = "basic"
    symbol_limit: int | None = None
    crypto_symbol_limit: int | None = None
    option_limits: Mapping[str, int] = field(default_factory=dict)
    ghost_seconds: float = 0.0
    auth_timeout_seconds: float = 10.0
    ping_seconds: float = 20.0
    test_interval_seconds: float = 1.0
    key: str = DEFAULT_KEY
    secret: str = field(default=DEFAULT_SECRET, repr=False)
    hours: MarketHours = field(default_factory=AlwaysOpen)
    outbox_bytes: int = 8 * 1024 * 1024
    requests_per_minute: int = 200
    news: bool = True
    previous_daily_bars: Mapping[str, Sequence[DailyBar]] = field(default_factory=dict)
    splits: Mapping[str, float] = field(default_factory=dict)
    assets: Sequence[str] = ()
    overnight_halted: Sequence[str] = ()
    positions: Sequence[Holding] = HOLDINGS
    cash: Decimal = CASH
    crypto_fee: Decimal = CRYPTO_FEE
    is_position_qty_net: bool = True

    def __post_init__(self) -> None:
        if self.plan not in PLAN_LIMITS:
            raise ValueError(f"plan is {self.plan!r}, expected one of {', '.join(PLAN_LIMITS)}")
        if self.shift not in SHIFTS:
            raise ValueError(f"shift is {self.shift!r}, expected one of {', '.join(SHIFTS)}")
        if not 0 <= self.port < 65536:
            raise ValueError(f"port is {self.port}, expected 0 to 65535")
        if not 0 < self.speed < float("inf"):
            raise ValueError(f"speed is {self.speed}, expected a number above 0")
        self._check_replay()
        if not 0 <= self.crypto_fee < 1:
            raise ValueError(f"crypto_fee is {self.crypto_fee}, expected 0 or more, below 1")
        for symbol, ratio in self.splits.items():
            if not 0 < ratio < float("inf"):
                raise ValueError(f"splits of {symbol} is {ratio}, expected a number above 0")
        for channel, limit in self.option_limits.items():
            if channel not in OPTION_CHANNELS or limit < 0:
                raise ValueError(
                    f"option_limits has {channel}: {limit}, expected 0 or more for any of "
                    f"{', '.join(OPTION_CHANNELS)}"
                )

    def _check_replay(self) -> None:
        if self.replay is not None and self.replay.shift != "none" and self.speed != 1:
            raise ValueError(
                f"speed is {self.speed} and shift {self.replay.shift!r}: the times of a capture "
                "can be moved to now at speed 1 only"
            )

    @property
    def terms(self) -> Terms:
        """The one user that the simulator knows."""
        limit = PLAN_LIMITS[self.plan] if self.symbol_limit is None else self.symbol_limit
        return Terms(self.key, self.secret, self.plan, limit)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The endpoints of market data."""
        news = NEWS if self.news else replace(NEWS, plans=frozenset())
        limit = self.crypto_symbol_limit
        crypto = (replace(feed, symbol_limit=limit) for feed in CRYPTO_FEEDS)
        return IEX, SIP, TEST, news, *crypto, *option_feeds(self.plan, self.option_limits)
