"""CALIN's two HTTP services: one client each, shared by the delivery plug-in and the token vendor."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import attrs

from nxt_adapters.calin_api import DEFAULT_POLICY
from nxt_adapters.calin_api.v1 import PLUGIN_ID as V1
from nxt_adapters.calin_api.v1 import CalinV1Client, CalinV1Meters, CalinV1Settings, CalinV1TokenVendor, User
from nxt_adapters.calin_api.v2 import PLUGIN_ID as V2
from nxt_adapters.calin_api.v2 import CalinV2Client, CalinV2Meters, CalinV2Settings, CalinV2TokenVendor
from nxt_adapters.resilience import CallPolicy
from nxt_domain.messaging.ports import PullPlugin
from nxt_domain.tokens.ports import TokenVendor
from nxt_entrypoints.settings import adapters
from nxt_entrypoints.settings.artifact import Http, Provider
from nxt_entrypoints.settings.policy import call_policy
from nxt_entrypoints.settings.settings import Settings

_PLUGS, _VENDORS = "metering.deviceAdapters", "metering.tokenVendors"


@attrs.frozen(kw_only=True)
class CalinClouds:
    """The services that this deployment uses, for deliveries or for tokens; None: not this one."""

    v1: CalinV1Client | None = None
    v2: CalinV2Client | None = None
    delivers: frozenset[str] = frozenset()

    def plugins(self) -> Iterator[PullPlugin]:
        """The plug-ins that the artifact enables."""
        if self.v1 is not None and V1 in self.delivers:
            yield CalinV1Meters(self.v1)
        if self.v2 is not None and V2 in self.delivers:
            yield CalinV2Meters(self.v2)

    def vendors(self) -> Iterator[tuple[str, TokenVendor]]:
        """Token vendors by each id that the artifact may use."""
        made: list[TokenVendor] = []
        if self.v1 is not None:
            made.append(CalinV1TokenVendor(self.v1))
        if self.v2 is not None:
            made.append(CalinV2TokenVendor(self.v2))
        for vendor in made:
            found = adapters.find(_VENDORS, vendor.vendor_id)
            for name in (vendor.vendor_id, *(found.aliases if found else ())):
                yield name, vendor

    async def close(self) -> None:
        """Close the connections."""
        for client in (self.v1, self.v2):
            if client is not None:
                await client.close()


def clouds(settings: Settings) -> CalinClouds:
    """Make the clients of the services that the artifact names.

    Args:
        settings: Of a role that delivers or sells: API or jobs.
    """
    return CalinClouds(
        v1=CalinV1Client(v1_settings(settings), policy=_policy(settings, V1)) if uses(settings, V1) else None,
        v2=CalinV2Client(v2_settings(settings), policy=_policy(settings, V2)) if uses(settings, V2) else None,
        delivers=frozenset(own for own in (V1, V2) if _plugs(settings, own)),
    )


def uses(settings: Settings, own: str) -> bool:
    """Whether the artifact names a service, by its id or an alias, for deliveries or for tokens."""
    return bool(_plugs(settings, own) or _tokens(settings, own))


def v1_settings(settings: Settings) -> CalinV1Settings:
    """Read address and logins of the first generation."""
    users = {
        name: User(
            name=settings.text(f"CALIN_V1_{name.upper()}_USERNAME"),
            password=settings.secret(f"CALIN_V1_{name.upper()}_PASSWORD").reveal,
        )
        for name in ("admin", "pos", "maintenance")
    }
    return CalinV1Settings(
        url=settings.text("CALIN_V1_API"),
        company=settings.text("CALIN_V1_COMPANY_NAME"),
        simulator_url=settings.text_or_none("CALIN_SIMULATOR_API") or "",
        **users,
    )


def v2_settings(settings: Settings) -> CalinV2Settings:
    """Read address and login of the second generation."""
    return CalinV2Settings(
        url=settings.text("CALIN_V2_API"),
        company=settings.text("CALIN_V2_COMPANY_NAME"),
        customer_id=settings.text("CALIN_V2_CUSTOMER_ID"),
        username=settings.text("CALIN_V2_ADMIN_USERNAME"),
        password=settings.secret("CALIN_V2_PASSWORD").reveal,
        pos_password=settings.secret("CALIN_V2_POS_PASSWORD").reveal,
    )


def _plugs(settings: Settings, own: str) -> list[Provider]:
    metering = settings.artifact.capabilities.metering
    return [plug for plug in metering.device_adapters if metering.enabled and _is(_PLUGS, plug, own)]


def _tokens(settings: Settings, own: str) -> list[Provider]:
    metering = settings.artifact.capabilities.metering
    chosen = [*metering.token_vendors.values(), *filter(None, [metering.token_generator])]
    return [vendor for vendor in chosen if metering.enabled and _is(_VENDORS, vendor, own)]


def _is(port: str, provider: Provider, own: str) -> bool:
    found = adapters.find(port, provider.provider)
    return found is not None and found.id == own


def _policy(settings: Settings, own: str) -> CallPolicy:
    """Take the limits that the artifact gives; the adapter's own are more patient than API-37 [DM-45]."""
    given = (provider.http for provider in itertools.chain(_plugs(settings, own), _tokens(settings, own)))
    return next((call_policy(http) for http in given if http != Http()), DEFAULT_POLICY)
