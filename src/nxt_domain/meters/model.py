"""Meters and their interactions [MET 3, 5]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.grids.model import CommunicationProtocol, MeterPhase
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.json import JsonObject

MAX_FAILURE_RECORDS = 50
LARGEST_TOP_UP_KWH = Decimal(10_000)
"""More than a person ever means to buy at once [MET-48, R13]."""


class InteractionType(StrEnum):
    """What a meter can be asked, told, or say of itself [MET-10]."""

    READ_CREDIT = "READ_CREDIT"
    READ_POWER_LIMIT = "READ_POWER_LIMIT"
    READ_VOLTAGE = "READ_VOLTAGE"
    SET_POWER_LIMIT = "SET_POWER_LIMIT"
    TOP_UP = "TOP_UP"
    TURN_ON = "TURN_ON"
    TURN_OFF = "TURN_OFF"
    READ_POWER = "READ_POWER"
    READ_CURRENT = "READ_CURRENT"
    CLEAR_CREDIT = "CLEAR_CREDIT"
    CLEAR_TAMPER = "CLEAR_TAMPER"
    READ_REPORT = "READ_REPORT"
    JOIN_NETWORK = "JOIN_NETWORK"
    DELIVER_PREEXISTING_TOKEN = "DELIVER_PREEXISTING_TOKEN"  # noqa: S105 - a command's name
    READ_VERSION = "READ_VERSION"
    READ_DATE = "READ_DATE"
    SET_DATE = "SET_DATE"
    READ_TIME = "READ_TIME"
    SET_TIME = "SET_TIME"


class InteractionStatus(StrEnum):
    """The seven public statuses [MET-11]."""

    QUEUED = "QUEUED"
    ABORTED = "ABORTED"
    PROCESSING = "PROCESSING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    DEFERRED = "DEFERRED"
    SUSPENDED = "SUSPENDED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected to happen."""
        return self in {InteractionStatus.SUCCESSFUL, InteractionStatus.FAILED, InteractionStatus.ABORTED}

    def may_become(self, status: InteractionStatus) -> bool:
        """Whether the life of an interaction knows this step [MET-52]; staying is one while unfinished."""
        return status in _ALLOWED[self] or (status is self and not self.is_final)


# The steps of [MET-52].
_ALLOWED: dict[InteractionStatus, frozenset[InteractionStatus]] = {
    InteractionStatus.QUEUED: frozenset(
        {
            InteractionStatus.PROCESSING,
            InteractionStatus.SUCCESSFUL,
            InteractionStatus.FAILED,
            InteractionStatus.SUSPENDED,
            InteractionStatus.ABORTED,
        }
    ),
    InteractionStatus.PROCESSING: frozenset(
        {
            InteractionStatus.QUEUED,
            InteractionStatus.SUCCESSFUL,
            InteractionStatus.FAILED,
            InteractionStatus.ABORTED,
        }
    ),
    InteractionStatus.SUSPENDED: frozenset(
        {
            InteractionStatus.QUEUED,
            InteractionStatus.DEFERRED,
            InteractionStatus.ABORTED,
        }
    ),
    InteractionStatus.DEFERRED: frozenset({InteractionStatus.QUEUED, InteractionStatus.ABORTED}),
    InteractionStatus.FAILED: frozenset(
        {
            InteractionStatus.QUEUED,
            InteractionStatus.SUSPENDED,
            InteractionStatus.ABORTED,
            InteractionStatus.SUCCESSFUL,
        }
    ),
    InteractionStatus.SUCCESSFUL: frozenset(),
    InteractionStatus.ABORTED: frozenset(),
}


class Resolution(StrEnum):
    """Why an interaction ended."""

    DELIVERED = "DELIVERED"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    TOKEN_FAILED = "TOKEN_FAILED"  # noqa: S105 - an outcome's name
    UNSUPPORTED = "UNSUPPORTED"
    UNREACHABLE = "UNREACHABLE"
    SUPERSEDED = "SUPERSEDED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    UNINSTALLED = "UNINSTALLED"
    COMMISSIONING_FAILED = "COMMISSIONING_FAILED"


class Origin(StrEnum):
    """Who asked for an interaction [MET-55]."""

    USER = "USER"
    BATCH = "BATCH"
    ORDER = "ORDER"
    COMMISSIONING = "COMMISSIONING"
    FOLLOW_UP = "FOLLOW_UP"
    RECONCILER = "RECONCILER"
    VERIFICATION = "VERIFICATION"
    UNSOLICITED = "UNSOLICITED"


class VerificationState(StrEnum):
    """How far the look into an unclear outcome has come [MET-123]."""

    VERIFYING = "VERIFYING"
    CONFIRMED = "CONFIRMED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"


@attrs.frozen(kw_only=True)
class InteractionFailure:
    """A failure record of an interaction, as dashboards render it [MET-24].

    Attributes:
        status: Interaction or delivery status at the moment of failure.
        code: Stable upper-case code, if the failure is our own verdict.
    """

    timestamp: datetime
    status: str
    reason: str
    error_code: int | str | None = None
    details: str | None = None
    is_final: bool = False
    code: str | None = None


