"""Registering meters at ChirpStack, and looking after gateways [DM 10.2, MET-166]."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import grpc
import structlog

from nxt_adapters.chirpstack.network_server import dev_eui
from nxt_adapters.chirpstack.rpc import ChirpStackApi, GatewayPresence, RpcRefused
from nxt_adapters.chirpstack.settings import RegistrationSettings
from nxt_adapters.resilience import CallFailed
from nxt_domain.shared.errors import UpstreamFailed

_PAGE = 100
_MAX_PAGES = 1_000
_ALREADY_EXISTS = int(grpc.StatusCode.ALREADY_EXISTS.value[0])
_log = structlog.get_logger(__name__)


class RegistrationFailed(UpstreamFailed):
    """The network server did not take a meter, or not its keys; the text says which."""

    default_code = "REGISTRATION_FAILED"


@attrs.frozen(kw_only=True)
class Registration:
    """A meter is known to the network server.

    Attributes:
        is_new: False when it was known before.
    """

    is_new: bool


class ChirpStackMeterRegistry:
    """Makes meters known to ChirpStack. Doing it twice is harmless.

    Args:
        api: The channel.
        settings: Where new meters belong.
    """

    def __init__(self, api: ChirpStackApi, settings: RegistrationSettings) -> None:
        self._api = api
        self._settings = settings

    async def register(self, reference: str) -> Registration:
        """Create a meter's device with its key, or complete what an earlier attempt left [DM-95, DM-96, MET-166].

        Args:
            reference: Meter number.

        Raises:
            RegistrationFailed: The device was not created, or was and has no keys yet.
        """
        eui = dev_eui(reference)
        is_new = await self._create(eui, reference)
        if is_new or await self._lacks_keys(eui):
            await self._create_keys(eui)
        return Registration(is_new=is_new)

    async def deregister(self, reference: str) -> None:
        """Do nothing: a removed meter stays known, since it may talk to any network [DM-97].

        Args:
            reference: Meter number.
        """
        _log.info("a removed meter stays registered", meter=reference)

    async def _create(self, eui: str, reference: str) -> bool:
        settings = self._settings
        try:
            await self._api.create_device(eui, reference, settings.application_id, settings.profile_id)
        except (RpcRefused, CallFailed) as failed:
            if isinstance(failed, RpcRefused) and failed.status == _ALREADY_EXISTS:
                return False
            if await self._is_known(eui):
                return False
            raise RegistrationFailed(failed.message) from failed
        return True

    async def _is_known(self, eui: str) -> bool:
        try:
            return await self._api.has_device(eui)
        except CallFailed as failed:
            _log.warning("could not look for a device", dev_eui=eui, error=failed.message)
            return False

    async def _lacks_keys(self, eui: str) -> bool:
        """Whether keys must be written; when the network server won't say, writing them will tell."""
        try:
            return not await self._api.has_keys(eui)
        except RpcRefused as refused:
            _log.warning("could not read a device's keys", dev_eui=eui, error=refused.message)
            return True
        except CallFailed as failed:
            raise RegistrationFailed(failed.message) from failed

    async def _create_keys(self, eui: str) -> None:
        try:
            await self._api.create_keys(eui, self._settings.app_key())
        except (RpcRefused, CallFailed) as failed:
            if isinstance(failed, RpcRefused) and failed.status == _ALREADY_EXISTS:
                return
            _log.error("a registered device has no keys", dev_eui=eui, error=failed.message)
            raise RegistrationFailed(f"The device is registered, its keys are not: {failed.message}") from failed


class ChirpStackGateways:
    """Tells which gateways are connected.

    Args:
        api: The channel.
    """

    def __init__(self, api: ChirpStackApi) -> None:
        self._api = api

    async def list_gateways(self) -> Sequence[GatewayPresence]:
        """Read all pages until as many gateways are held as there are, or a page is empty [DM-98, TEL-58].

        Raises:
            UpstreamFailed: A page could not be read; what was read before is not given, since it would look like all.
        """
        held: list[GatewayPresence] = []
        for _ in range(_MAX_PAGES):
            page, total = await self._api.gateways(limit=_PAGE, offset=len(held))
            held += page
            if not page or len(held) >= total:
                break
        return held
