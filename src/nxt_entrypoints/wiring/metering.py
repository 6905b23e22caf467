"""Meters' adapters: delivery plug-ins, token makers, pace and patience."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nxt_adapters.calin_api import DcuIntake
from nxt_adapters.calin_api.v1 import PLUGIN_ID as CALIN_V1
from nxt_adapters.calin_api.v2 import PLUGIN_ID as CALIN_V2
from nxt_adapters.chirpstack import (
    DEFAULT_POLICY,
    ChirpStackApi,
    ChirpStackIngress,
    ChirpStackIntake,
    ChirpStackNetworkServer,
    ChirpStackSettings,
)
from nxt_adapters.device_messaging import DeviceMessagingClient, DeviceMessagingSettings
from nxt_adapters.nxt_sts import NxtStsSettings, NxtStsVendor
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.unit_of_work import MessagesOf
from nxt_adapters.supabase.waiting_commands import PostgresWaitingCommands
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import Intake, PushPlugin
from nxt_domain.messaging.remote import MessagingService, RemoteDeviceMessages
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.messaging.use_cases.receive_events import ReceiveDeliveryEvent
from nxt_domain.meters.use_cases.top_ups import TokenMakers
from nxt_domain.tokens.native import NativeTokenMaker
from nxt_domain.tokens.ports import LocalTokenMaker, TokenVendor
from nxt_domain.tokens.sts import BaseDate
from nxt_domain.tokens.test_vendor import TestTokenMaker
from nxt_entrypoints.api.stand_alone_messaging import StandAloneMessaging, forwarding
from nxt_entrypoints.settings import adapters
from nxt_entrypoints.settings.artifact import DeviceAdapter
from nxt_entrypoints.settings.policy import call_policy
from nxt_entrypoints.settings.settings import Settings
from nxt_entrypoints.wiring.calin import CalinClouds
from nxt_entrypoints.wiring.tuning import policy_of, tuning_of

_CHIRPSTACK_IDS = frozenset({"calin-chirpstack", "calin-lorawan"})


def chirpstack_api(settings: Settings) -> ChirpStackApi:
    """Open the (lazy) channel to ChirpStack."""
    token = settings.secret("CHIRPSTACK_API_TOKEN")
    return ChirpStackApi(
        ChirpStackSettings(
            api_url=settings.text("CHIRPSTACK_API_URL"),
            api_token=token.reveal,
            is_tls=settings.has("CHIRPSTACK_API_TLS") and settings.flag("CHIRPSTACK_API_TLS"),
            policy=DEFAULT_POLICY,
        )
    )


def chirpstack_ingress(settings: Settings) -> ChirpStackIngress:
    """Read what ChirpStack posts."""
    return ChirpStackIngress(lambda: settings.text_or_none("CHIRPSTACK_INGRESS_KEY"))


def plugins(settings: Settings, chirpstack: ChirpStackApi | None, clouds: CalinClouds) -> PluginSet:
    """Collect the enabled delivery plug-ins.

    Args:
        settings: Names them under ``capabilities.metering.deviceAdapters``.
        chirpstack: Its channel; None: ChirpStack is not enabled.
        clouds: CALIN's services.
    """
    metering = settings.artifact.capabilities.metering
    push: list[PushPlugin] = [] if chirpstack is None else [ChirpStackNetworkServer(chirpstack)]
    pull = list(clouds.plugins())
    enabled = {plugin.plugin_id for plugin in (*push, *pull)}
    given = {_own_id(plug): tuning_of(plug.tuning) for plug in metering.device_adapters if metering.enabled}
    return PluginSet.of(push=push, pull=pull, tunings={own: each for own, each in given.items() if own in enabled})


def intakes() -> Mapping[str, Intake]:
    """Know every plug-in that this version has, as far as enqueueing goes: for commands that send nothing."""
    known: tuple[Intake, ...] = (ChirpStackIntake(), DcuIntake(CALIN_V1), DcuIntake(CALIN_V2))
    return {intake.plugin_id: intake for intake in known}


def is_stand_alone(settings: Settings) -> bool:
    """Whether device messages live in a service of their own [DM-2]."""
    return settings.has("DEVICE_MESSAGING_URL")


def messaging_client(settings: Settings) -> DeviceMessagingClient:
    """Build the client of that service."""
    key = settings.text_or_none("DEVICE_MESSAGING_API_KEY") or ""
    return DeviceMessagingClient(DeviceMessagingSettings(url=settings.text("DEVICE_MESSAGING_URL"), api_key=key))


def remote_messages(session: Session, *, service: MessagingService, new_id: Callable[[], str]) -> RemoteDeviceMessages:
    """Open the adopter's side of the service in a transaction."""
    return RemoteDeviceMessages(
        outbox=PostgresOutbox(session),
        waiting=PostgresWaitingCommands(session),
        service=service,
        new_id=new_id,
    )


