"""Everything else that the enabled capabilities talk to, each asked something harmless."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import psycopg

from nxt_adapters.calin_api.v1 import CalinV1Client, CalinV1Meters
from nxt_adapters.calin_api.v2 import CalinV2Client, CalinV2Meters
from nxt_adapters.chirpstack import ChirpStackNetworkServer
from nxt_adapters.gotrue.admin import GoTrueIdentityProvider
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_adapters.system.clock import SystemClock
from nxt_adapters.victron.budget import LocalBudget
from nxt_adapters.victron.mqtt import VictronPlantMonitor
from nxt_adapters.victron.vrm import VrmSiteDevices
from nxt_domain.orders.gateway_ports import UnknownPayment
from nxt_domain.shared.errors import UpstreamFailed
from nxt_entrypoints.checkup.findings import CLOCK_LIMIT_S, Finding, clock, look, now
from nxt_entrypoints.wiring import calin, messages, metering, payments, people, plants

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import LiteralString

    from nxt_entrypoints.settings.settings import Settings

_PATIENCE_S = 5.0
_ONCE = CallPolicy(timeout_s=_PATIENCE_S, connect_timeout_s=_PATIENCE_S, retry=RetryPolicy(attempts=1))
_NOBODYS_PAYMENT = "nxt-doctor"
_A_PLANT = (
    "(select generation_external_gateway_id from public.grids where generation_external_gateway_id <> '' limit 1)"
)
_A_SITE = "select generation_external_site_id from public.grids where generation_external_site_id <> '' limit 1"
_ROLES = {
    "TIAMAT_API": "API role",
    "TALOS_API": "provisioning role",
    "LOCH_API": "jobs role",
    "YETI_API": "telemetry role",
}


def live(settings: Settings, relational_url: str) -> list[Coroutine[Any, Any, Sequence[Finding]]]:
    """Return the live checks of what is enabled, to be run at once.

    Args:
        settings: Checked.
        relational_url: Names a plant whose broker is asked; empty: any broker.
    """
    capabilities = settings.artifact.capabilities
    checks = []
    if metering.uses_chirpstack(settings):
        advice = "check CHIRPSTACK_API_URL, CHIRPSTACK_API_TOKEN and CHIRPSTACK_API_TLS"
        checks.append(_one("ChirpStack", partial(_chirpstack, settings), advice))
    for own, name, prefix in (("calin-api-v1", "CALIN V1", "CALIN_V1"), ("calin-api-v2", "CALIN V2", "CALIN_V2")):
        if calin.uses(settings, own):
            advice = f"check {prefix}_API, {prefix}_COMPANY_NAME and the users and passwords beside them"
            checks.append(_one(name, partial(_calin, settings, own), advice))
    if capabilities.payments.enabled:
        name, prefix = ("Paystack", "PAYSTACK") if payments.uses_paystack(settings) else ("Flutterwave", "FLW")
        checks.append(_one(name, partial(_payments, settings), f"check {prefix}_API and {prefix}_SECRET_KEY"))
    if messages.is_configured(settings):
        advice = "check AFRICASTALKING_USERNAME, AFRICASTALKING_API_KEY and AFRICASTALKING_API_URL"
        checks.append(_one("Africa's Talking", partial(_sms, settings), advice))
    if capabilities.production.enabled and capabilities.production.energy_monitoring is not None:
        advice = "check VICTRON_USERNAME, VICTRON_PASSWORD or VICTRON_API_TOKEN, and VICTRON_MQTT_URL"
        checks.append(_one("Victron MQTT", partial(_plants, settings, relational_url), advice))
        advice = "check VICTRON_API_URL, and VICTRON_USERNAME and VICTRON_PASSWORD or VICTRON_API_TOKEN"
        checks.append(_one("Victron VRM", partial(_portal, settings, relational_url), advice))
    if not people.is_local(settings):
        checks.append(_identity_provider(settings))
    for variable, role in _ROLES.items():
        if settings.has(variable):
            advice = f"check {variable}, and that the role runs: its /readyz names what fails"
            checks.append(_one(role, partial(_role, settings.text(variable)), advice))
    return checks


async def _one(what: str, check: Callable[[], Awaitable[str]], advice: str) -> Sequence[Finding]:
    return [await look(what, check, advice=advice, within_s=_PATIENCE_S)]


async def _chirpstack(settings: Settings) -> str:
    server = ChirpStackNetworkServer(metering.chirpstack_api(settings))
    try:
        return await server.check()
    finally:
        await server.close()


async def _calin(settings: Settings, own: str) -> str:
    if own == "calin-api-v1":
        first = CalinV1Meters(CalinV1Client(calin.v1_settings(settings), policy=_ONCE))
        try:
            return await first.check()
        finally:
            await first.close()
    second = CalinV2Meters(CalinV2Client(calin.v2_settings(settings), policy=_ONCE))
    try:
        return await second.check()
    finally:
        await second.close()


async def _payments(settings: Settings) -> str:
    """Ask for a payment that nobody made: only who knows our key says that there is none."""
    accounts = payments.merchant_accounts(settings, None, _ONCE)
    try:
        account = await accounts.for_organization(None)
        await account.gateway.verify_by_reference(_NOBODYS_PAYMENT)
    except UnknownPayment:
        return "answers, and accepts the platform's key"
    finally:
        await accounts.close()
    return "answers, and knows a payment that nobody made"


async def _sms(settings: Settings) -> str:
    gateway = messages.sms(settings)
    try:
        return await gateway.check()
    finally:
        await gateway.close()


async def _plants(settings: Settings, relational_url: str) -> str:
    monitor = plants.plant_monitor(settings)
    if not isinstance(monitor, VictronPlantMonitor):
        raise TypeError("no plant is monitored in this deployment")
    return await monitor.check(await _known(relational_url, _A_PLANT) or _NOBODYS_PAYMENT)


async def _portal(settings: Settings, relational_url: str) -> str:
    """Ask VRM what stands on one site."""
    site = await _known(relational_url, _A_SITE)
    if not site:
        return "not asked: no grid names its site yet"
    api = plants.vrm_api(settings, LocalBudget(settings.number("VRM_REQUESTS_PER_SECOND")), SystemClock())
    try:
        return f"lists {len(await VrmSiteDevices(api).of_site(site))} devices of a site"
    finally:
        await api.close()


async def _known(relational_url: str, query: LiteralString) -> str | None:
    try:
        async with await psycopg.AsyncConnection.connect(relational_url, connect_timeout=2) as connection:
            row = await (await connection.execute(query)).fetchone()
    except psycopg.Error:
        return None
    return str(row[0]) if row else None


async def _identity_provider(settings: Settings) -> Sequence[Finding]:
    base = f"{settings.text('SUPABASE_API_URL').rstrip('/')}/auth/v1"
    headers = {"apikey": settings.text("SUPABASE_ANON_KEY")}
    clocks: list[Finding] = []

    async def health() -> str:
        before = now()
        async with aiohttp.ClientSession() as session, session.get(f"{base}/health", headers=headers) as answer:
            if answer.status != 200:
                raise UpstreamFailed(f"answers {answer.status}")
            facts = await answer.json(content_type=None)
            # The header counts whole seconds: half of one is added, and as much more is granted.
            theirs = parsedate_to_datetime(answer.headers["Date"])
            off_s = (theirs - before).total_seconds() + 0.5
            clocks.append(clock("identity provider", off_s, limit_s=CLOCK_LIMIT_S + 0.5))
        return f"{facts.get('name', 'GoTrue')} {facts.get('version', '')}".strip()

    async def administrator() -> str:
        key = settings.text("SUPABASE_SERVICE_ROLE_KEY")
        provider = GoTrueIdentityProvider(settings.text("SUPABASE_API_URL"), key, policy=_ONCE)
        try:
            return await provider.check()
        finally:
            await provider.close()

    found = await asyncio.gather(
        look(
            "identity provider",
            health,
            advice="check SUPABASE_API_URL and SUPABASE_ANON_KEY: without it nobody signs in",
            within_s=_PATIENCE_S,
        ),
        look(
            "identity administration",
            administrator,
            advice="check SUPABASE_API_URL and SUPABASE_SERVICE_ROLE_KEY: without them no login is made or ended",
            within_s=_PATIENCE_S,
        ),
    )
    return [*found, *clocks]


async def _role(address: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{address.rstrip('/')}/readyz") as answer:
        facts = await answer.json(content_type=None)
        if answer.status != 200:
            raise UpstreamFailed(f"not ready: {', '.join(facts.get('failing', ())) or answer.status}")
    return "ready"
