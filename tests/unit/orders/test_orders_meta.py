"""Kinds and meta fields of orders: one case per row of PAY 6.1 and 6.2."""

from __future__ import annotations

import pytest
from tests.unit.orders.orders_samples import party

from nxt_domain.orders.meta import Author, Party, Unresolvable, order_meta
from nxt_domain.orders.model import AccountType, ActorType, OrderMeta, OrderType

A = ActorType
PLATFORM = 2
SYSTEM = party(A.BANKING_SYSTEM)


def meta(sender: Party, receiver: Party, **facts: object) -> OrderMeta:
    return order_meta(sender=sender, receiver=receiver, author=None, platform_organization_id=PLATFORM, **facts)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize(
    ("sender", "receiver", "kind", "hidden", "grid", "organization"),
    [
        (SYSTEM, party(A.METER), OrderType.ENERGY_TOPUP, False, 5, 9),
        (party(A.AGENT, grid_id=6, organization_id=10), party(A.METER), OrderType.ENERGY_TOPUP, False, 5, 9),
        (SYSTEM, party(A.METER, is_customer_hidden=True), OrderType.ENERGY_TOPUP, True, 5, 9),
        (SYSTEM, party(A.METER, is_grid_hidden=True), OrderType.ENERGY_TOPUP, True, 5, 9),
        (party(A.CUSTOMER), party(A.CONNECTION), OrderType.CONNECTION_PAYMENT, False, 5, 9),
        (party(A.CUSTOMER), party(A.CONNECTION, is_grid_hidden=True), OrderType.CONNECTION_PAYMENT, True, 5, 9),
        (party(A.ORGANIZATION), party(A.AGENT), OrderType.AGENT_TOPUP, False, 5, 9),
        (party(A.ORGANIZATION), party(A.AGENT, is_grid_hidden=True), OrderType.AGENT_TOPUP, True, 5, 9),
        (SYSTEM, party(A.CUSTOMER, is_customer_hidden=True), OrderType.CUSTOMER_TOPUP, True, 5, 9),
        (party(A.CONNECTION), party(A.ORGANIZATION), OrderType.CONNECTION_REFUND, False, 5, 9),
        (
            party(A.CONNECTION, is_customer_hidden=True),
            party(A.ORGANIZATION),
            OrderType.CONNECTION_REFUND,
            True,
            5,
            9,
        ),
        (
            party(A.ORGANIZATION, owner_id=PLATFORM, organization_id=PLATFORM),
            party(A.ORGANIZATION),
            OrderType.ORGANIZATION_TOPUP,
            None,
            None,
            31,
        ),
        (
            party(A.ORGANIZATION, owner_id=7, organization_id=7),
            party(A.ORGANIZATION),
            OrderType.ORGANIZATION_WITHDRAWAL,
            None,
            None,
            7,
        ),
        (SYSTEM, party(A.ORGANIZATION), OrderType.ORGANIZATION_TOPUP, False, None, 31),
        (party(A.AGENT, is_grid_hidden=True), party(A.ORGANIZATION), OrderType.AGENT_WITHDRAWAL, False, 5, 9),
        (party(A.METER), party(A.ORGANIZATION), None, False, 5, 9),
    ],
)
def test_kind_grid_tenant_and_visibility(
    sender: Party,
    receiver: Party,
    kind: OrderType | None,
    hidden: bool | None,
    grid: int | None,
    organization: int | None,
) -> None:
    """[REL-28] [REL-62] [PAY-41] [PAY-42] [PAY-198] 19: the receiver decides, the sender refines."""
    made = meta(sender, receiver)
    assert (made.order_type, made.is_hidden_from_reporting, made.grid_id, made.organization_id) == (
        kind,
        hidden,
        grid,
        organization,
    )


