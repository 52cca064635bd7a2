"""The parts of a msgpack array or map as bytes, found with no recursion.

msgspec recurses at each level of nesting, also in a field that it only skips, and raises
``RecursionError`` at a depth of about a thousand. Source: https://github.com/msgpack/msgpack,
``spec.md``.
"""

LARGEST_BYTES = 256 * 1024
"""A larger value is not searched: at a tenth of a microsecond a byte, others would wait for it."""

# fmt: off
_FIXED_BYTES = {
    0xC0: 1, 0xC2: 1, 0xC3: 1,  # nil, false, true
    0xCA: 5, 0xCB: 9,  # floats
    0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9,  # unsigned integers
    0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9,  # signed integers
    0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18,  # short extensions
}
"""The bytes of a value by its first one."""

_LENGTH_BYTES = {
    0xC4: (1, 2), 0xC5: (2, 3), 0xC6: (4, 5),  # binary
    0xC7: (1, 3), 0xC8: (2, 4), 0xC9: (4, 6),  # extensions, with a byte for their type
    0xD9: (1, 2), 0xDA: (2, 3), 0xDB: (4, 5),  # text
}
"""The bytes of the length, and those before the content, by the first one."""
# fmt: on

_ARRAYS, _MAPS = {0xDC: 2, 0xDD: 4}, {0xDE: 2, 0xDF: 4}


def array_items(data: bytes) -> list[bytes]:
    """Return the items of an array, each as it is encoded.

    Raises:
        ValueError: it is no array, is cut off, or is larger than ``LARGEST_BYTES``.
    """
    at, count = _opened(data, 0x90, _ARRAYS, "array")
    return _items(data, at, count)


def map_items(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the keys and values of a map, each as it is encoded.

    Raises:
        ValueError: it is no map, is cut off, or is larger than ``LARGEST_BYTES``.
    """
    at, count = _opened(data, 0x80, _MAPS, "map")
    items = _items(data, at, 2 * count)
    return list(zip(items[::2], items[1::2], strict=True))


def _opened(data: bytes, fixed: int, longer: dict[int, int], what: str) -> tuple[int, int]:
    """Return the position of a container's first item, and its number of items."""
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"{len(data)} bytes are more than are searched for their parts")
    first = data[0] if data else 0xC1
    if first & 0xF0 == fixed:
        return 1, first & 0x0F
    if first not in longer:
        raise ValueError(f"the first byte 0x{first:02x} starts no {what}")
    at = 1 + longer[first]
    return at, int.from_bytes(data[1:at], "big")


def _items(data: bytes, at: int, count: int) -> list[bytes]:
    # Each item has a byte at least. A count may claim four thousand million of them.
    if count > len(data) - at:
        raise ValueError(f"{count} items do not fit into {len(data)} bytes")
    items = []
    for _ in range(count):
        end = _end(data, at)
        items.append(data[at:end])
        at = end
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes follow the last item")
    return items


def _end(data: bytes, at: int) -> int:
    """Return the position after the value that starts at a position."""
    due = 1
    while due:
        if due > len(data) - at:
            raise ValueError("the bytes end within a value")
        due -= 1
        first = data[at]
        # Integers of one byte, then the short forms of maps, arrays and texts.
        if first < 0x80 or first >= 0xE0:
            at += 1
        elif first < 0x90:
            due, at = due + 2 * (first & 0x0F), at + 1
        elif first < 0xA0:
            due, at = due + (first & 0x0F), at + 1
        elif first < 0xC0:
            at += 1 + (first & 0x1F)
        elif first in _FIXED_BYTES:
            at += _FIXED_BYTES[first]
        else:
            more, at = _long_form(data, at, first)
            due += more
    if at > len(data):
        raise ValueError("the bytes end within a value")
    return at


def _long_form(data: bytes, at: int, first: int) -> tuple[int, int]:
    """Return the number of values that follow, and the position of the first of them."""
    if first in _ARRAYS:
        return _integer(data, at + 1, _ARRAYS[first]), at + 1 + _ARRAYS[first]
    if first in _MAPS:
        return 2 * _integer(data, at + 1, _MAPS[first]), at + 1 + _MAPS[first]
    if first in _LENGTH_BYTES:
        size, before = _LENGTH_BYTES[first]
        return 0, at + before + _integer(data, at + 1, size)
    raise ValueError(f"the byte 0x{first:02x} starts no value")


def _integer(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
