"""The account's keys, made unreadable before anything is written. No I/O.

Each secret is replaced by as many ``*``: the lengths in a msgpack frame stay right.
"""

import json
from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from ingest.capture.record import Record

SECRET_CHARACTERS = 8
"""A shorter key is no secret, and may be a part of a price. What the ingest has sent is masked even
of that."""


class Mask:
    """Masks these secrets, also as JSON and URLs spell them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: one secret may be a part of another.
        forms = {
            form
            for secret in secrets
            if secret
            for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe=""))
        }
        self._all = _pairs(forms)
        self._long = _pairs(form for form in forms if len(form) >= SECRET_CHARACTERS)

    def masked(self, record: Record) -> Record:
        """Return a record with all secrets masked: the same one if it has none."""
        pairs = self._all if record.kind == "sent" else self._long
        changes: dict[str, str | bytes] = {}
        for name in ("text", "base64", "path", "reason"):
            value: str | bytes | None = getattr(record, name)
            if value is not None and (hidden := _hidden(value, pairs)) != value:
                changes[name] = hidden
        return msgspec.structs.replace(record, **changes) if changes else record


_Pair = tuple[str, str, bytes, bytes]
"""A secret and its mask, as text and as bytes."""


def _pairs(forms: Iterable[str]) -> list[_Pair]:
    longest_first = sorted(forms, key=len, reverse=True)
    return [
        (form, "*" * len(form), form.encode(), b"*" * len(form.encode())) for form in longest_first
    ]


def _hidden(value: str | bytes, pairs: Iterable[_Pair]) -> str | bytes:
    for text, text_mask, raw, raw_mask in pairs:
        value = (
            value.replace(text, text_mask)
            if isinstance(value, str)
            else value.replace(raw, raw_mask)
        )
    return value