@attrs.frozen(kw_only=True)
class Interaction:
    """One command to a meter, or one event from it; one attempt to realise an intent.

    Attributes:
        energy_kwh: ``transactive_kwh`` of a top-up.
        delivery_failures: Newest first, at most fifty.
        priority: Higher is sooner; set once, only ever raised [MET-72].
        first_transmitted_at: When the delivery layer first handed it on.
        grid_id: Of the meter now; decides the room its news go to.
    """

    id: int
    created_at: datetime
    updated_at: datetime
    meter_id: int
    type: InteractionType
    status: InteractionStatus
    origin: Origin
    priority: int = 10
    token: str | None = attrs.field(default=None, repr=lambda token: "None" if token is None else "'•••'")
    energy_kwh: Decimal | None = None
    target_power_limit_w: int | None = None
    payload: JsonObject | None = None
    result: JsonObject | None = None
    delivery_failures: Sequence[InteractionFailure] = ()
    order_id: int | None = None
    batch_execution_id: int | None = None
    meter_commissioning_id: int | None = None
    resolution: Resolution | None = None
    follow_up_of_id: int | None = None
    superseded_by_id: int | None = None
    expires_at: datetime | None = None
    verification_state: VerificationState | None = None
    attempts: int = 0
    first_transmitted_at: datetime | None = None
    token_issued_at: datetime | None = None

    def moved_to(self, status: InteractionStatus, **changes: object) -> Interaction:
        """Return the interaction in another status.

        Raises:
            Conflict: The life of an interaction knows no such step [MET-52].
        """
        if not self.status.may_become(status):
            raise Conflict(f"Interaction {self.id} can't go from {self.status} to {status}", code="TRANSITION_REFUSED")
        return attrs.evolve(self, status=status, **changes)  # type: ignore[arg-type]  # names are checked by attrs


@attrs.frozen(kw_only=True)
class InteractionOwner:
    """Who may see an interaction: whoever may see its meter.

    Attributes:
        customer_account_id: Account of the customer whom the meter serves.
    """

    organization_id: int | None
    grid_id: int | None
    customer_account_id: int | None


@attrs.frozen(kw_only=True)
class NewInteraction:
    """An interaction to be stored; see ``Interaction`` for its parts."""

    meter_id: int
    type: InteractionType
    status: InteractionStatus
    origin: Origin
    priority: int
    organization_id: int | None = None
    token: str | None = attrs.field(default=None, repr=lambda token: "None" if token is None else "'•••'")
    token_issued_at: datetime | None = None
    energy_kwh: Decimal | None = None
    target_power_limit_w: int | None = None
    payload: JsonObject | None = None
    result: JsonObject | None = None
    delivery_failures: Sequence[InteractionFailure] = ()
    order_id: int | None = None
    resolution: Resolution | None = None
    follow_up_of_id: int | None = None
    expires_at: datetime | None = None
    author_id: int | None = None


@attrs.frozen(kw_only=True)
class Meter:
    """A meter with what is needed to command it and to understand its answers.

    Attributes:
        external_reference: The meter number.
        communication_protocol: None: it can't be commanded.
        grid_id: Through connection and customer; None while unassigned.
        tariff: Price of a kWh by the tariff rule; None if there is none [MET-91].
        power_limit_w: Reported limit; 0 = no limit; None = unknown.
        last_sts_token_issued_at: Issue time of its newest token.
    """

    id: int
    external_reference: str
    communication_protocol: CommunicationProtocol | None
    phase: MeterPhase = MeterPhase.SINGLE_PHASE
    version: str | None = None
    is_test_mode_on: bool = False
    connection_id: int | None = None
    customer_account_id: int | None = None
    grid_id: int | None = None
    organization_id: int | None = None
    dcu_id: int | None = None
    dcu_external_reference: str | None = None
    tariff: Decimal | None = None
    power_limit_w: int | None = None
    last_seen_at: datetime | None = None
    last_sts_token_issued_at: datetime | None = None


@attrs.frozen(kw_only=True)
class MeterObservation:
    """What an answer or report proved of a meter at one moment; None: it said nothing about that [MET-83].

    Attributes:
        observed_at: Time of the event; an older observation never overwrites a newer one.
        seen: Whether it counts as a sign of life.
        relay_on: Whether the relay is closed.
        credit_kwh: Prepaid energy left.
        balance: Its value in money; None: not computable, the stored value stays.
        power_kw: Present power.
        gateway_id: The gateway that heard it, if known to us.
    """

    meter_id: int
    observed_at: datetime
    interaction_id: int | None = None
    seen: bool = False
    relay_on: bool | None = None
    credit_kwh: Decimal | None = None
    balance: Decimal | None = None
    power_limit_w: int | None = None
    voltage_v: Decimal | None = None
    power_kw: Decimal | None = None
    version: str | None = None
    snr: float | None = None
    rssi: float | None = None
    gateway_id: int | None = None


@attrs.frozen(kw_only=True)
class CreditObservation:
    """A meter's credit at one moment, from a read or a report [MET-125].

    Attributes:
        counter_kwh: Its running counter, if the observation is a report.
    """

    observed_at: datetime
    credit_kwh: Decimal
    counter_kwh: Decimal | None = None
