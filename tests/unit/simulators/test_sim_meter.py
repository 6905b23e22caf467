"""The simulated meter as a state machine: relay, credit, tokens, clock, consumption, reports."""

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nxt_entrypoints.simulators.chirpstack import frames, profile

NUMBER = "47003333771"
ACCEPTED = frames.token_accepted(NUMBER)
TOKEN_REFUSED = frames.refused(NUMBER, frames.TOKEN, 1)


def read(identifier):
    return frames.build(NUMBER, frames.READ, identifier.to_bytes(2, "little"))


def write(identifier, data, password=frames.PASSWORD):
    return frames.build(NUMBER, frames.WRITE, identifier.to_bytes(2, "little") + password + data)


def deliver(token):
    return frames.build(NUMBER, frames.TOKEN, (0xA120).to_bytes(2, "little") + bytes.fromhex(token)[::-1])


def body(answer):
    """The answer's data after the identifier, without offset."""
    return bytes((byte - 0x33) % 256 for byte in answer[12:-2])


def test_read_credit_shows_credit_level_and_relay(make_meter, noon):
    """[DM-84] Examples 13 and 14, asked and answered."""
    meter = make_meter(credit_kwh=Decimal("123.45"))
    assert meter.receive(read(0xE421), noon).hex().upper() == "687137330370046881085417785634333333B116"
    meter = make_meter(credit_kwh=Decimal("0.07"), is_switched_on=False)
    assert meter.receive(read(0xE421), noon).hex().upper() == "6871373303700468810854173A33333335345216"


def test_relay_opens_and_closes_on_command(make_meter, noon):
    """[DM-81] TURN_OFF and TURN_ON of the worked examples 7, 8 and 22."""
    meter = make_meter()
    off = bytes.fromhex("687137330370046804076FF333333333 68C316")
    on = bytes.fromhex("6871373303700468040770F333333333C92516")
    assert meter.receive(off, noon)[8] == 0x84
    assert not meter.state.is_on
    assert meter.receive(on, noon).hex().upper() == "6871373303700468840270F30B16"
    assert meter.state.is_on


@pytest.mark.parametrize(
    "frame",
    [
        write(0xC03D, b"\x35"),
        write(0xC03D, b"\x96", password=b"\1\0\0\0"),
        write(0xC03D, b""),
        write(0xE421, b"\x96"),
        write(0xC010, bytes.fromhex("00310226")),
        write(0xC011, bytes.fromhex("000024")),
        write(0xC011, bytes.fromhex("0A0000")),
    ],
)
def test_wrong_writes_are_refused_and_change_nothing(make_meter, noon, frame):
    """[DM-81] C4: wrong code, password, length, register, date or time."""
    meter = make_meter()
    before = meter.state
    assert meter.receive(frame, noon) == frames.refused(NUMBER, frames.WRITE, 2)
    assert meter.state == before


def test_unknown_register_and_missing_phase_are_refused(make_meter, noon):
    """[DM-83] C1 with one error byte and no identifier, as example 24."""
    assert make_meter().receive(read(0xEFF5), noon).hex().upper() == "6871373303700468C101341816"
    assert make_meter().receive(read(0xB612), noon)[8] == 0xC1
    assert make_meter(phases=3).receive(read(0xB612), noon)[8] == 0x81


def test_measurements_agree_with_each_other(make_meter, noon):
    """[DM-84] Power, voltage and current of the frame: P = U x I on a single phase."""
    meter = make_meter(scale=40.0)
    power = Decimal(int(body(meter.receive(read(0xB630), noon))[::-1].hex())) / 10
    volts = Decimal(int(body(meter.receive(read(0xB611), noon))[1:][::-1].hex())) / 100
    amperes = Decimal(int(body(meter.receive(read(0xB621), noon))[::-1].hex())) / 100
    assert 200 < volts < 250
    assert power > 500
    assert abs(volts * amperes - power) < volts / 100 + 1


def test_power_limit_is_read_and_obeyed(make_meter, noon):
    """[DM-88] The DLMS answer tells the limit; load above it isn't served."""
    meter = make_meter(power_limit_w=5000)
    request = bytes.fromhex("000100660001000DC001C100470000110000FF0300")
    assert meter.receive(request, noon).hex().upper() == "0001000100660009C401C1000600001388"
    assert make_meter(scale=900.0, power_limit_w=300).power_w(noon) == 300


def test_frames_for_others_and_noise_are_not_answered(make_meter, noon):
    """[DM-86] A meter answers to its own address only."""
    meter = make_meter()
    other = frames.build("47001891341", frames.READ, b"\x21\xe4")
    assert meter.receive(other, noon) is None
    assert meter.receive(b"\x68\0\0", noon) is None
    assert meter.receive(frames.build(NUMBER, 0x11, b"\x21\xe4"), noon) is None