def chosen_messages(settings: Settings, embedded: MessagesOf, remote: MessagesOf) -> MessagesOf:
    """Choose where commands go."""
    return remote if is_stand_alone(settings) else embedded


def stand_alone_messaging(
    settings: Settings, receive: ReceiveDeliveryEvent, client: Callable[[], DeviceMessagingClient]
) -> StandAloneMessaging:
    """Tell the API role's routes about the service; without it they pass nothing on and believe nothing."""
    ingress_key = settings.text_or_none("CHIRPSTACK_INGRESS_KEY")
    is_there = is_stand_alone(settings)
    return StandAloneMessaging(
        secret=settings.text_or_none("DEVICE_MESSAGING_WEBHOOK_SECRET") if is_there else None,
        receive=receive,
        forward=forwarding(client(), ingress_key) if is_there else None,
    )


def uses_chirpstack(settings: Settings) -> bool:
    """Whether this process speaks to ChirpStack: its meters are enabled, and their messages embedded."""
    metering = settings.artifact.capabilities.metering
    if not metering.enabled or is_stand_alone(settings):
        return False
    return any(adapter.provider in _CHIRPSTACK_IDS for adapter in metering.device_adapters)


def delivery_policy(settings: Settings) -> DeliveryPolicy:
    """Read what holds for messages of all plug-ins."""
    return policy_of(settings.artifact.capabilities.metering.messaging.delivery)


def token_makers(settings: Settings, clouds: CalinClouds) -> TokenMakers:
    """Choose who makes the tokens of each protocol; of a vendor that is not configured nobody makes any.

    Args:
        settings: Names them under ``capabilities.metering.tokenVendors``.
        clouds: CALIN's services, whose connections are closed with it.
    """
    metering = settings.artifact.capabilities.metering
    native = NativeTokenMaker(base=BaseDate(metering.sts.base_date), key_expiry=metering.sts.key_expiry)
    known: dict[str, LocalTokenMaker | TokenVendor] = {
        "native": native,
        "test": TestTokenMaker(),
        **dict(clouds.vendors()),
    }
    chosen = {protocol: metering.token_vendor(protocol.value) for protocol in CommunicationProtocol}
    for provider in chosen.values():
        if provider.provider == "nxt-sts" and "nxt-sts" not in known:
            address = NxtStsSettings(url=settings.text("STS_GENERATOR_API"))
            known["nxt-sts"] = NxtStsVendor(address, policy=call_policy(provider.http))
    return {protocol: known[each.provider] for protocol, each in chosen.items() if each.provider in known}


async def close_makers(makers: TokenMakers) -> None:
    """Close the connections of vendors elsewhere."""
    for maker in set(makers.values()):
        if isinstance(maker, NxtStsVendor):
            await maker.close()


def _own_id(adapter: DeviceAdapter) -> str:
    found = adapters.find("metering.deviceAdapters", adapter.provider)
    return adapter.provider if found is None else found.id
