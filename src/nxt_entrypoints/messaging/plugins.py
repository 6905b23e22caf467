"""From listed plug-ins to what delivers, mints and takes posts: one builder for each id [DM-165].

A vendor's plug-in joins by a line in ``BUILDERS`` and its variables in ``plugin_names``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import attrs
from prometheus_client import REGISTRY

from nxt_adapters.calin_api import CalinMint
from nxt_adapters.calin_api.v1 import CalinV1Client, CalinV1Meters, CalinV1Settings, CalinV1TokenVendor
from nxt_adapters.calin_api.v1 import User as V1User
from nxt_adapters.calin_api.v2 import CalinV2Client, CalinV2Meters, CalinV2Settings, CalinV2TokenVendor
from nxt_adapters.chirpstack import ChirpStackApi, ChirpStackIngress, ChirpStackNetworkServer, ChirpStackSettings
from nxt_adapters.chirpstack.ingress import IngressMetrics
from nxt_adapters.memory.plugins import StubPull, StubPush
from nxt_adapters.nxt_sts import NxtStsMint, NxtStsSettings
from nxt_domain.messaging.mint import TokenMint, TokenOrder
from nxt_domain.messaging.model import DeviceEvent, EventHalf
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import PullPlugin, PushPlugin
from nxt_entrypoints.messaging.document import PluginEntry
from nxt_entrypoints.messaging.settings import MessagingSettings
from nxt_entrypoints.settings.problems import ConfigInvalid, Problem
from nxt_entrypoints.wiring.tuning import tuning_of

NewId = Callable[[], str]


@attrs.frozen(kw_only=True)
class Post:
    """What a vendor posted.

    Attributes:
        headers: Names in lower case.
        query: Of a repeated parameter the first value [DM-150].
        raw_body: As received.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    raw_body: bytes


class Ingress(Protocol):
    """A push plug-in's way in."""

    def authenticate(self, post: Post) -> None:
        """Check who posts, over the raw bytes.

        Raises:
            Unauthenticated: ``Invalid signature``.
        """

    def read(self, post: Post, body: object) -> DeviceEvent | EventHalf | None:
        """Translate; None: there is nothing in it, which is counted."""


@attrs.frozen(kw_only=True)
class Plugin:
    """All that one plug-in offers; what is None it does not do.

    Attributes:
        push: Delivers, and hears by ``ingress``.
        pull: Delivers, and asks.
        mint: Makes tokens.
        close: Ends its connections.
    """

    id: str
    push: PushPlugin | None = None
    pull: PullPlugin | None = None
    ingress: Ingress | None = None
    mint: TokenMint | None = None
    close: Callable[[], Awaitable[None]] | None = None


class _ChirpStackPosts:
    def __init__(self, ingress: ChirpStackIngress) -> None:
        self._ingress = ingress

    def authenticate(self, post: Post) -> None:
        self._ingress.authenticate(post.headers.get("x-api-key"))

    def read(self, post: Post, body: object) -> DeviceEvent | EventHalf | None:
        return self._ingress.ingest(post.query.get("event"), body)


class _StubPosts:
    def __init__(self, stub: StubPush) -> None:
        self._stub = stub

    def authenticate(self, post: Post) -> None:
        """Everybody may post: it is for tests."""

    def read(self, post: Post, body: object) -> DeviceEvent | EventHalf | None:
        del post
        news = self._stub.read_ingress(body) if isinstance(body, dict) else None
        if news is None:
            IngressMetrics.of(REGISTRY).unhandled.labels(self._stub.plugin_id).inc()
        return news


class _StubMint:
    async def mint(self, order: TokenOrder) -> str:
        del order
        return "stub-token"


def _chirpstack(settings: MessagingSettings, new_id: NewId) -> Plugin:
    del new_id
    api = ChirpStackApi(
        ChirpStackSettings(
            api_url=settings.text("CHIRPSTACK_API_URL"),
            api_token=lambda: settings.text("CHIRPSTACK_API_TOKEN"),
            is_tls=settings.flag("CHIRPSTACK_API_TLS"),
        )
    )
    key = settings.text("CHIRPSTACK_INGRESS_KEY") if settings.has("CHIRPSTACK_INGRESS_KEY") else None
    return Plugin(
        id="calin-chirpstack",
        push=ChirpStackNetworkServer(api),
        ingress=_ChirpStackPosts(ChirpStackIngress(lambda: key)),
        close=api.close,
    )


