"""What stands in the simulated villages: gateways, meters, and the solar plant of each."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs
import msgspec

from nxt_entrypoints.simulators.http_server import encode_json

_METER_NUMBER = re.compile(r"[0-9]{1,12}")
_DECODER_KEY = re.compile(r"(?:[0-9A-Fa-f]{16})?")
_GATEWAY_EUI = re.compile(r"[0-9a-f]{16}")
T = TypeVar("T")
RADIO = "CALIN_LORAWAN"


class InvalidFleetError(ValueError):
    """A description of the simulated world is wrong; the text says where."""


@attrs.frozen(kw_only=True)
class FleetMeter:
    """One meter as it stands when the simulators first meet it.

    Attributes:
        number: meter number, e.g. ``47003333771``.
        phase: ``SINGLE_PHASE`` or ``THREE_PHASE`` [MET-10].
        scale: size of the customer; 1 is a household with a mean load of about 35 W.
        credit_kwh: remaining credit.
        counter_kwh: cumulative consumption.
        is_on: whether the relay may be closed (false: switched off remotely).
        power_limit_w: load above it isn't served; 0 is no limit.
        as_of: when credit and counter held; consumption is simulated from there on. None is now.
        is_registered: whether the network server knows the device already.
        decoder_key: what the meter's maker put into it, 16 hexadecimal digits; empty: it takes test tokens [R23].
        protocol: how it is reached: ``CALIN_LORAWAN``, or ``CALIN_V1`` or ``CALIN_V2`` through its maker's cloud.
        dcu: the maker's number of the DCU that it hangs on; empty for radio.
    """

    number: str
    phase: str = "SINGLE_PHASE"
    scale: float = 1.0
    credit_kwh: Decimal = Decimal(10)
    counter_kwh: Decimal = Decimal(0)
    is_on: bool = True
    power_limit_w: int = 2000
    as_of: datetime | None = None
    is_registered: bool = True
    decoder_key: str = attrs.field(default="", repr=False)
    protocol: str = RADIO
    dcu: str = ""

    def __attrs_post_init__(self) -> None:
        _check(_METER_NUMBER.fullmatch(self.number), f"meter number {self.number!r} is not 1 to 12 digits")
        _check(self.phase in {"SINGLE_PHASE", "THREE_PHASE"}, f"phase {self.phase!r} is unknown")
        _check(0 <= self.scale <= 1000, "scale must lie between 0 and 1000")
        _check(self.credit_kwh >= 0 and self.counter_kwh >= 0, "credit and counter must not be negative")
        _check(0 <= self.power_limit_w <= 0xFFFFFFFF, "power_limit_w must be a 32-bit number")
        _check(_DECODER_KEY.fullmatch(self.decoder_key), "decoder_key must be 16 hexadecimal digits, or empty")
        _check(self.protocol in {RADIO, "CALIN_V1", "CALIN_V2"}, f"protocol {self.protocol!r} is unknown")
        _check(bool(self.dcu) is not self.is_on_radio, "a meter hangs on a DCU exactly when it is not on the radio")
        _check(self.as_of is None or self.as_of.tzinfo is not None, "as_of must carry a time zone")

    @property
    def is_on_radio(self) -> bool:
        """Whether a LoRaWAN gateway reaches it."""
        return self.protocol == RADIO


def _devices(values: "Iterable[PlantDevice]") -> "tuple[PlantDevice, ...]":
    return tuple(values)


@attrs.frozen(kw_only=True)
class PlantDevice:
    """A device that the plant's gateway reports.

    Attributes:
        name: what kind of device it is, e.g. ``Solar Charger``.
        custom_name: what the installer called it, e.g. ``FRON 1279 ARTN10.92/+153/10``.
        instance: its number on the site.
    """

    name: str
    custom_name: str
    instance: int


@attrs.frozen(kw_only=True)
class Plant:
    """The solar plant of a village.

    Attributes:
        portal_id: id of its Victron gateway.
        base_load_w: mean load beside the meters, in W.
        pv_peak_w: power of the panels at noon on a clear day, in W.
        battery_kwh: usable size of the battery, in kWh.
        is_three_phase: three phases, or L1 alone.
        site_id: number of its site at VRM; empty: VRM doesn't know it.
        devices: what its gateway reports beside itself.
    """

    portal_id: str
    base_load_w: float = 800.0
    pv_peak_w: float = 12_000.0
    battery_kwh: float = 40.0
    is_three_phase: bool = False
    site_id: str = ""
    devices: tuple[PlantDevice, ...] = attrs.field(default=(), converter=_devices)

    def __attrs_post_init__(self) -> None:
        _check(self.portal_id and not set(self.portal_id) & set("/+#"), "portal_id must be a plain topic segment")
        _check(self.base_load_w >= 0 and self.pv_peak_w >= 0, "plant powers must not be negative")
        _check(self.battery_kwh > 0, "battery_kwh must be positive")


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _meters(values: Iterable[FleetMeter]) -> tuple[FleetMeter, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Village:
    """One mini-grid.

    Attributes:
        grid_id: id of the grid in the system under test; a label here.
        timezone: IANA zone; the meters' clocks show its local time.
        gateways: EUIs of its LoRaWAN gateways, 16 hex digits.
        meters: its meters.
        plant: its solar plant, if it is simulated.
    """

    grid_id: int
    timezone: str = "Africa/Lagos"
    gateways: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    meters: tuple[FleetMeter, ...] = attrs.field(default=(), converter=_meters)
    plant: Plant | None = None

    def __attrs_post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise InvalidFleetError(f"timezone {self.timezone!r} is unknown") from error
        for eui in self.gateways:
            _check(_GATEWAY_EUI.fullmatch(eui), f"gateway EUI {eui!r} is not 16 lower-case hex digits")
        has_radio = any(meter.is_on_radio for meter in self.meters)
        _check(self.gateways or not has_radio, f"village {self.grid_id} has meters but no gateway")


def _villages(values: Iterable[Village]) -> tuple[Village, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Fleet:
    """The whole simulated world."""

    villages: tuple[Village, ...] = attrs.field(default=(), converter=_villages)

    def __attrs_post_init__(self) -> None:
        _unique("meter number", [meter.number for village in self.villages for meter in village.meters])
        _unique("gateway EUI", [eui for village in self.villages for eui in village.gateways])
        _unique("grid_id", [str(village.grid_id) for village in self.villages])
        _unique("portal_id", [village.plant.portal_id for village in self.villages if village.plant])

    @classmethod
    def load(cls, path: Path) -> "Fleet":
        """Read ``fleet.json``.

        Raises:
            InvalidFleetError: the file isn't a fleet; the text says where.
        """
        return structure(msgspec.json.decode(path.read_bytes()), cls)

    def save(self, path: Path) -> None:
        """Write ``fleet.json``, for its owner alone: meters' keys are in it."""
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(encode_json(self))


def structure(document: object, kind: type[T]) -> T:
    """Turn decoded JSON into attrs classes, refusing members that no class has.

    Raises:
        InvalidFleetError: with the path and the reason.
    """
    try:
        made = msgspec.convert(document, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidFleetError(str(error)) from error
    _refuse_unknown(document, made, "$")
    return made


def _refuse_unknown(document: object, made: object, path: str) -> None:
    kind = type(made)
    if isinstance(document, dict) and attrs.has(kind):
        known = {field.name for field in attrs.fields(kind)}
        if unknown := sorted(set(document) - known):
            raise InvalidFleetError(f"unknown members {', '.join(unknown)} - at `{path}`")
        for name, value in document.items():
            _refuse_unknown(value, getattr(made, name), f"{path}.{name}")
    elif isinstance(document, list) and isinstance(made, Sequence):
        for index, (value, each) in enumerate(zip(document, made, strict=True)):
            _refuse_unknown(value, each, f"{path}[{index}]")


def _check(holds: object, message: str) -> None:
    if not holds:
        raise InvalidFleetError(message)


def _unique(what: str, values: list[str]) -> None:
    seen: set[str] = set()
    for value in values:
        _check(value not in seen, f"{what} {value} occurs twice")
        seen.add(value)
