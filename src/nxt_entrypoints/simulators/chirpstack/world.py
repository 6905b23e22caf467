"""The devices of the simulated network, and what is remembered of them between runs."""

import re
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import attrs
import msgspec

from nxt_entrypoints.simulators.chirpstack.devices import Device, Gateway, VillageRadio
from nxt_entrypoints.simulators.chirpstack.events import DeviceFacts, stable_id
from nxt_entrypoints.simulators.chirpstack.meter import Meter, MeterIdentity, MeterState
from nxt_entrypoints.simulators.control import Clock
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, Village
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.sts.meter import StsMemory

_DEV_EUI = re.compile(r"0{4}[0-9]{12}")
_METER, _TOKEN, _DEVICE = "meter", "token", "device"


@attrs.frozen(kw_only=True)
class Registration:
    """A device that was registered at run time; kept, since no fleet file names it."""

    number: str
    grid_id: int
    application_id: str = ""
    profile_id: str = ""
    nwk_key: str = ""


class World:
    """Villages, gateways and devices, by the names that the API uses.

    Args:
        fleet: what stands where.
        store: memory between runs.
        clock: the present instant.
        seed: start of all noise.
        tenant_id: ChirpStack's tenant.
        application_id: ChirpStack's application of the meters.
        profile_id: ChirpStack's device profile of the meters.
    """

    def __init__(
        self,
        fleet: Fleet,
        store: StateStore,
        *,
        clock: Clock,
        seed: int,
        tenant_id: str,
        application_id: str,
        profile_id: str = "",
    ) -> None:
        self._store = store
        self._clock = clock
        self._seed = seed
        self.tenant_id = tenant_id
        self._application_id = application_id
        self._profile_id = profile_id or stable_id("device profile")
        self._tokens = _tokens_by_meter(store)
        self._states = store.all(_METER)
        self._saved: dict[str, MeterState] = {}
        self._touched: dict[str, Device] = {}
        self.villages = {village.grid_id: village for village in fleet.villages}
        self.radios: dict[int, VillageRadio] = {}
        self.gateways: dict[str, Gateway] = {}
        self.devices: dict[str, Device] = {}
        for village in fleet.villages:
            self._build(village)
        for body in store.all(_DEVICE).values():
            self._restore(msgspec.json.decode(body, type=Registration))

    # -- building -------------------------------------------------------------------------------

    def _build(self, village: Village) -> None:
        gateways = [Gateway(eui=eui, grid_id=village.grid_id) for eui in village.gateways]
        self.gateways.update({gateway.eui: gateway for gateway in gateways})
        self.radios[village.grid_id] = VillageRadio(village.grid_id, gateways)
        for described in (meter for meter in village.meters if meter.is_on_radio):
            self._place(described, village)

    def _place(self, described: FleetMeter, village: Village) -> Device:
        identity = MeterIdentity(
            number=described.number,
            grid_id=village.grid_id,
            zone=ZoneInfo(village.timezone),
            phases=3 if described.phase == "THREE_PHASE" else 1,
            scale=described.scale,
            seed=self._seed,
        )
        tokens = self._tokens.pop(described.number, frozenset())
        facts = DeviceFacts(
            dev_eui=identity.dev_eui,
            name=described.number,
            application_id=self._application_id,
            tenant_id=self.tenant_id,
            profile_id=self._profile_id,
        )
        device = Device(
            meter=Meter(identity, self._state_of(described), used_tokens=tokens),
            village=self.radios[village.grid_id],
            facts=facts,
            is_registered=described.is_registered,
        )
        self.devices[identity.dev_eui] = device
        return device

    def _state_of(self, described: FleetMeter) -> MeterState:
        memory = StsMemory(key=described.decoder_key) if described.decoder_key else None
        stored = self._states.pop(described.number, None)
        if stored is not None:
            state = msgspec.json.decode(stored, type=MeterState)
            return state if state.sts is not None else attrs.evolve(state, sts=memory)
        return MeterState(
            at=described.as_of or self._clock(),
            credit_kwh=described.credit_kwh,
            counter_kwh=described.counter_kwh,
            is_switched_on=described.is_on,
            power_limit_w=described.power_limit_w,
            reported_counter_kwh=described.counter_kwh,
            sts=memory,
        )

    def _restore(self, registration: Registration) -> None:
        device = self.devices.get(registration.number.rjust(16, "0"))
        if device is not None:
            device.is_registered = True
        elif registration.grid_id in self.villages:
            self._place(FleetMeter(number=registration.number), self.villages[registration.grid_id])

    # -- registering ----------------------------------------------------------------------------

    def registered(self, dev_eui: str) -> Device | None:
        """Return a device that the network server knows."""
        device = self.devices.get(dev_eui)
        return device if device is not None and device.is_registered else None

    def register(self, dev_eui: str, application_id: str, profile_id: str) -> Device | None:
        """Register a device; a number that stands in no village is a meter just installed in the first.

        Returns:
            The device; None when the EUI can't be a meter's, or no village exists.
        """
        if not _DEV_EUI.fullmatch(dev_eui) or not self.villages:
            return None
        device = self.devices.get(dev_eui)
        if device is None:
            number = dev_eui[5:] if dev_eui.startswith("00000") else dev_eui[4:]
            device = self._place(FleetMeter(number=number), next(iter(self.villages.values())))
        device.is_registered = True
        self._remember(
            device,
            Registration(
                number=device.facts.name,
                grid_id=device.meter.identity.grid_id,
                application_id=application_id,
                profile_id=profile_id,
            ),
        )
        return device

    def set_key(self, device: Device, nwk_key: str) -> bool:
        """Store a device's application key; false when it has one already."""
        stored = self._store.all(_DEVICE).get(device.facts.name)
        known = (
            msgspec.json.decode(stored, type=Registration)
            if stored
            else Registration(number=device.facts.name, grid_id=device.meter.identity.grid_id)
        )
        if known.nwk_key:
            return False
        self._remember(device, attrs.evolve(known, nwk_key=nwk_key))
        return True

    def _remember(self, device: Device, registration: Registration) -> None:
        self._store.put(_DEVICE, {device.facts.name: encode_json(registration)})

    # -- gateways -------------------------------------------------------------------------------

    def switch_gateways(self, gateways: Iterable[Gateway], *, is_online: bool) -> None:
        """Switch gateways on or off."""
        for gateway in gateways:
            gateway.is_online = is_online
        for radio in self.radios.values():
            radio.refresh()

    def add_gateway(self, eui: str) -> Gateway:
        """Register a gateway that stands in no village yet; it is offline."""
        gateway = Gateway(eui=eui, grid_id=0, is_online=False)
        self.gateways[eui] = gateway
        return gateway

    # -- memory ---------------------------------------------------------------------------------

    def by_number(self, number: str) -> Device | None:
        """Return the device of a meter number, brought up to the present."""
        device = self.devices.get(number.rjust(16, "0"))
        if device is not None:
            device.meter.advance(self._clock())
            self._touched[device.facts.name] = device
        return device

    def touched(self, device: Device, *, now: bool = False) -> None:
        """Note that a meter's state has changed; ``now`` writes it at once, before anybody is told."""
        self._touched[device.facts.name] = device
        if now:
            self._write([device])

    def save(self) -> None:
        """Write every state that has changed since it was last written."""
        touched, self._touched = list(self._touched.values()), {}
        self._write(touched)

    def present(self, moment: datetime) -> None:
        """Bring every meter up to an instant."""
        for device in self.devices.values():
            device.meter.advance(moment)
            self._touched[device.facts.name] = device

    def _write(self, devices: Iterable[Device]) -> None:
        rows: list[tuple[str, str, bytes]] = []
        for device in devices:
            name, meter = device.facts.name, device.meter
            if self._saved.get(name) is not meter.state:
                rows.append((_METER, name, encode_json(meter.state)))
                self._saved[name] = meter.state
            rows.extend((_TOKEN, f"{name}:{token}", b"") for token in meter.take_fresh_tokens())
        if rows:
            self._store.put_many(rows)


def _tokens_by_meter(store: StateStore) -> dict[str, frozenset[str]]:
    tokens: dict[str, set[str]] = {}
    for key in store.all(_TOKEN):
        number, _, token = key.partition(":")
        tokens.setdefault(number, set()).add(token)
    return {number: frozenset(used) for number, used in tokens.items()}
