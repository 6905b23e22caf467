"""Numbers on meters, keys and their derivation, key changes [STS-7 to STS-12, STS-36 to STS-39, STS-51 to STS-56]."""

from __future__ import annotations

import json
import pickle

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sts_vectors import keys

from nxt_adapters.system.des import des_encrypt
from nxt_domain.tokens.sts import (
    Algorithm,
    BaseDate,
    CannotEncode,
    DecoderKey,
    Derivation,
    KeyChangePart,
    KeyParameters,
    KeyRequest,
    KeyType,
    MeterKey,
    MeterNumber,
    Refusal,
    TimedToken,
    TokenType,
    UnreadableToken,
    VendingKey,
    decode,
    decode_key_change,
    derive_key,
    encode,
    key_change_tokens,
)
from nxt_domain.tokens.sts.derivation import control_block, derivation_data, pan_block
from nxt_domain.tokens.sts.keys import key_type_of

TEST_METER = MeterNumber("00000000000")
V1 = VendingKey.parse("ABABABABABABABAB")
V4 = VendingKey.parse("ABABABABABABABAB949494949494949401234567")


def request(**changes: object) -> KeyRequest:
    parameters = KeyParameters(supply_group="123456", tariff_index="01", key_revision=1)
    made = KeyRequest(derivation=Derivation.DKGA_02, algorithm=Algorithm.STA, number=TEST_METER, parameters=parameters)
    return attrs.evolve(made, **changes)


class TestNumbers:
    @pytest.mark.parametrize("text", ["47001891341", "58000079523", "47500150231", "4700 1891 341"])
    def test_sts_10_valid_ones(self, text: str) -> None:
        assert MeterNumber.parse(text).is_valid

    @pytest.mark.parametrize(("text", "right"), [("12345678904", "3"), ("11111111113", "5")])
    def test_sts_10_wrong_check_digits(self, text: str, right: str) -> None:
        """[STS-9]"""
        number = MeterNumber.parse(text)
        assert (number.is_valid, number.check_digit) == (False, right)

    def test_sts_10_its_parts(self) -> None:
        short, long = MeterNumber.parse("47001891341"), MeterNumber.parse("0100000000008")
        assert (short.manufacturer, short.serial, short.issuer) == ("47", "00189134", "600727")
        assert (long.manufacturer, long.serial, long.issuer) == ("0100", "00000000", "0000")

    @pytest.mark.parametrize("text", ["", "1" * 10, "1" * 12, "1" * 14, "4700189134x", "٤٧٠٠١٨٩١٣٤١"])
    def test_sts_10_no_number(self, text: str) -> None:
        with pytest.raises(CannotEncode) as refusal:
            MeterNumber.parse(text)
        assert refusal.value.reason is Refusal.METER_NUMBER_INVALID

    @pytest.mark.parametrize(
        ("number", "pan"),
        [
            ("58000079523", "600727580000795237"),
            ("47001891341", "600727470018913412"),
            ("0100000000008", "000001000000000082"),
            ("00000000000", "600727000000000009"),
        ],
    )
    def test_sts_11_pan(self, number: str, pan: str) -> None:
        assert MeterNumber.parse(number).pan == pan
        assert MeterNumber.of_pan(pan) == MeterNumber(number)

    @pytest.mark.parametrize("pan", ["", "6" * 17, "600727580000795236", "600728580000795235", "x" * 18])
    def test_sts_11_no_pan(self, pan: str) -> None:
        with pytest.raises(CannotEncode) as refusal:
            MeterNumber.of_pan(pan)
        assert refusal.value.reason is Refusal.PAN_INVALID

    @given(st.from_regex(r"[0-9]{10}|[0-9]{12}", fullmatch=True))
    def test_sts_9_one_of_ten_digits_is_right(self, payload: str) -> None:
        """And the PAN comes back."""
        valid = [number for digit in "0123456789" if (number := MeterNumber(payload + digit)).is_valid]
        assert len(valid) == 1
        assert MeterNumber.of_pan(valid[0].pan) == valid[0]


