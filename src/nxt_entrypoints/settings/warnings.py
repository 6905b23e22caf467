"""What the configuration allows but an operator should know: printed at boot and by ``nxt doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nxt_entrypoints.settings.artifact import Security
from nxt_entrypoints.settings.fields import slots_of
from nxt_entrypoints.settings.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nxt_entrypoints.settings.artifact import Artifact
    from nxt_entrypoints.settings.environment import Environment

_ENVIRONMENTS = ("production", "staging", "development")


def unwise(artifact: Artifact, env: Environment, roles: Sequence[Role]) -> Iterator[str]:
    """Warnings, in words and without values of variables."""
    yield from _environment(env)
    yield from changed_security(artifact.security)
    if artifact.security.socket_auth == "off":
        yield "security.socketAuth is off: everybody may listen to every grid (R50)"
    if artifact.security.internal_auth == "off":
        yield "security.internalAuth is off: internal routes answer without credential [API-58]"
    if Role.API in roles and not env.value("PUBLIC_ORDER_STRICT"):
        yield "PUBLIC_ORDER_STRICT is false: public order routes answer to ids alone (R50)"
    yield from _metering(artifact, env, roles)


def changed_security(security: Security) -> Iterator[str]:
    """Security switches that differ from the default [API-199]."""
    for slot in slots_of(Security):
        value = getattr(security, slot.attribute)
        if value != slot.default:
            yield f"security.{slot.key.name} differs from its default"


def _environment(env: Environment) -> Iterator[str]:
    if str(env.value("NXT_ENV")) not in _ENVIRONMENTS:
        yield f"NXT_ENV is none of {', '.join(_ENVIRONMENTS)}: it counts as development [API-203]"
    for url, host in (
        ("NXT_DB_URL", "NXT_DB_HOST"),
        ("NXT_TIMESCALE_DB_URL", "NXT_TIMESCALE_DB_HOST"),
        ("HERMES_URL", "HERMES_HOST"),
    ):
        if env.is_set(url) and env.is_set(host):
            yield f"{host} and its companions are ignored, because {url} is set (R31)"


def _metering(artifact: Artifact, env: Environment, roles: Sequence[Role]) -> Iterator[str]:
    metering = artifact.capabilities.metering
    if not metering.enabled or Role.API not in roles:
        return
    plugs = {plug.provider for plug in metering.device_adapters}
    if plugs & {"calin-chirpstack", "calin-lorawan"} and not env.is_set("CHIRPSTACK_INGRESS_KEY"):
        yield "CHIRPSTACK_INGRESS_KEY is unset: ChirpStack events are accepted without it [DM-107]"
    if metering.ussd is not None and not env.is_set("AFRICASTALKING_WEBHOOK_SECRET"):
        yield "AFRICASTALKING_WEBHOOK_SECRET is unset: USSD callbacks are not verified [PAY-95]"
