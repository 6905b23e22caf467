"""Supply contracts: connections of customers, and the meters they ask for [REL-46, REL-47]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from nxt_domain.grids.model import MeterPhase
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.money import Currency


class IdDocumentType(StrEnum):
    """Identity document that a customer showed."""

    PASSPORT = "PASSPORT"
    NATIONAL_ID = "NATIONAL_ID"
    DRIVING_LICENSE = "DRIVING_LICENSE"
    VOTERS_CARD = "VOTERS_CARD"


@attrs.frozen(kw_only=True)
class ContractTerms:
    """What a contract says; dashboards may change all of it but the currency.

    Attributes:
        upload_uuid: Id of the survey form it came from; unique over all connections.
        external_system: Where it came from.
        women_impacted: Women living or working there.
        is_lifeline: Little is consumed there; None: not classified yet.
        is_public: Used by a public institution; a connection has at least one of the three uses.
    """

    customer_id: int
    upload_uuid: str | None = None
    external_system: ExternalSystem | None = ExternalSystem.EPICOLLECT
    document_type: IdDocumentType | None = IdDocumentType.PASSPORT
    document_id: str | None = None
    women_impacted: int
    is_lifeline: bool | None = None
    is_public: bool
    is_commercial: bool
    is_residential: bool
    is_building_wired: bool | None = False
    is_using_led_bulbs: bool | None = False

    def __attrs_post_init__(self) -> None:
        if not (self.is_public or self.is_commercial or self.is_residential):
            raise InvalidInput("one of is_public, is_commercial, is_residential must be true", code="USE_MISSING")


@attrs.frozen(kw_only=True)
class NewConnection(ContractTerms):
    """A connection to be made.

    Attributes:
        currency: Of its fees and of its wallet.
    """

    currency: Currency


@attrs.frozen(kw_only=True)
class Connection(ContractTerms):
    """A stored connection.

    Attributes:
        deleted_at: When it was given up; None: it is in force.
        organization_id: The tenant that it belongs to.
    """

    id: int
    deleted_at: datetime | None = None
    organization_id: int | None = None

    def changed(self, changes: Mapping[str, Any]) -> Connection:
        """Apply a client's changes [API-84].

        Args:
            changes: New values by name; None clears a value.

        Raises:
            InvalidInput: A value that every connection has would be cleared, or no use would be left.
        """
        cleared = [name for name, value in changes.items() if value is None and name in _NEVER_EMPTY]
        if cleared:
            raise InvalidInput([f"{name} should not be empty" for name in cleared], code="VALUE_REFUSED")
        return attrs.evolve(self, **changes)


_NEVER_EMPTY = frozenset({"customer_id", "women_impacted", "is_public", "is_commercial", "is_residential"})


@attrs.frozen(kw_only=True)
class MeterRequest:
    """A meter that a contract asks for.

    Attributes:
        fee: Charged for it, in major units of the connection's currency.
    """

    meter_type: MeterType
    meter_phase: MeterPhase
    fee: Decimal


@attrs.frozen(kw_only=True)
class RequestedMeter(MeterRequest):
    """A stored request."""

    id: int
    is_deleted: bool = False


@attrs.frozen(kw_only=True)
class RequestedMeterEdit(MeterRequest):
    """One element of the list that a client sends.

    Attributes:
        id: Of the stored request; None: a new one.
        is_deleted: The client took it off the list.
    """

    id: int | None = None
    is_deleted: bool = False


@attrs.frozen(kw_only=True)
class RequestedMeterChanges:
    """What a client's list changes in the stored one."""

    added: Sequence[MeterRequest]
    changed: Sequence[RequestedMeter]
    deleted_ids: Sequence[int]


def compare_requested_meters(
    stored: Sequence[RequestedMeter], edits: Sequence[RequestedMeterEdit]
) -> RequestedMeterChanges:
    """Tell what a client's list changes; stored ones that it does not name stay as they are [API-83, MET-196].

    Args:
        stored: All requests of the connection, deleted ones too: to delete one again changes nothing.
        edits: The list as the client sees it.

    Raises:
        InvalidInput: An id is not one of the connection's, or comes twice.
    """
    ids = [edit.id for edit in edits if edit.id is not None]
    deleted = {meter.id for meter in stored if meter.is_deleted}
    alive = {meter.id: meter for meter in stored if not meter.is_deleted}
    repeatable = deleted & {edit.id for edit in edits if edit.is_deleted}
    foreign = [meter_id for meter_id in ids if meter_id not in alive.keys() | repeatable]
    if foreign or len(set(ids)) < len(ids):
        raise InvalidInput(
            "requested_meters must name meters of this connection, each once", code="REQUESTED_METER_UNKNOWN"
        )
    remaining = [edit for edit in edits if not edit.is_deleted]
    kept = [RequestedMeter(id=edit.id, **_request(edit)) for edit in remaining if edit.id is not None]
    return RequestedMeterChanges(
        added=[MeterRequest(**_request(edit)) for edit in remaining if edit.id is None],
        changed=[meter for meter in kept if meter != alive[meter.id]],
        deleted_ids=[edit.id for edit in edits if edit.is_deleted and edit.id in alive],
    )


def _request(edit: RequestedMeterEdit) -> dict[str, Any]:
    return {"meter_type": edit.meter_type, "meter_phase": edit.meter_phase, "fee": edit.fee}
