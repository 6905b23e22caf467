"""The simulated meter's own reading of standard tokens: a second implementation, held against the vectors."""

from __future__ import annotations

import random
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sts_vectors import keys, rows, timed_token

from nxt_domain.tokens.sts import (
    DecoderKey,
    MeterKey,
    TimedToken,
    TokenType,
    encode,
    encode_kwh,
    encode_power_limit,
    key_change_tokens,
    meter_test,
)
from nxt_entrypoints.simulators.chirpstack import frames
from nxt_entrypoints.simulators.sts.cipher import checksum, seal, unseal
from nxt_entrypoints.simulators.sts.meter import Judgement, StsMemory, judge

KEY = "0123456789ABCDEF"
MEMORY = StsMemory(key=KEY)
DOMAIN_KEY = DecoderKey.parse(KEY)
NUMBER = "47003333771"


def token(kind: TokenType = TokenType.CREDIT_ELECTRICITY, field: int = 5, tid: int = 5_366_070) -> str:
    return encode(TimedToken(kind=kind, nonce=3, tid=tid, field=field), DOMAIN_KEY)


def told(digits: str, memory: StsMemory = MEMORY, credit: str = "0") -> Judgement:
    return judge(memory, digits, Decimal(credit))


class TestTwoImplementations:
    def test_sts_79_vectors_of_ea_07(self) -> None:
        """Written and read by the plain cipher."""
        mine = [row for row in rows("timed") if keys()[row["key"]].row["ea"] == "07"]
        assert len(mine) > 100
        for row in mine:
            key, fields = int(row_key(row), 16), timed_token(row)
            assert seal(fields.kind.token_class, fields.body, key) == row["token"]
            assert unseal(row["token"], key) == (fields.kind.token_class, fields.body)

    def test_sts_28_checksum(self) -> None:
        assert checksum(0, 0x0B19EB230100) == 0xC207

    @given(key=st.binary(min_size=8, max_size=8), tid=st.integers(0, 0xFFFFFF), field=st.integers(0, 0xFFFF))
    def test_they_agree(self, key: bytes, tid: int, field: int) -> None:
        """The domain writes, the simulator reads."""
        made = TimedToken(kind=TokenType.CREDIT_ELECTRICITY, nonce=7, tid=tid, field=field)
        assert unseal(encode(made, DecoderKey(key)), int.from_bytes(key, "big")) == (0, made.body)


def row_key(row: object) -> str:
    return keys()[row["key"]].row["decoder_key"]  # type: ignore[index]  # a row of the vectors


class TestJudgement:
    """[STS-59] In its order; a refused token changes nothing."""

    def test_a_credit(self) -> None:
        made = told(token(field=encode_kwh(Decimal("1638.5"))))
        assert (made.result, made.energy_kwh, made.memory.tids) == ("ACCEPTED", Decimal("1639.4"), (5_366_070,))

    def test_effects_of_the_others(self) -> None:
        assert told(token(TokenType.POWER_LIMIT, encode_power_limit(5000))).power_limit_w == 5000
        assert told(token(TokenType.CLEAR_CREDIT, 0)).clears_credit
        assert told(token(TokenType.CLEAR_CREDIT, 0xFFFF)).clears_credit
        assert told(token(TokenType.CLEAR_TAMPER, 0)).clears_tamper
        assert told(encode(meter_test(0))) == Judgement(result="ACCEPTED", memory=MEMORY)

    @pytest.mark.parametrize(
        ("digits", "memory", "credit", "result"),
        [
            ("1" * 19, MEMORY, "0", "FORMAT"),
            ("9" * 20, MEMORY, "0", "FORMAT"),
            (token()[:-1] + str((int(token()[-1]) + 1) % 10), MEMORY, "0", "CRC"),
            (token(), attrs.evolve(MEMORY, key="F" * 16), "0", "CRC"),
            (token(TokenType.CREDIT_WATER), MEMORY, "0", "UNSUPPORTED"),
            (token(), attrs.evolve(MEMORY, key_type=1), "0", "DDTK"),
            (token(), attrs.evolve(MEMORY, key_expiry=80), "0", "KEY_EXPIRED"),
            (token(), attrs.evolve(MEMORY, tids=(5_366_070,)), "0", "USED"),
            (token(), attrs.evolve(MEMORY, tids=(5_366_071, 5_366_072), size=2), "0", "OLD"),
            (token(TokenType.CLEAR_CREDIT, 1), MEMORY, "0", "RANGE"),
            (token(TokenType.CLEAR_TAMPER, 1), MEMORY, "0", "RANGE"),
            (token(), MEMORY, "999999.5", "OVERFLOW"),
        ],
    )
    def test_refusals(self, digits: str, memory: StsMemory, credit: str, result: str) -> None:
        made = told(digits, memory, credit)
        assert (made.result, made.memory) == (result, memory)
        assert not made.is_accepted
        assert (made.energy_kwh, made.power_limit_w, made.clears_credit) == (0, None, False)

    def test_sts_16_another_nonce_of_the_same_minute_is_used(self) -> None:
        memory = told(token()).memory
        other = encode(TimedToken(kind=TokenType.POWER_LIMIT, nonce=9, tid=5_366_070, field=1), DOMAIN_KEY)
        assert told(other, memory).result == "USED"

    def test_a_full_store_forgets_its_smallest(self) -> None:
        memory = attrs.evolve(MEMORY, size=20)
        for tid in range(100, 125):
            memory = told(token(tid=tid), memory).memory
        assert memory.tids == tuple(range(105, 125))
        assert told(token(tid=104), memory).result == "OLD"
        assert told(token(tid=110), memory).result == "USED"

    def test_a_token_from_the_future_is_taken(self) -> None:
        assert told(token(tid=0xFFFFFF)).is_accepted

    def test_a_random_token_never_counts(self) -> None:
        dice = random.Random(59)
        results = [told(f"{dice.randrange(2**66):020d}").is_accepted for _ in range(200)]
        assert sum(results) <= 1