@pytest.mark.parametrize(
    ("sender", "name", "customer"),
    [
        (party(A.AGENT, name="Agent of Kalonda"), "Agent of Kalonda", None),
        (party(A.METER, name="47001771477"), "47001771477", "Customer of Kalonda"),
        (party(A.ORGANIZATION, name="Sun Power Ltd"), "Sun Power Ltd", None),
        (party(A.CONNECTION, name="survey-1"), "survey-1", "Customer of Kalonda"),
        (party(A.CUSTOMER, name="Customer of Kalonda"), "Customer of Kalonda", None),
        (SYSTEM, "Banking system", None),
    ],
)
def test_each_row_of_senders(sender: Party, name: str, customer: str | None) -> None:
    """[PAY-42] [PAY-198] 19: the senders of 6.2."""
    made = meta(sender, party(A.AGENT))
    owner = None if sender is SYSTEM else 31
    assert (made.sender_type, made.sender_name, made.sender_id) == (sender.actor, name, owner)
    assert made.sender_name_part_2 == customer


@pytest.mark.parametrize("actor", [A.AGENT, A.CUSTOMER, A.METER, A.CONNECTION, A.ORGANIZATION])
def test_each_row_of_receivers(actor: ActorType) -> None:
    """[PAY-42] [PAY-198] 19: the receivers of 6.2; only meters and connections name a customer beside."""
    made = meta(SYSTEM, party(actor, name="Receiver"))
    assert (made.receiver_type, made.receiver_name, made.receiver_id) == (actor, "Receiver", 31)
    beside = ("Customer of Kalonda", 60) if actor in {A.METER, A.CONNECTION} else (None, None)
    assert (made.receiver_name_part_2, made.receiver_id_part_2) == beside


def test_names_of_a_meter_and_its_customer() -> None:
    """[REL-63] [PAY-42] parts 2 name the customer behind meters and connections only."""
    made = meta(party(A.METER, name="47001771477"), party(A.CONNECTION, name="survey-1"))
    assert (made.sender_type, made.sender_name, made.sender_id) == (A.METER, "47001771477", 31)
    assert made.sender_name_part_2 == made.receiver_name_part_2 == "Customer of Kalonda"
    assert (made.receiver_name, made.receiver_id_part_2) == ("survey-1", 60)
    plain = meta(SYSTEM, party(A.CUSTOMER))
    assert (plain.sender_type, plain.sender_name, plain.sender_id) == (A.BANKING_SYSTEM, "Banking system", None)
    assert (plain.receiver_name_part_2, plain.receiver_id_part_2) == (None, None)


def test_author() -> None:
    """[REL-63] [PAY-42] who placed it; nobody: all null."""
    author = Author(account_id=3, account_type=AccountType.AGENT, role_id=31, name="Agent of Kalonda")
    made = order_meta(sender=SYSTEM, receiver=party(A.METER), author=author, platform_organization_id=PLATFORM)
    assert (made.author_type, made.author_id, made.author_name) == (AccountType.AGENT, 31, "Agent of Kalonda")
    assert meta(SYSTEM, party(A.METER)).author_type is None


def test_credit_transfers_are_hidden() -> None:
    """[REL-71] [PAY-42] an order of a credit transfer counts in no report."""
    assert meta(party(A.METER), party(A.METER), is_credit_transfer=True).is_hidden_from_reporting is True


@pytest.mark.parametrize(
    ("sender", "receiver", "text"),
    [
        (SYSTEM, party(A.METER, customer_id=None), "Receiver of the order can't be resolved"),
        (SYSTEM, party(A.METER, grid_id=None), "Receiver of the order can't be resolved"),
        (SYSTEM, party(A.AGENT, grid_id=None), "Receiver of the order can't be resolved"),
        (party(A.AGENT), SYSTEM, "Receiver of the order can't be resolved"),
        (party(A.METER, customer_id=None), party(A.AGENT), "Sender of the order can't be resolved"),
        (party(A.AGENT, grid_id=None), party(A.ORGANIZATION), "Sender of the order can't be resolved"),
        (party(A.CUSTOMER), party(A.ORGANIZATION), "Sender of the order can't be resolved"),
    ],
)
def test_missing_links_are_refused(sender: Party, receiver: Party, text: str) -> None:
    """[REL-63] [PAY-43] an order is never stored without its record."""
    with pytest.raises(Unresolvable) as refused:
        meta(sender, receiver)
    assert refused.value.message == text
