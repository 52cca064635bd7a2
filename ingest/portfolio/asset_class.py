"""The kinds of assets in an account, by the names that events use."""

from decimal import Decimal

US_EQUITY = "us_equity"
US_OPTION = "us_option"
CRYPTO = "crypto"

OPTION_MULTIPLIER = Decimal(100)
"""The shares behind one option, unless its contract was adjusted."""