class TestSecrecy:
    SECRET = "0123456789ABCDEF"

    def test_sts_7_only_a_fingerprint_shows(self) -> None:
        key = DecoderKey.parse(self.SECRET)
        part = KeyChangePart(section=1, content=0x0123456789A)
        for shown in (repr(key), str(key), f"{key}", repr({"key": key}), json.dumps([key], default=str), repr(part)):
            assert self.SECRET not in shown.upper()
            assert "456789A" not in shown.upper()
        assert key.fingerprint in repr(key)
        assert len(key.fingerprint) == 6

    def test_sts_7_it_leaves_the_process_in_no_form(self) -> None:
        key = DecoderKey.parse(self.SECRET)
        with pytest.raises(TypeError):
            pickle.dumps(key)
        with pytest.raises(TypeError):
            msgspec.json.encode(key)
        with pytest.raises(TypeError):
            json.dumps(key)

    def test_sts_8_trimmed_and_in_upper_case(self) -> None:
        """[STS-8]"""
        assert DecoderKey.parse(" 0123456789abcdef\n").reveal() == self.SECRET
        assert DecoderKey.parse(self.SECRET) == DecoderKey.parse(self.SECRET.lower())
        assert len({DecoderKey.parse(self.SECRET), DecoderKey.parse(self.SECRET.lower())}) == 1

    @pytest.mark.parametrize("text", [None, "", "   "])
    def test_sts_6_missing(self, text: str | None) -> None:
        with pytest.raises(CannotEncode) as refusal:
            DecoderKey.parse(text)
        assert refusal.value.reason is Refusal.DECODER_KEY_MISSING

    @pytest.mark.parametrize(
        ("text", "algorithm"),
        [
            ("0123456789ABCDE", None),
            ("0123456789ABCDEG", None),
            ("0" * 18, None),
            ("0" * 32, Algorithm.STA),
            ("0" * 16, Algorithm.MISTY1),
            ("٠" * 16, None),
        ],
    )
    def test_sts_6_invalid(self, text: str, algorithm: Algorithm | None) -> None:
        with pytest.raises(CannotEncode) as refusal:
            DecoderKey.parse(text, algorithm)
        assert refusal.value.reason is Refusal.DECODER_KEY_INVALID
        assert text not in refusal.value.message


class TestDerivation:
    def test_sts_53_example(self) -> None:
        """[STS-53]"""
        parameters = request().parameters
        assert pan_block(TEST_METER, KeyType.UNIQUE) == 0x0072700000000000
        assert control_block(parameters) == 0x2123456011FFFFFF
        block = 0x2151356011FFFFFF
        assert des_encrypt(V1.octets, block.to_bytes(8, "big")).hex().upper() == "6CA9AAD4270FA73B"
        assert derive_key(V1, request(), des=des_encrypt).reveal() == "E653341F9D5BF36F"

    def test_sts_53_parity_bits_count_in_the_sum_alone(self) -> None:
        """[STS-52]"""
        other = VendingKey.parse("AAAAAAAAAAAAAAAA")
        block = bytes(8)
        assert des_encrypt(V1.octets, block) == des_encrypt(other.octets, block)
        assert derive_key(V1, request(), des=des_encrypt) != derive_key(other, request(), des=des_encrypt)

    def test_sts_54_example(self) -> None:
        parameters = KeyParameters(supply_group="201457", tariff_index="01", key_revision=1)
        sta = request(derivation=Derivation.DKGA_04, parameters=parameters)
        misty = attrs.evolve(sta, algorithm=Algorithm.MISTY1)
        data = "04023034023134023037023031000406323031343537013201311236303037323730303030303030303030303900000040"
        assert derivation_data(sta).hex() == data
        assert derive_key(V4, sta, des=des_encrypt).reveal() == "87F3ECBB2E46B48F"
        assert derive_key(V4, misty, des=des_encrypt).reveal() == "929BD3A415C9420A05EC5EE9F3CE91C3"

    @pytest.mark.parametrize(
        ("key", "changes", "reason"),
        [
            (V4, {}, Refusal.VENDING_KEY_INVALID),
            (V1, {"derivation": Derivation.DKGA_04}, Refusal.VENDING_KEY_INVALID),
            (V1, {"algorithm": Algorithm.MISTY1}, Refusal.ALGORITHM_UNSUPPORTED),
            (V1, {"number": MeterNumber("12345678904")}, Refusal.METER_NUMBER_INVALID),
        ],
    )
    def test_what_can_not_be_derived(self, key: VendingKey, changes: dict[str, object], reason: Refusal) -> None:
        """[STS-10, STS-52, STS-54]"""
        with pytest.raises(CannotEncode) as refusal:
            derive_key(key, request(**changes), des=des_encrypt)
        assert refusal.value.reason is reason

    def test_sts_10_the_check_can_be_skipped(self) -> None:
        number = MeterNumber("12345678904")
        assert derive_key(V1, request(number=number, is_number_checked=False), des=des_encrypt)

    @pytest.mark.parametrize("key_type", [KeyType.DEFAULT, KeyType.COMMON])
    def test_unconfirmed_key_types_are_behind_a_setting(self, key_type: KeyType) -> None:
        """[STS-12]"""
        parameters = attrs.evolve(request().parameters, key_type=key_type)
        with pytest.raises(CannotEncode) as refusal:
            derive_key(V1, request(parameters=parameters), des=des_encrypt)
        assert refusal.value.reason is Refusal.UNCONFIRMED
        assert derive_key(V1, request(parameters=parameters, allows_unconfirmed=True), des=des_encrypt)

    def test_sts_54_makes_no_common_keys_at_all(self) -> None:
        parameters = attrs.evolve(request().parameters, key_type=KeyType.COMMON)
        wanted = request(parameters=parameters, allows_unconfirmed=True, derivation=Derivation.DKGA_04)
        with pytest.raises(CannotEncode):
            derive_key(V4, wanted, des=des_encrypt)

    def test_sts_52_common_keys_leave_the_meter_out(self) -> None:
        parameters = attrs.evolve(request().parameters, key_type=KeyType.COMMON)
        common = request(parameters=parameters, allows_unconfirmed=True)
        other = attrs.evolve(common, number=MeterNumber.parse("47001891341"))
        assert derive_key(V1, common, des=des_encrypt) == derive_key(V1, other, des=des_encrypt)

    @pytest.mark.parametrize("text", ["", "x", "ABC"])
    def test_sts_6_no_vending_key(self, text: str) -> None:
        with pytest.raises(CannotEncode) as refusal:
            VendingKey.parse(text)
        assert refusal.value.reason is Refusal.VENDING_KEY_INVALID

    @pytest.mark.parametrize(
        "changes",
        [{"supply_group": "12345"}, {"tariff_index": "1"}, {"key_revision": 0}, {"key_revision": 10}],
        ids=str,
    )
    def test_sts_12_parameters_out_of_range(self, changes: dict[str, object]) -> None:
        with pytest.raises(CannotEncode) as refusal:
            attrs.evolve(request().parameters, **changes)
        assert refusal.value.reason is Refusal.KEY_PARAMETERS_INVALID

    def test_sts_12_key_types(self) -> None:
        assert [key_type_of(number) for number in range(4)] == list(KeyType)
        with pytest.raises(CannotEncode):
            key_type_of(4)


