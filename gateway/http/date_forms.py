"""The form of dates as parameters, for readers of the OpenAPI document; other code decides."""

_YEAR, _LEAP = r"(19[7-9]\d|2\d{3})", r"(19([79][26]|8[048])|2\d(0[48]|[2468][048]|[13579][26]))"
_MONTH_AND_DAY = (
    r"((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
)

DATE = rf"({_YEAR}-{_MONTH_AND_DAY}|{_LEAP}-02-29)"
"""A date from 1970 to 2999, as 2026-12-18."""