# -- tokens -------------------------------------------------------------------------------------


def test_test_token_of_the_ruling(make_token):
    """[R23] 20 digits: 0, kWh x 10, minute, check; worked by hand for 12.5 kWh."""
    token = make_token("12.5", minute=17_520_000)
    assert token[:16] == "0000125017520000"
    assert int(token[16:]) == (47_003_333_771 + 125_017_520_000) % 9973
    assert len(token) == 20


def test_a_token_credits_exactly_once(make_meter, make_token, noon):
    """[R23] [STS-59] Accepted once, then refused as used; the credit is exact."""
    meter = make_meter()
    token = make_token("12.5")
    assert meter.receive(deliver(token), noon) == ACCEPTED
    assert meter.state.credit_kwh == Decimal("22.5")
    assert meter.receive(deliver(token), noon) == TOKEN_REFUSED
    assert meter.state.credit_kwh == Decimal("22.5")
    assert meter.state.credited_kwh_total == Decimal("12.5")
    assert (meter.state.tokens_accepted, meter.state.tokens_refused) == (1, 1)
    assert meter.take_fresh_tokens() == [token]
    assert meter.take_fresh_tokens() == []


def test_equal_energy_at_another_minute_is_another_token(make_meter, make_token, noon):
    """[R23] The minute tells tokens of one amount apart."""
    meter = make_meter()
    for minute in (1, 2, 3):
        assert meter.receive(deliver(make_token("5", minute=minute)), noon) == ACCEPTED
    assert meter.state.credited_kwh_total == 15


@pytest.mark.parametrize("kind", ["foreign", "check", "format", "zero"])
def test_bad_tokens_are_refused(make_meter, make_token, noon, kind):
    """[R23] Another meter's token, a wrong check, another first digit, no energy: C0, no effect."""
    good = make_token("5")
    token = {
        "foreign": make_token("5", number="47001891341"),
        "check": good[:-1] + str((int(good[-1]) + 1) % 10),
        "format": "1" + good[1:],
        "zero": make_token("0"),
    }[kind]
    meter = make_meter()
    assert meter.receive(deliver(token), noon) == TOKEN_REFUSED
    assert meter.state.credit_kwh == 10
    assert meter.state.tokens_accepted == 0
    assert meter.receive(deliver(good), noon) == ACCEPTED


def test_overflow_is_refused_and_the_token_stays_good(make_meter, make_token, noon):
    """[STS-59] Row 7: the register can't hold more than 999999.9 kWh; a refusal changes nothing."""
    token = make_token("5")
    meter = make_meter(credit_kwh=Decimal(999998), is_switched_on=False)
    assert meter.receive(deliver(token), noon) == TOKEN_REFUSED
    assert meter.take_fresh_tokens() == []


