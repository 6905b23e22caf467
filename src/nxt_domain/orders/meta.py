"""The kind of an order and the facts that it freezes: the tables of PAY 6.1 and 6.2 as functions."""

from __future__ import annotations

import attrs

from nxt_domain.grids.tariffs import TariffFacts
from nxt_domain.orders.model import AccountType, ActorType, OrderMeta, OrderType
from nxt_domain.shared.errors import Unprocessable
from nxt_domain.shared.money import Currency

BANKING_SYSTEM_NAME = "Banking system"


class Unresolvable(Unprocessable):
    """A link that the order's record needs is missing [PAY-43]."""

    default_code = "ORDER_UNRESOLVABLE"


@attrs.frozen(kw_only=True)
class Party:
    """The owner of a wallet, with everything an order records about it.

    Attributes:
        wallet_id: The wallet.
        currency: Its currency.
        actor: Kind of owner; ``BANKING_SYSTEM`` for the system wallet.
        owner_id: Id of the owner; None for the system wallet.
        name: Full name, meter number, organization's name or connection's ``upload_uuid``.
        customer_id: The customer behind a meter or connection, or the customer itself.
        customer_name: That customer's full name.
        is_customer_hidden: Whether that customer is left out of reports; None: no customer.
        grid_id: The owner's grid; None for organizations and where links are missing.
        is_grid_hidden: Whether that grid is left out of reports; None: no grid.
        organization_id: Organization of that grid, or the organization itself.
        tariffs: Price facts of a meter.
    """

    wallet_id: int
    currency: Currency
    actor: ActorType
    owner_id: int | None = None
    name: str | None = None
    customer_id: int | None = None
    customer_name: str | None = None
    is_customer_hidden: bool | None = None
    grid_id: int | None = None
    is_grid_hidden: bool | None = None
    organization_id: int | None = None
    tariffs: TariffFacts | None = None

    @property
    def is_system(self) -> bool:
        """Whether this is the wallet that stands for the outside banking world."""
        return self.actor is ActorType.BANKING_SYSTEM

    @property
    def is_hidden(self) -> bool:
        """Whether customer or grid are left out of reports."""
        return bool(self.is_customer_hidden) or bool(self.is_grid_hidden)


@attrs.frozen(kw_only=True)
class Author:
    """The person who placed an order, in the first role that applies: agent, customer, member [PAY-42]."""

    account_id: int
    account_type: AccountType
    role_id: int
    name: str | None


@attrs.frozen(kw_only=True)
class _Belonging:
    """Where an order belongs, and whether reports leave it out."""

    order_type: OrderType | None
    is_hidden: bool | None
    grid_id: int | None
    organization_id: int | None


_TYPE_BY_RECEIVER = {
    ActorType.METER: OrderType.ENERGY_TOPUP,
    ActorType.CONNECTION: OrderType.CONNECTION_PAYMENT,
    ActorType.AGENT: OrderType.AGENT_TOPUP,
    ActorType.CUSTOMER: OrderType.CUSTOMER_TOPUP,
}
_WITH_CUSTOMER = frozenset({ActorType.METER, ActorType.CONNECTION})


def order_meta(
    *,
    sender: Party,
    receiver: Party,
    author: Author | None,
    platform_organization_id: int,
    is_credit_transfer: bool = False,
) -> OrderMeta:
    """Compute what an order records about its parties [PAY-41, PAY-42].

    Args:
        sender: Owner of the wallet debited.
        receiver: Owner of the wallet credited.
        author: Who placed the order, if anybody did.
        platform_organization_id: The organization that runs the system.
        is_credit_transfer: Whether the order belongs to a credit transfer between meters.

    Raises:
        Unresolvable: A link is missing, or the table has no such pair.
    """
    _require(_has_customer(sender), "Sender")
    _require(_has_customer(receiver), "Receiver")
    if receiver.actor is ActorType.ORGANIZATION:
        belonging = _to_organization(sender, receiver, platform_organization_id)
    else:
        belonging = _to_place(receiver, is_credit_transfer=is_credit_transfer)
    has_part_2 = receiver.actor in _WITH_CUSTOMER
    return OrderMeta(
        order_type=belonging.order_type,
        author_type=author.account_type if author else None,
        author_id=author.role_id if author else None,
        author_name=author.name if author else None,
        sender_type=sender.actor,
        sender_id=sender.owner_id,
        sender_name=BANKING_SYSTEM_NAME if sender.is_system else sender.name,
        sender_name_part_2=sender.customer_name if sender.actor in _WITH_CUSTOMER else None,
        receiver_type=receiver.actor,
        receiver_id=receiver.owner_id,
        receiver_name=receiver.name,
        receiver_name_part_2=receiver.customer_name if has_part_2 else None,
        receiver_id_part_2=receiver.customer_id if has_part_2 else None,
        is_hidden_from_reporting=belonging.is_hidden,
        grid_id=belonging.grid_id,
        organization_id=belonging.organization_id,
    )


def _to_place(receiver: Party, *, is_credit_transfer: bool) -> _Belonging:
    """Agents, customers, meters and connections stand in a grid, and their orders with them."""
    order_type = _TYPE_BY_RECEIVER.get(receiver.actor)
    _require(order_type is not None and receiver.grid_id is not None, "Receiver")
    hides_transfer = is_credit_transfer and receiver.actor is ActorType.METER
    return _Belonging(
        order_type=order_type,
        is_hidden=receiver.is_hidden or hides_transfer,
        grid_id=receiver.grid_id,
        organization_id=receiver.organization_id,
    )


def _to_organization(sender: Party, receiver: Party, platform_organization_id: int) -> _Belonging:
    if sender.is_system:
        return _Belonging(
            order_type=OrderType.ORGANIZATION_TOPUP,
            is_hidden=False,
            grid_id=None,
            organization_id=receiver.organization_id,
        )
    if sender.actor is ActorType.ORGANIZATION:
        is_platform = sender.owner_id == platform_organization_id
        return _Belonging(
            order_type=OrderType.ORGANIZATION_TOPUP if is_platform else OrderType.ORGANIZATION_WITHDRAWAL,
            is_hidden=None,
            grid_id=None,
            organization_id=receiver.organization_id if is_platform else sender.organization_id,
        )
    _require(sender.actor is not ActorType.CUSTOMER and sender.grid_id is not None, "Sender")
    types = {ActorType.CONNECTION: OrderType.CONNECTION_REFUND, ActorType.AGENT: OrderType.AGENT_WITHDRAWAL}
    return _Belonging(
        order_type=types.get(sender.actor),
        is_hidden=sender.is_hidden if sender.actor is ActorType.CONNECTION else False,
        grid_id=sender.grid_id,
        organization_id=sender.organization_id,
    )


def _has_customer(party: Party) -> bool:
    return party.actor not in _WITH_CUSTOMER or party.customer_id is not None


def _require(is_resolved: bool, role: str) -> None:
    if not is_resolved:
        raise Unresolvable(f"{role} of the order can't be resolved")