class TestKeyChange:
    """[STS-59, STS-38] Sections in any order; the new key works when the last one is in."""

    def change(self, *, new: str, three: bool = False) -> tuple[StsMemory, list[str], str]:
        old_key, new_key = keys()["K15"], keys()[new]
        tokens = key_change_tokens(old_key.with_expiry(255), new_key.with_expiry(170), with_supply_group=three)
        memory = StsMemory(key=old_key.row["decoder_key"], tids=(1, 2, 3))
        return memory, list(tokens), new_key.row["decoder_key"]

    def test_two_sections(self) -> None:
        memory, (first, second), new = self.change(new="K16")
        half = told(second, memory)
        assert (half.result, half.memory.key) == ("PENDING", memory.key)
        whole = told(first, half.memory)
        assert (whole.result, whole.memory.key) == ("ACCEPTED", new)
        assert (whole.memory.tariff_index, whole.memory.key_expiry) == (2, 170)
        assert whole.memory.tids == (1, 2, 3)
        assert told(first, whole.memory).result == "CRC"

    def test_three_sections_teach_the_supply_group(self) -> None:
        memory, tokens, new = self.change(new="K16", three=True)
        for digits in tokens:
            memory = told(digits, memory).memory
        assert (memory.key, memory.supply_group) == (new, 201457)

    def test_a_roll_over_forgets_the_identifiers(self) -> None:
        memory, tokens, new = self.change(new="K34")
        for digits in tokens:
            memory = told(digits, memory).memory
        assert (memory.key, memory.tids) == (new, ())

    def test_back_to_an_initialisation_key_is_refused(self) -> None:
        body = 3 << 44 | 15 << 40 | 1 << 36 | 0x12345678
        made = told(seal(2, body, int(KEY, 16)))
        assert (made.result, made.memory) == ("KEY_TYPE", MEMORY)

    def test_keys_are_hexadecimal(self) -> None:
        with pytest.raises(ValueError, match="16"):
            StsMemory(key="12")
        assert KEY not in repr(MEMORY)
        assert isinstance(keys()["K15"].with_expiry(1), MeterKey)


class TestInTheMeter:
    """The whole device: frames in, credit out."""

    def deliver(self, digits: str) -> bytes:
        return frames.build(NUMBER, frames.TOKEN, (0xA120).to_bytes(2, "little") + bytes.fromhex(digits)[::-1])

    def test_a_native_token_counts_exactly_once(self, make_meter, noon) -> None:
        """[STS-60] ``USED`` reaches the system as a token that was refused."""
        meter = make_meter(sts=MEMORY, scale=0)
        digits = token(field=encode_kwh(Decimal("12.5")))
        assert meter.receive(self.deliver(digits), noon) == frames.token_accepted(NUMBER)
        refused = meter.receive(self.deliver(digits), noon)
        assert refused == frames.refused(NUMBER, frames.TOKEN, 1)
        assert meter.state.credited_kwh_total == Decimal("12.5")
        assert (meter.state.tokens_accepted, meter.state.tokens_refused) == (1, 1)
        assert meter.state.last_verdict == "USED"

    def test_limits_clears_and_tamper(self, make_meter, noon) -> None:
        meter = make_meter(sts=MEMORY, scale=0, is_tampered=True)
        for number, (kind, field) in enumerate(
            [
                (TokenType.POWER_LIMIT, encode_power_limit(5000)),
                (TokenType.CLEAR_TAMPER, 0),
                (TokenType.CLEAR_CREDIT, 0),
            ]
        ):
            meter.receive(self.deliver(token(kind, field, tid=number)), noon)
        state = meter.state
        assert (state.power_limit_w, state.is_tampered, state.credit_kwh) == (5000, False, Decimal(0))

    def test_another_meters_token_and_a_test_token_do_nothing(self, make_meter, make_token, noon) -> None:
        meter = make_meter(sts=attrs.evolve(MEMORY, key="F" * 16), scale=0)
        for digits in (token(), make_token("5")):
            meter.receive(self.deliver(digits), noon)
        assert (meter.state.tokens_accepted, meter.state.credit_kwh) == (0, Decimal(10))