@given(st.text("0123456789abcdef", min_size=20, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_digits_hardly_ever_count(make_meter, noon, digits):
    """[R23] What the meter credits is always in a token's own digits, whatever arrives."""
    meter = make_meter()
    meter.receive(deliver(digits), noon)
    gained = meter.state.credited_kwh_total
    assert gained == (Decimal(digits[1:7]) / 10 if meter.state.tokens_accepted else 0)


# -- energy -------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=8),
    st.floats(0, 50),
    st.decimals("0", "3", places=3),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_energy_is_neither_made_nor_lost(make_meter, noon, steps, scale, credit):
    """[R33] Credit that goes is counted by the counter, exactly, and credit never falls below zero."""
    meter = make_meter(credit_kwh=credit, scale=scale)
    at = noon
    for seconds in steps:
        at += timedelta(seconds=seconds)
        meter.advance(at)
        assert meter.state.credit_kwh >= 0
        assert meter.state.credit_kwh + meter.state.counter_kwh == credit


def test_consumption_does_not_depend_on_how_often_one_looks(make_meter, noon):
    """The same hours give the same energy, in one step or in many."""
    once, often = make_meter(scale=3.0), make_meter(scale=3.0)
    once.advance(noon + timedelta(hours=2))
    for minute in range(0, 121, 5):
        often.advance(noon + timedelta(minutes=minute))
    assert once.state.counter_kwh == often.state.counter_kwh > Decimal("0.05")


def test_relay_opens_when_credit_runs_out_and_closes_on_top_up(make_meter, make_token, noon):
    """The life of a prepaid customer: dark, paid, light."""
    meter = make_meter(credit_kwh=Decimal("0.001"), scale=10.0)
    later = noon + timedelta(hours=1)
    answer = meter.receive(read(0xE421), later)
    assert meter.state.counter_kwh == Decimal("0.001")
    assert body(answer)[4:] == b"\2\1"
    assert meter.power_w(later) == 0
    assert meter.receive(deliver(make_token("5")), later) == ACCEPTED
    assert meter.state.is_on
    assert meter.power_w(later) > 0


def test_a_top_up_does_not_undo_turn_off(make_meter, make_token, noon):
    """A relay that was opened remotely stays open until it is closed remotely."""
    meter = make_meter(credit_kwh=Decimal(0), is_switched_on=False)
    meter.receive(deliver(make_token("5")), noon)
    assert not meter.state.is_on
    meter.receive(write(0xC03D, b"\x96"), noon)
    assert meter.state.is_on


def test_after_a_long_stop_only_six_hours_are_caught_up(make_meter, noon):
    """[R36] A restarted demo isn't dark because it slept for a month; a night is caught up fully."""
    asleep, awake = make_meter(), make_meter(at=noon + timedelta(days=30) - timedelta(hours=6))
    for meter in (asleep, awake):
        meter.advance(noon + timedelta(days=30))
    assert asleep.state.counter_kwh == awake.state.counter_kwh > 0


def test_time_that_goes_back_changes_nothing(make_meter, noon):
    """A clock step of the machine isn't negative consumption."""
    meter = make_meter()
    before = meter.state
    meter.advance(noon - timedelta(hours=1))
    assert meter.state == before


def test_evening_is_dearer_than_night():
    """The day's profile has its peaks in the morning and in the evening, and a mean of 1."""

    def at(hour):
        return profile.day_factor(datetime.fromisoformat(f"2026-03-15T{hour:02d}:00"))

    assert at(19) > at(6) > at(11) > at(2)
    assert abs(sum(at(hour) for hour in range(24)) / 24 - 1) < 1e-9


# -- clock and reports --------------------------------------------------------------------------


def test_clock_shows_true_local_time(make_meter):
    """[R36] Of the village's zone, across a change to summer time."""
    meter = make_meter(zone="Europe/Madrid")
    assert meter.clock(datetime(2026, 3, 29, 0, 59, tzinfo=UTC)) == datetime.fromisoformat("2026-03-29T01:59:00")
    assert meter.clock(datetime(2026, 3, 29, 1, 0, tzinfo=UTC)) == datetime.fromisoformat("2026-03-29T03:00:00")


def test_clock_is_read_as_digits(make_meter):
    """[DM-85] Examples 18 and 19, as the meter in Lagos shows 14:30:05 on 2026-03-15."""
    meter, now = make_meter(), datetime(2026, 3, 15, 13, 30, 5, tzinfo=UTC)
    assert meter.receive(read(0xC010), now).hex().upper() == "6871373303700468810643F333483659E916"
    assert meter.receive(read(0xC011), now).hex().upper() == "6871373303700468810544F3386347C116"


def test_set_clock_holds_from_then_on(make_meter, noon):
    """[DM-76] [DM-77] Examples 9 and 10 in effect: the clock goes on from what was set."""
    meter = make_meter()
    date_frame = bytes.fromhex("687137330370046804 0A43F3333333333348365 93C16".replace(" ", ""))
    time_frame = bytes.fromhex("6871373303700468040944F3333333333863471416")
    assert meter.receive(date_frame, noon + timedelta(days=3))[8] == 0x84
    assert meter.clock(noon + timedelta(days=3)) == datetime.fromisoformat("2026-03-15T12:00:00")
    assert meter.receive(time_frame, noon + timedelta(days=3))[8] == 0x84
    assert meter.clock(noon + timedelta(days=3, seconds=10)) == datetime.fromisoformat("2026-03-15T14:30:15")


def test_report_carries_counter_credit_and_clock(make_meter, noon):
    """[DM-89] [R36] The periodic report of a live meter, field by field."""
    meter = make_meter(counter_kwh=Decimal("456.78"), credit_kwh=Decimal("12.5"))
    answer = meter.report(noon)
    data = body(answer)
    assert (answer[8], answer[10:12].hex()) == (0x81, "44f4")
    assert data[1:6].hex() == "0012150326"  # minute, hour, day, month, year
    counter, credit, _c2, _r2, demand, volts, milliamperes, status = struct.unpack("<IfIfIHIB", data[6:])
    assert (counter, credit, status) == (45678, 12.5, 0)
    assert demand == int(meter.power_w(noon))
    assert volts == int(meter.voltage_v(noon) * 10)
    assert milliamperes == int(meter.current_a(noon) * 1000)


def test_report_of_a_dark_meter_says_so(make_meter, noon):
    """[DM-89] Status bit 0 is the open relay; the demand is the mean since the last report."""
    meter = make_meter(credit_kwh=Decimal("0.010"), scale=30.0)
    meter.report(noon)
    answer = meter.report(noon + timedelta(hours=1))
    demand, _volts, current, status = struct.unpack("<IHIB", body(answer)[22:])
    assert status == 1
    assert current == 0
    assert demand == 10  # 10 Wh in an hour
