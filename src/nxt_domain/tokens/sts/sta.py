"""EA 07, the standard transfer algorithm: 16 rounds of substitution and permutation on 64 bits [STS-40, STS-41].

A table entry holds what one octet of the block becomes, substituted and already permuted, so that a round is eight
look-ups. The tables (three times 8192 numbers) are made at the first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

S0: Final = (14, 10, 7, 9, 12, 3, 2, 5, 13, 0, 15, 1, 4, 8, 6, 11)
S1: Final = (12, 8, 2, 13, 7, 6, 1, 3, 11, 5, 9, 15, 0, 4, 10, 14)
# fmt: off
P: Final = (
    55, 42, 10, 18, 24, 21, 44, 35,  2, 22, 56, 43, 27, 58,  9, 50,
     6, 36, 12, 61, 37, 38, 53, 16, 62,  3,  7,  4, 32, 20, 63, 25,
    51, 52, 54, 33, 49, 19, 46, 29, 48, 31, 23, 30, 41, 28, 13,  5,
    40, 60, 39, 11, 15, 17,  1,  0, 57, 34, 59,  8, 47, 14, 45, 26,
)
# fmt: on
_ROUNDS: Final = 16
_ALL: Final = (1 << 64) - 1
_SAME: Final = tuple(range(16))
_NAMED_BY: Final = bytes((octet >> 7) << 1 | octet >> 3 & 1 for octet in range(256))

_Table = tuple[int, ...]
_Round = tuple[_Table, _Table, _Table, _Table, _Table, _Table, _Table, _Table]


class StandardTransfer:
    """The cipher under one decoder key.

    Args:
        key: 64 bits.
    """

    def __init__(self, key: int) -> None:
        self._working_key = _rotated_left(~key & _ALL, 52)
        self._forward: Sequence[_Round] | None = None
        self._backward: Sequence[_Round] | None = None

    def encrypt(self, block: int) -> int:
        """Turn a block of 64 bits into its cipher text."""
        if self._forward is None:
            self._forward = [_chosen(_forward(), word) for word in self._round_keys()]
        return _through(self._forward, block)

    def decrypt(self, block: int) -> int:
        """Turn a cipher text back into the block.

        Each inverse permutation is joined with the inverse substitution before it: one permutation stands alone at the
        start, one substitution at the end.
        """
        if self._backward is None:
            first, *rest = list(self._round_keys())
            joined = (_chosen(_backward(), word) for word in reversed(rest))
            self._backward = [_chosen(_inverse_permutation(), 0), *joined, _chosen(_inverse_substitution(), first)]
        return _through(self._backward, block)

    def _round_keys(self) -> Sequence[int]:
        twice = self._working_key << 64 | self._working_key
        return [twice >> 64 - places & _ALL for places in range(_ROUNDS)]


def _through(rounds: Sequence[_Round], block: int) -> int:
    for t7, t6, t5, t4, t3, t2, t1, t0 in rounds:
        b7, b6, b5, b4, b3, b2, b1, b0 = block.to_bytes(8, "big")
        block = t7[b7] | t6[b6] | t5[b5] | t4[b4] | t3[b3] | t2[b2] | t1[b1] | t0[b0]
    return block


def _chosen(tables: Sequence[Sequence[_Table]], round_key: int) -> _Round:
    """Take, for each octet from the highest, the table that the key's bits 3 and 7 of that octet name.

    Most ciphers encrypt one block of one meter, so this is most of their work: it is written out.
    """
    k7, k6, k5, k4, k3, k2, k1, k0 = round_key.to_bytes(8, "big").translate(_NAMED_BY)
    t0, t1, t2, t3, t4, t5, t6, t7 = tables
    return t7[k7], t6[k6], t5[k5], t4[k4], t3[k3], t2[k2], t1[k1], t0[k0]


def _tables(boxes: tuple[Sequence[int], Sequence[int]], permutation: Sequence[int]) -> Sequence[Sequence[_Table]]:
    """Make the tables by place of the octet (0 is the lowest) and the key's two bits (high nibble's first)."""
    moved = [_moved(nibble, box, permutation) for nibble in range(16) for box in boxes]
    return [
        [
            tuple(high | low for high in moved[4 * place + 2 + bits // 2] for low in moved[4 * place + bits % 2])
            for bits in range(4)
        ]
        for place in range(8)
    ]


def _moved(nibble: int, box: Sequence[int], permutation: Sequence[int]) -> Sequence[int]:
    """Return, for each value of a nibble, its substitute with all bits where the permutation sends them."""
    return [sum(1 << permutation[4 * nibble + bit] for bit in range(4) if substitute >> bit & 1) for substitute in box]


@cache
def _forward() -> Sequence[Sequence[_Table]]:
    return _tables((S0, S1), P)


@cache
def _backward() -> Sequence[Sequence[_Table]]:
    return _tables((_inverse(S0), _inverse(S1)), _inverse(P))


@cache
def _inverse_permutation() -> Sequence[Sequence[_Table]]:
    return _tables((_SAME, _SAME), _inverse(P))


@cache
def _inverse_substitution() -> Sequence[Sequence[_Table]]:
    return _tables((_inverse(S0), _inverse(S1)), range(64))


def _inverse(permutation: Sequence[int]) -> Sequence[int]:
    return [permutation.index(value) for value in range(len(permutation))]


def _rotated_left(word: int, places: int) -> int:
    return (word << places | word >> (64 - places)) & _ALL
