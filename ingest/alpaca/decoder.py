"""Decoding frames of messages; one by one if a message of the frame is malformed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from ingest.alpaca.msgpack_parts import array_items, map_items
from ingest.alpaca.tolerant import UNDECODABLE, bounded, read_fields
from ingest.alpaca.unreadable import BadFrameError, LostFields, Malformed, Unknown

_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_split_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode


class FrameDecoder:
    """Decodes the frames of one kind of stream.

    ``data`` are the types of its data messages, ``control`` those of its answers; each has its tag.
    ``whole``: tags of which a message that lacks a field is of no use.
    """

    def __init__(
        self,
        data: Sequence[type[msgspec.Struct]],
        control: Sequence[type[msgspec.Struct]],
        *,
        whole: Collection[str] = (),
    ) -> None:
        known: Any = reduce(or_, [*data, *control])
        self._decode_frame = msgspec.msgpack.Decoder(list[known]).decode
        self._decode_one = msgspec.msgpack.Decoder(known).decode
        self._tags = {str(each.__struct_config__.tag) for each in (*data, *control)}
        self._data = {str(each.__struct_config__.tag): each for each in data}
        self._whole = frozenset(whole)

    def decode(self, frame: bytes | str) -> list[Any]:
        """Return the messages of a frame; ``Unknown``, ``Malformed`` and ``LostFields`` among them.

        Raises:
            BadFrameError: it is not a msgpack array.
        """
        if isinstance(frame, str):
            raise BadFrameError(f"{len(frame)} characters of text where msgpack was requested")
        try:
            return self._decode_frame(frame)
        except UNDECODABLE:  # one of the messages is unknown or malformed; decode the others
            pass
        return [message for raw in _parts(frame) for message in self._one(raw)]

    def _one(self, raw: bytes) -> Iterator[Any]:
        """Decode a message; the fields that it lacks follow it."""
        try:
            yield self._decode_one(raw)
        except UNDECODABLE as error:
            yield from self._tolerantly(raw, bounded(error))

    def _tolerantly(self, raw: bytes, problem: str) -> Iterator[Any]:
        try:
            fields = _fields(raw)
        except ValueError:  # no map
            yield Malformed("", problem)
            return
        kind = _text(fields.get("T"))
        if kind is None:
            yield Malformed("", "no T that is text")
            return
        if kind not in self._data:
            yield Malformed(kind, problem) if kind in self._tags else Unknown(kind)
            return
        symbol = _text(fields.get("S")) or ""
        try:
            message, lost = read_fields(self._data[kind], fields, _value)
        except ValueError as error:
            yield Malformed(kind, bounded(error), symbol)
            return
        problems = bounded("; ".join(lost))
        if lost and kind in self._whole:
            yield Malformed(kind, problems, symbol)
            return
        yield message
        if lost:
            yield LostFields(kind, problems)


def _parts(frame: bytes) -> list[bytes]:
    """Return the messages of a frame, each as it is encoded.

    Raises:
        BadFrameError: it is not a msgpack array.
    """
    try:
        try:
            return [bytes(raw) for raw in _split(frame)]
        except RecursionError:  # in one of the messages: the others count
            return array_items(frame)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadFrameError(f"{len(frame)} bytes that are no array of messages: {error}") from error


def _fields(raw: bytes) -> Mapping[str, bytes]:
    """Return the fields of a message by name, each as it is encoded.

    Raises:
        ValueError: it is no map.
    """
    try:
        return _split_fields(raw)
    except UNDECODABLE:
        pass
    # A field is nested too deeply, or a name is no text.
    named = ((_text(key), value) for key, value in map_items(raw))
    return {name: value for name, value in named if name is not None}


def _text(raw: bytes | None) -> str | None:
    """Return a value that is text, otherwise None."""
    try:
        return None if raw is None else msgspec.msgpack.decode(raw, type=str)
    except UNDECODABLE:
        return None


def _value(raw: Any, form: Any, /) -> Any:
    return msgspec.msgpack.decode(raw, type=form)
