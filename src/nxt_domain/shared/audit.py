"""Who did what: the feed that people read, and the evidence; both are part of the act's transaction [R43, REL-167]."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import attrs


class ActorKind(StrEnum):
    """What kind of caller acted."""

    MEMBER = "MEMBER"
    AGENT = "AGENT"
    CUSTOMER = "CUSTOMER"
    API_KEY = "API_KEY"
    WEBHOOK = "WEBHOOK"
    JOB = "JOB"
    RECONCILER = "RECONCILER"
    OPERATOR = "OPERATOR"


@attrs.frozen(kw_only=True)
class Actor:
    """Whoever acted, as they were at that moment.

    Attributes:
        account_id: Their account; None: no person (a job, a vendor).
        api_key_id: The key they used, if any.
        label: Their name.
        request_id: Of the request, as in the log.
        source_ip: Where it came from.
    """

    kind: ActorKind
    label: str
    account_id: int | None = None
    api_key_id: int | None = None
    request_id: str | None = None
    source_ip: str | None = None


@attrs.frozen(kw_only=True)
class Subjects:
    """What an act was about, in the feed: ids of the things concerned [API-217]."""

    organization_id: int | None = None
    grid_id: int | None = None
    member_id: int | None = None
    agent_id: int | None = None
    customer_id: int | None = None
    connection_id: int | None = None
    meter_id: int | None = None
    dcu_id: int | None = None


@attrs.frozen(kw_only=True)
class Act:
    """One thing that was done.

    Attributes:
        action: ``<entity>.<verb>``, e.g. ``customer.create``.
        entity_type: Table-like name of what was changed, e.g. ``customer``.
        entity_id: Its id.
        message: Sentence for the feed; None: evidence only.
        about: Ids for the feed.
        before: Changed fields as they were; no secrets [REL-142].
        after: Changed fields as they are; no secrets.
        reason: What the actor said, if anything.
        is_fs_command: Whether the act is about a full-service switching rule.
    """

    actor: Actor
    action: str
    entity_type: str
    entity_id: int | None
    message: str | None = None
    about: Subjects = Subjects()
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    reason: str | None = None
    is_fs_command: bool = False


class AuditTrail(Protocol):
    """The part of a transaction that records acts."""

    async def record(self, *acts: Act) -> None:
        """Store acts with the transaction: a row of evidence each, and a line in the feed where there is a message."""


class AuditedTransaction(Protocol):
    """A transaction that records who did what."""

    @property
    def audit(self) -> AuditTrail:
        """Where acts are recorded."""
