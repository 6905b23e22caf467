"""The JSON bodies that ChirpStack's HTTP integration posts, with the types it really uses."""

import base64
import uuid
from collections.abc import Sequence
from datetime import datetime

import attrs

_FREQUENCY_UP_HZ, _FREQUENCY_DOWN_HZ = 868_100_000, 869_525_000
_NAMESPACE = uuid.UUID("6f1d2c1e-5d0b-4f0e-9a53-2f6f0c1f7a10")

Body = dict[str, object]


def stable_id(name: str) -> str:
    """Return a UUID that is the same for the same name, in every run."""
    return str(uuid.uuid5(_NAMESPACE, name))


@attrs.frozen(kw_only=True)
class Reception:
    """How one gateway heard an uplink: its EUI, signal to noise ratio in dB, strength in dBm."""

    gateway: str
    snr: float
    rssi: int


@attrs.frozen(kw_only=True)
class DeviceFacts:
    """What every event says about its device."""

    dev_eui: str
    name: str
    application_id: str
    tenant_id: str
    profile_id: str

    def as_json(self) -> Body:
        """Return the member ``deviceInfo``."""
        return {
            "tenantId": self.tenant_id,
            "tenantName": "Village operator",
            "applicationId": self.application_id,
            "applicationName": "Meters",
            "deviceProfileId": self.profile_id,
            "deviceProfileName": "CALIN class C",
            "deviceName": self.name,
            "devEui": self.dev_eui,
            "deviceClassEnabled": "CLASS_C",
            "tags": {},
        }

    @property
    def dev_addr(self) -> str:
        """A device address, stable for the device."""
        return stable_id(self.dev_eui)[:8]


def txack(device: DeviceFacts, at: datetime, *, item: str, downlink_id: int, counter: int, gateway: str) -> Body:
    """A gateway has accepted a downlink for transmission; ``downlinkId`` is a number."""
    return {
        "downlinkId": downlink_id,
        "time": at.isoformat(),
        "deviceInfo": device.as_json(),
        "queueItemId": item,
        "fCntDown": counter,
        "gatewayId": gateway,
        "txInfo": {"frequency": _FREQUENCY_DOWN_HZ, "power": 27, "modulation": _lora(12, "CR_4_5"), "timing": {}},
    }


def ack(device: DeviceFacts, at: datetime, *, item: str, counter: int, deduplication_id: str, done: bool) -> Body:
    """A confirmed downlink was acknowledged, or (``done`` false) timed out."""
    return {
        "deduplicationId": deduplication_id,
        "time": at.isoformat(),
        "deviceInfo": device.as_json(),
        "queueItemId": item,
        "acknowledged": done,
        "fCntDown": counter,
    }


def uplink(
    device: DeviceFacts,
    at: datetime,
    *,
    deduplication_id: str,
    counter: int,
    data: bytes,
    heard: Sequence[Reception],
) -> Body:
    """An uplink with application data on port 1."""
    return {
        "deduplicationId": deduplication_id,
        "time": at.isoformat(),
        "deviceInfo": device.as_json(),
        "devAddr": device.dev_addr,
        "adr": True,
        "dr": 5,
        "fCnt": counter,
        "fPort": 1,
        "confirmed": False,
        "data": base64.b64encode(data).decode(),
        "rxInfo": [_reception(each, at, counter) for each in heard],
        "txInfo": {"frequency": _FREQUENCY_UP_HZ, "modulation": _lora(7, "CR_4_5")},
        "regionConfigId": "eu868",
    }


def join(device: DeviceFacts, at: datetime, *, deduplication_id: str) -> Body:
    """A device has joined the network."""
    return {
        "deduplicationId": deduplication_id,
        "time": at.isoformat(),
        "deviceInfo": device.as_json(),
        "devAddr": device.dev_addr,
        "regionConfigId": "eu868",
    }


def _lora(spreading_factor: int, code_rate: str) -> Body:
    return {"lora": {"bandwidth": 125_000, "spreadingFactor": spreading_factor, "codeRate": code_rate}}


def _reception(heard: Reception, at: datetime, counter: int) -> Body:
    """One entry of ``rxInfo``; ChirpStack leaves out members that are zero [DM-103]."""
    entry: Body = {
        "gatewayId": heard.gateway,
        "uplinkId": (int(heard.gateway, 16) + counter) % 2**32,
        "gwTime": at.isoformat(),
        "nsTime": at.isoformat(),
        "rssi": heard.rssi,
        "snr": heard.snr,
        "channel": 1,
        "location": {},
        "context": base64.b64encode(counter.to_bytes(4, "big")).decode(),
        "metadata": {"region_common_name": "EU868", "region_config_id": "eu868"},
        "crcStatus": "CRC_OK",
    }
    return {key: value for key, value in entry.items() if value != 0}
