"""The standard transfer algorithm bit by bit, and what stands around it in a token [STS-28 to STS-32, STS-40]."""

from collections.abc import Callable

_SUBSTITUTES = (
    (14, 10, 7, 9, 12, 3, 2, 5, 13, 0, 15, 1, 4, 8, 6, 11),
    (12, 8, 2, 13, 7, 6, 1, 3, 11, 5, 9, 15, 0, 4, 10, 14),
)
# fmt: off
_PLACES = (
    55, 42, 10, 18, 24, 21, 44, 35,  2, 22, 56, 43, 27, 58,  9, 50,
     6, 36, 12, 61, 37, 38, 53, 16, 62,  3,  7,  4, 32, 20, 63, 25,
    51, 52, 54, 33, 49, 19, 46, 29, 48, 31, 23, 30, 41, 28, 13,  5,
    40, 60, 39, 11, 15, 17,  1,  0, 57, 34, 59,  8, 47, 14, 45, 26,
)
# fmt: on
_ROUNDS = 16
_BITS = 64
_MASK = 2**_BITS - 1
_CLASS_BITS = 3 << 27


def seal(token_class: int, body: int, key: int) -> str:
    """Return the 20 digits of a body of 48 bits; class 1 stays in clear."""
    block = body << 16 | checksum(token_class, body)
    if token_class != 1:
        block = _encrypted(block, key)
    number = (block & ~_CLASS_BITS) | token_class << 27 | (block >> 27 & 3) << _BITS
    return str(number).rjust(20, "0")


def unseal(digits: str, key: int) -> tuple[int, int] | str:
    """Return class and body of a token, or the reason why it has none: ``FORMAT``, ``UNSUPPORTED``, ``CRC``."""
    if len(digits) != 20 or not (digits.isascii() and digits.isdecimal()) or int(digits) >= 2**66:
        return "FORMAT"
    number = int(digits)
    token_class = number >> 27 & 3
    if token_class == 3:
        return "UNSUPPORTED"
    block = (number & _MASK & ~_CLASS_BITS) | (number >> _BITS) << 27
    if token_class != 1:
        block = _decrypted(block, key)
    body = block >> 16
    return (token_class, body) if block & 0xFFFF == checksum(token_class, body) else "CRC"


def checksum(token_class: int, body: int) -> int:
    """Return the CRC over class and body, low octet first."""
    register = 0xFFFF
    for octet in (token_class << 48 | body).to_bytes(7, "big"):
        register ^= octet
        for _ in range(8):
            is_odd = register % 2
            register //= 2
            if is_odd:
                register ^= 0xA001
    return register % 256 * 256 + register // 256


def _encrypted(block: int, key: int) -> int:
    for round_key in _round_keys(key):
        block = _moved(_substituted(block, round_key, lambda box, nibble: box[nibble]), _PLACES)
    return block


def _decrypted(block: int, key: int) -> int:
    back = [_PLACES.index(place) for place in range(_BITS)]
    for round_key in reversed(_round_keys(key)):
        block = _substituted(_moved(block, back), round_key, lambda box, nibble: box.index(nibble))
    return block


def _round_keys(key: int) -> list[int]:
    inverted = key ^ _MASK
    keys = [inverted >> 12 | inverted << (_BITS - 12) & _MASK]
    while len(keys) < _ROUNDS:
        keys.append(keys[-1] << 1 & _MASK | keys[-1] >> (_BITS - 1))
    return keys


def _substituted(block: int, round_key: int, choose: Callable[[tuple[int, ...], int], int]) -> int:
    result = 0
    for start in range(0, _BITS, 4):
        box = _SUBSTITUTES[round_key >> (start + 3) & 1]
        result |= choose(box, block >> start & 15) << start
    return result


def _moved(block: int, places: "tuple[int, ...] | list[int]") -> int:
    return sum((block >> bit & 1) << place for bit, place in enumerate(places))
