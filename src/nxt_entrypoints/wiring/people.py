"""Accounts of people: where their logins are kept, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from dependency_injector import containers, providers

from nxt_adapters.gotrue.admin import GoTrueIdentityProvider
from nxt_adapters.jwt.local_tokens import LocalTokens
from nxt_adapters.jwt.signer import Rs256Signer
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.identity.ports import ContactClaims, IdentityProvider
from nxt_domain.identity.use_cases.change_people import DeletePerson, UpdateAgent, UpdateCustomer, UpdateMember
from nxt_domain.identity.use_cases.charting_tokens import IssueChartingTokens
from nxt_domain.identity.use_cases.chat_accounts import FindChatUser, LinkTelegram
from nxt_domain.identity.use_cases.first_superadmin import EnsureSuperadmin
from nxt_domain.identity.use_cases.make_people import CreateAgent, CreateCustomer, EnrolMember, InviteMember
from nxt_domain.identity.use_cases.person_maker import PersonMaker
from nxt_domain.identity.use_cases.sign_in import SignIn
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_entrypoints.api.people_services import PeopleServices
from nxt_entrypoints.settings.artifact import Deployment
from nxt_entrypoints.settings.settings import Settings

T = TypeVar("T")

LOCAL = "local"
"""``deployment.identity.provider`` where logins are kept in our own database [R30]."""


def is_local(settings: Settings) -> bool:
    """Tell whether this deployment keeps its logins itself."""
    return settings.artifact.deployment.identity.provider == LOCAL


def chosen(is_local: bool, local: Callable[[], T], remote: Callable[[], T]) -> T:
    """Make the adapter of a deployment's own logins, or that of Supabase Auth."""
    return local() if is_local else remote()


def if_local(is_local: bool, local: Callable[[], T]) -> T | None:
    """Make what only a deployment with logins of its own has."""
    return local() if is_local else None


def gotrue(settings: Settings) -> GoTrueIdentityProvider:
    """Reach Supabase Auth as its administrator."""
    return GoTrueIdentityProvider(settings.text("SUPABASE_API_URL"), settings.text("SUPABASE_SERVICE_ROLE_KEY"))


def local_tokens(settings: Settings, clock: Clock) -> LocalTokens:
    """Sign the tokens of local sessions."""
    return LocalTokens(settings.text("SUPABASE_JWT_SECRET"), clock)


def charting_tokens(settings: Settings, clock: Clock) -> IssueChartingTokens | None:
    """Sign tokens for the charting tool, if its integration is on [API-60]."""
    if not settings.artifact.integrations.grafana.enabled:
        return None
    return IssueChartingTokens(
        signer=Rs256Signer(settings.text("PRIVATE_KEY")),
        clock=clock,
        access_life=timedelta(seconds=settings.number("NXT_JWT_DURATION")),
    )


class People(containers.DeclarativeContainer):
    """Use cases of one area, over what the process's container lends it."""

    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()
    provider: providers.Dependency[IdentityProvider] = providers.Dependency()
    contacts: providers.Dependency[ContactClaims] = providers.Dependency()
    clock: providers.Dependency[Clock] = providers.Dependency()
    deployment: providers.Dependency[Deployment] = providers.Dependency()
    sign_in: providers.Dependency[SignIn | None] = providers.Dependency()
    charting: providers.Dependency[IssueChartingTokens | None] = providers.Dependency()

    admin_organization_id = deployment.provided.admin_organization_id
    maker = providers.Singleton(PersonMaker, begin=begin, provider=provider, contacts=contacts, clock=clock)
    ensure_superadmin = providers.Singleton(
        EnsureSuperadmin, begin=begin, provider=provider, maker=maker, admin_organization_id=admin_organization_id
    )
    enrol = providers.Singleton(
        EnrolMember, begin=begin, provider=provider, maker=maker, admin_organization_id=admin_organization_id
    )
    services = providers.Singleton(
        PeopleServices,
        invite_member=providers.Singleton(InviteMember, enrol),
        update_member=providers.Singleton(
            UpdateMember, begin=begin, provider=provider, admin_organization_id=admin_organization_id
        ),
        create_agent=providers.Singleton(CreateAgent, begin=begin, provider=provider, maker=maker),
        update_agent=providers.Singleton(UpdateAgent, begin=begin, provider=provider),
        create_customer=providers.Singleton(
            CreateCustomer,
            begin=begin,
            provider=provider,
            maker=maker,
            placeholder_domain=deployment.provided.placeholder_email_domain,
        ),
        update_customer=providers.Singleton(UpdateCustomer, begin=begin, provider=provider),
        delete_person=providers.Singleton(DeletePerson, begin=begin, provider=provider, clock=clock),
        charting_tokens=charting,
        link_telegram=providers.Singleton(LinkTelegram, begin=begin, clock=clock),
        find_chat_user=providers.Singleton(FindChatUser, begin),
        sign_in=sign_in,
    )