def meter_key(name: str, **changes: object) -> MeterKey:
    return attrs.evolve(keys()[name].with_expiry(255), **changes)


class TestKeyChange:
    def test_sts_39_nothing_would_change(self) -> None:
        with pytest.raises(CannotEncode) as refusal:
            key_change_tokens(meter_key("K03"), meter_key("K03"))
        assert refusal.value.reason is Refusal.KEY_CHANGE_REFUSED

    @pytest.mark.parametrize(
        ("old", "new", "options", "why"),
        [
            (meter_key("K03"), meter_key("K04"), {}, "initialisation"),
            (meter_key("K15"), meter_key("K20"), {}, "algorithms"),
            (meter_key("K15"), meter_key("K15", base=BaseDate.Y2035), {}, "base date"),
            (meter_key("K15"), meter_key("K16"), {"number": MeterNumber("12345678904")}, "check digit"),
            (
                meter_key("K15", expiry=0),
                meter_key("K16", expiry=1),
                {"at": BaseDate.Y2035.origin},
                "expired",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_sts_39_refused(self, old: MeterKey, new: MeterKey, options: dict[str, object], why: str) -> None:
        """[STS-38]"""
        with pytest.raises(CannotEncode, match=why) as refusal:
            key_change_tokens(old, new, **options)  # type: ignore[arg-type]
        assert refusal.value.reason is Refusal.KEY_CHANGE_REFUSED

    def test_sts_39_one_valid_key_is_enough(self) -> None:
        at = BaseDate.Y2035.origin
        assert key_change_tokens(meter_key("K15", expiry=0), meter_key("K16"), at=at)

    def test_sts_12_key_expiry_numbers(self) -> None:
        with pytest.raises(CannotEncode):
            meter_key("K15", expiry=256)

    def test_sts_56_a_set_must_be_whole(self) -> None:
        old = meter_key("K15")
        first, second, third = key_change_tokens(old, meter_key("K16"), with_supply_group=True)
        change = decode_key_change([third, first, second], old.key)
        assert (change.key, change.supply_group, change.key_type) == (keys()["K16"].key, 201457, 2)
        for wrong in ([first, second], [second, third], [first, first, second], []):
            with pytest.raises(UnreadableToken):
                decode_key_change(wrong, old.key)

    def test_sts_56_four_sections_of_the_long_key(self) -> None:
        old, new = meter_key("K10"), meter_key("K32", expiry=171)
        tokens = key_change_tokens(old, new)
        change = decode_key_change(tokens, old.key)
        assert (change.key, change.supply_group, change.expiry) == (new.key, 123457, 171)
        with pytest.raises(UnreadableToken):
            decode_key_change(tokens[:3], old.key)

    def test_sts_56_no_other_token(self) -> None:
        old = meter_key("K15")
        credit = encode(TimedToken(kind=TokenType.CREDIT_ELECTRICITY, nonce=0, tid=0, field=1), old.key)
        with pytest.raises(UnreadableToken):
            decode_key_change([credit], old.key)

    def test_sts_36_the_same_change_gives_the_same_digits(self) -> None:
        assert key_change_tokens(meter_key("K15"), meter_key("K16")) == key_change_tokens(
            meter_key("K15"), meter_key("K16")
        )

    def test_sts_56_a_section_hides_its_part_of_the_key(self) -> None:
        old, new = meter_key("K15"), meter_key("K16")
        for digits in key_change_tokens(old, new):
            shown = repr(decode(digits, old.key))
            assert "content" not in shown
            assert not any(str(int(new.key.reveal()[at : at + 8], 16)) in shown for at in (0, 8))