def _calin_v1(settings: MessagingSettings, new_id: NewId) -> Plugin:
    del new_id

    def user(name: str) -> V1User:
        prefix = f"CALIN_API_V1_{name}"
        return V1User(name=settings.text(f"{prefix}_USERNAME"), password=lambda: settings.text(f"{prefix}_PASSWORD"))

    client = CalinV1Client(
        CalinV1Settings(
            url=settings.text("CALIN_API_V1_URL"),
            company=settings.text("CALIN_API_V1_COMPANY_NAME"),
            admin=user("ADMIN"),
            pos=user("POS"),
            maintenance=user("MAINTENANCE"),
        )
    )
    meters = CalinV1Meters(client)
    return Plugin(id=meters.plugin_id, pull=meters, mint=CalinMint(CalinV1TokenVendor(client)), close=client.close)


def _calin_v2(settings: MessagingSettings, new_id: NewId) -> Plugin:
    del new_id
    client = CalinV2Client(
        CalinV2Settings(
            url=settings.text("CALIN_API_V2_URL"),
            company=settings.text("CALIN_API_V2_COMPANY_NAME"),
            customer_id=settings.text("CALIN_API_V2_CUSTOMER_ID"),
            username=settings.text("CALIN_API_V2_ADMIN_USERNAME"),
            password=lambda: settings.text("CALIN_API_V2_ADMIN_PASSWORD"),
            pos_password=lambda: settings.text("CALIN_API_V2_POS_PASSWORD"),
        )
    )
    meters = CalinV2Meters(client)
    return Plugin(id=meters.plugin_id, pull=meters, mint=CalinMint(CalinV2TokenVendor(client)), close=client.close)


def _nxt_sts(settings: MessagingSettings, new_id: NewId) -> Plugin:
    del new_id
    mint = NxtStsMint(NxtStsSettings(url=settings.text("NXT_STS_URL")))
    return Plugin(id="nxt-sts", mint=mint, close=mint.close)


def _stub_push(settings: MessagingSettings, new_id: NewId) -> Plugin:
    del settings
    stub = StubPush(new_id)
    return Plugin(id=stub.plugin_id, push=stub, ingress=_StubPosts(stub), mint=_StubMint())


def _stub_pull(settings: MessagingSettings, new_id: NewId) -> Plugin:
    del settings
    stub = StubPull(new_id)
    return Plugin(id=stub.plugin_id, pull=stub)


Builder = Callable[[MessagingSettings, NewId], Plugin]

BUILDERS: Mapping[str, Builder] = {
    "calin-chirpstack": _chirpstack,
    "calin-api-v1": _calin_v1,
    "calin-api-v2": _calin_v2,
    "nxt-sts": _nxt_sts,
    "stub-push": _stub_push,
    "stub-pull": _stub_pull,
}


@attrs.frozen(kw_only=True)
class Plugins:
    """The plug-ins of this process.

    Attributes:
        by_id: All that are listed; only these exist.
        deliverers: Those that take messages, for the engine.
    """

    by_id: Mapping[str, Plugin]
    deliverers: PluginSet

    async def close(self) -> None:
        """End all connections."""
        for plugin in self.by_id.values():
            if plugin.close is not None:
                await plugin.close()


def build_plugins(settings: MessagingSettings, new_id: NewId) -> Plugins:
    """Build the listed plug-ins with their tuning.

    Raises:
        ConfigInvalid: This version has no builder for one of them.
    """
    entries = settings.document.plugins
    strange = [
        Problem("config", f"plugins[{index}].id", f'"{entry.id}" is not part of this version')
        for index, entry in enumerate(entries)
        if entry.id not in BUILDERS
    ]
    if strange:
        raise ConfigInvalid(strange, settings.source)
    built = [BUILDERS[entry.id](settings, new_id) for entry in entries]
    return Plugins(by_id={plugin.id: plugin for plugin in built}, deliverers=_deliverers(built, entries))


def _deliverers(built: Sequence[Plugin], entries: Sequence[PluginEntry]) -> PluginSet:
    push = [plugin.push for plugin in built if plugin.push is not None]
    pull = [plugin.pull for plugin in built if plugin.pull is not None]
    ids = {plugin.plugin_id for plugin in (*push, *pull)}
    tunings = {entry.id: tuning_of(entry.tuning) for entry in entries if entry.id in ids}
    return PluginSet.of(push=push, pull=pull, tunings=tunings)
