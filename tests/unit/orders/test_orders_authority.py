"""Who may name which wallet as sender [PAY-48], and who an order is written to [PAY-49]."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, LENDER, MEMBER, NOBODY

from nxt_domain.identity.model import Account, ApiKey, MemberType, Principal, TokenClaims
from nxt_domain.identity.rules import principal_of_key, principal_of_user
from nxt_domain.orders.authority import FINANCE_TYPES, author_of, may_send_from, require_sender
from nxt_domain.orders.meta import Party
from nxt_domain.orders.model import ActorType
from nxt_domain.shared.errors import Forbidden
from nxt_domain.shared.money import Currency

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
OWN, FOREIGN = 7, 9


def user(account: Account) -> Principal:
    claims = TokenClaims(subject=None, account_id=account.id, email=None, full_name=None, expires_at=AT)
    return principal_of_user(account, claims, "token", admin_organization_id=2)


def key(account: Account) -> Principal:
    return principal_of_key(account, ApiKey(id=1, account_id=account.id, created_at=AT), admin_organization_id=2)


def wallet(actor: ActorType, owner_id: int | None = 1, organization_id: int | None = OWN) -> Party:
    return Party(wallet_id=5, currency=Currency.NGN, actor=actor, owner_id=owner_id, organization_id=organization_id)


SYSTEM = wallet(ActorType.BANKING_SYSTEM, None, None)
TENANTS = (ActorType.ORGANIZATION, ActorType.AGENT, ActorType.METER, ActorType.CONNECTION, ActorType.CUSTOMER)


@pytest.mark.parametrize("actor", TENANTS)
def test_members_send_from_wallets_of_their_organization(actor: ActorType) -> None:
    for caller in (user(MEMBER), key(MEMBER)):
        assert may_send_from(caller, wallet(actor))
        assert not may_send_from(caller, wallet(actor, organization_id=FOREIGN))
        assert not may_send_from(caller, wallet(actor, organization_id=None))


def test_agents_and_customers_send_from_their_own_wallet_alone() -> None:
    assert may_send_from(user(AGENT), wallet(ActorType.AGENT, AGENT.agent_id))
    assert may_send_from(user(CUSTOMER), wallet(ActorType.CUSTOMER, CUSTOMER.customer_id))
    others = [wallet(actor, owner_id=77) for actor in TENANTS] + [SYSTEM]
    # The same number as somebody else's id must not open their wallet.
    others += [wallet(actor, AGENT.agent_id) for actor in TENANTS if actor is not ActorType.AGENT]
    assert not any(may_send_from(user(AGENT), party) for party in others)
    others = [wallet(actor, CUSTOMER.customer_id) for actor in TENANTS if actor is not ActorType.CUSTOMER]
    assert not any(may_send_from(user(CUSTOMER), party) for party in [*others, SYSTEM])


@given(member_type=st.sampled_from(MemberType), actor=st.sampled_from(TENANTS), organization=st.integers(1, 99))
def test_the_platform_sends_from_any_wallet_and_its_finance_from_the_system(
    member_type: MemberType, actor: ActorType, organization: int
) -> None:
    """[PAY-198] 13: nobody else names the system wallet."""
    staff = attrs.evolve(ADMIN, member_type=member_type)
    for caller in (user(staff), key(staff)):
        assert may_send_from(caller, wallet(actor, organization_id=organization))
        assert may_send_from(caller, SYSTEM) is (member_type in FINANCE_TYPES)
    tenant = user(attrs.evolve(MEMBER, member_type=member_type))
    assert not may_send_from(tenant, SYSTEM)


def test_a_violation_is_told_in_the_words_of_the_table() -> None:
    for account in (LENDER, NOBODY, CUSTOMER):
        with pytest.raises(Forbidden, match=r"^You are not allowed to send from this wallet$"):
            require_sender(user(account), SYSTEM)


def test_the_author_is_the_caller_but_for_keys_of_the_platform() -> None:
    """[PAY-49] [API-70]"""
    assert author_of(key(ADMIN), 55) == 55
    assert author_of(key(ADMIN), None) == ADMIN.id
    assert [author_of(caller, 55) for caller in (user(ADMIN), user(MEMBER), key(MEMBER), user(AGENT))] == [
        ADMIN.id,
        MEMBER.id,
        MEMBER.id,
        AGENT.id,
    ]
