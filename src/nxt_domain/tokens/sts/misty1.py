"""EA 11: MISTY1 (RFC 2994), eight rounds on 64 bits under a 128-bit key [STS-43 to STS-50]."""

from __future__ import annotations

from typing import Final

from nxt_domain.tokens.sts.misty1_boxes import S7, S9

_HALF: Final = 0xFFFFFFFF


class Misty1:
    """The cipher under one decoder key.

    Args:
        key: 128 bits.
    """

    def __init__(self, key: int) -> None:
        words = [key >> shift & 0xFFFF for shift in range(112, -1, -16)]
        mixed = [_fi(word, words[(place + 1) % 8]) for place, word in enumerate(words)]
        # Doubled, so that the schedule's sums of indices need no modulus.
        self._key = tuple(words) * 2
        self._mixed = tuple(mixed) * 2

    @property
    def mixed_key(self) -> tuple[int, ...]:
        """The eight words K′ [STS-45]."""
        return self._mixed[:8]

    def encrypt(self, block: int) -> int:
        """Turn a block of 64 bits into its cipher text [STS-48]."""
        left, right = block >> 32, block & _HALF
        for number in range(0, 8, 2):
            left = self._fl(left, number)
            right = self._fl(right, number + 1) ^ self._fo(left, number)
            left ^= self._fo(right, number + 1)
        return self._fl(right, 9) << 32 | self._fl(left, 8)

    def decrypt(self, block: int) -> int:
        """Turn a cipher text back into the block."""
        right, left = self._fl_inverse(block >> 32, 9), self._fl_inverse(block & _HALF, 8)
        for number in range(6, -1, -2):
            left ^= self._fo(right, number + 1)
            right = self._fl_inverse(right ^ self._fo(left, number), number + 1)
            left = self._fl_inverse(left, number)
        return left << 32 | right

    def _fo(self, word: int, number: int) -> int:
        """[STS-46]."""
        key, mixed = self._key, self._mixed
        low = word & 0xFFFF
        high = _fi(word >> 16 ^ key[number], mixed[number + 5]) ^ low
        low = _fi(low ^ key[number + 2], mixed[number + 1]) ^ high
        high = _fi(high ^ key[number + 7], mixed[number + 3]) ^ low
        return (low ^ key[number + 4]) << 16 | high

    def _fl(self, word: int, number: int) -> int:
        """[STS-47]."""
        and_key, or_key = self._fl_keys(number)
        low = word & 0xFFFF ^ word >> 16 & and_key
        return (word >> 16 ^ (low | or_key)) << 16 | low

    def _fl_inverse(self, word: int, number: int) -> int:
        and_key, or_key = self._fl_keys(number)
        low = word & 0xFFFF
        high = word >> 16 ^ (low | or_key)
        return high << 16 | low ^ high & and_key

    def _fl_keys(self, number: int) -> tuple[int, int]:
        half = number // 2
        if number % 2 == 0:
            return self._key[half], self._mixed[half + 6]
        return self._mixed[half + 2], self._key[half + 4]


def _fi(word: int, key: int) -> int:
    """[STS-44]: nine bits and seven bits through their boxes, twice and once."""
    low = word & 127
    high = S9[word >> 7] ^ low
    low = S7[low] ^ high & 127 ^ key >> 9
    return low << 9 | S9[high ^ key & 511] ^ low
