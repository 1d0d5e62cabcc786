"""Protobuf as bytes: a number before each field, and after it a number or so many bytes."""

from __future__ import annotations

from collections.abc import Iterator

_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_MASK = 2**64 - 1


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, in its order, each with its number."""
    place = 0
    while place < len(data):
        key, place = _read(data, place)
        kind = key & 7
        if kind == _NUMBER:
            value, place = _read(data, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _read(data, place)
        else:
            size = {_EIGHT: 8, _FOUR: 4}[kind]
        yield key >> 3, data[place : place + size]
        place += size


def numbers(data: bytes) -> dict[int, int]:
    """The fields of a message that holds nothing but numbers, and no more than 15 of them."""
    found: dict[int, int] = {}
    place = 0
    while place < len(data):
        key, value, shift = data[place] >> 3, 0, 0
        place += 1
        while (byte := data[place]) > 0x7F:
            value |= (byte & 0x7F) << shift
            shift += 7
            place += 1
        found[key] = value | byte << shift
        place += 1
    return found


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number; a negative one takes ten bytes."""
    return _written(number << 3 | _NUMBER) + _written(value & _MASK)


def bytes_field(number: int, value: bytes) -> bytes:
    """A field that holds a text or a message."""
    return _written(number << 3 | _BYTES) + _written(len(value)) + value


def _read(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7


def _written(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
