"""Routes of people: user administration (API 5.2), the charting token (5.1), the chat bot (5.12)."""

from __future__ import annotations

from collections.abc import Mapping

from nxt_domain.identity.chat import ChatUser, LinkedAccount
from nxt_domain.identity.model import AccountType, Principal
from nxt_domain.identity.people import (
    AgentView,
    ChangedMember,
    ChangedResident,
    DeletedPerson,
    MemberView,
    NewCustomerView,
)
from nxt_domain.identity.use_cases.charting_tokens import ChartingTokens
from nxt_domain.shared.errors import NotFound
from nxt_entrypoints.api.people_fields import (
    AgentFields,
    ChatUserPath,
    ContactFields,
    CustomerFields,
    CustomerUpdateFields,
    InvitationFields,
    LinkFields,
    MemberUpdateFields,
)
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import IdPath
from nxt_entrypoints.http.routes import Guard, Route, route

_TAGS = ("people",)
_PROVIDER: Mapping[int, str] = {
    404: "No such person, grid or organization for this caller.",
    422: "The identity provider refuses, in its own words: e-mail or phone are taken, for instance.",
    429: "The identity provider asks for a pause.",
    502: "The identity provider refuses this system's credential.",
    503: "The identity provider or the database can't be reached; nothing half-made is left, or it is taken up again.",
}
_WITH_CONFLICTS: Mapping[int, str] = {**_PROVIDER, 409: "Another record stands against it."}


@route(
    "POST", "/user-admin/invite-member", guard=Guard.USER_OR_KEY, summary="Invite a member by mail", tags=_TAGS,
    live=True, errors=_WITH_CONFLICTS,
)  # fmt: skip
async def invite_member(body: InvitationFields, caller: Principal, services: ApiServices) -> MemberView:
    """The invited person follows the link in the mail and sets a password. Nobody gives a role above their own."""
    return await services.people.invite_member(caller, body.as_invitation())


@route(
    "POST", "/user-admin/update-member", guard=Guard.USER_OR_KEY, summary="Change a member", tags=_TAGS,
    live=True, errors=_WITH_CONFLICTS,
)  # fmt: skip
async def update_member(body: MemberUpdateFields, caller: Principal, services: ApiServices) -> ChangedMember:
    """The role counts at once, and in tokens from their next refresh on. The e-mail can't be changed here."""
    return await services.people.update_member(caller, body.as_change())


@route(
    "POST", "/user-admin/create-agent", guard=Guard.USER_OR_KEY, summary="Make an agent of a grid", tags=_TAGS,
    live=True, errors=_WITH_CONFLICTS,
)  # fmt: skip
async def create_agent(body: AgentFields, caller: Principal, services: ApiServices) -> AgentView:
    """With login, account and wallet; no message is sent."""
    return await services.people.create_agent(caller, body.as_new())


@route(
    "POST", "/user-admin/update-agent", guard=Guard.USER_OR_KEY, summary="Change an agent", tags=_TAGS,
    live=True, errors=_WITH_CONFLICTS,
)  # fmt: skip
async def update_agent(body: ContactFields, caller: Principal, services: ApiServices) -> ChangedResident:
    """Name, phone and e-mail of the login, at once; an absent e-mail stays."""
    return await services.people.update_agent(caller, body.as_change())


@route(
    "POST", "/user-admin/create-customer", guard=Guard.USER_OR_KEY, summary="Make a customer of a grid", tags=_TAGS,
    live=True, errors=_WITH_CONFLICTS,
)  # fmt: skip
async def create_customer(body: CustomerFields, caller: Principal, services: ApiServices) -> NewCustomerView:
    """With login and account; without phone and e-mail the login gets an e-mail that nobody reads."""
    return await services.people.create_customer(caller, body.as_new())


@route(
    "POST", "/user-admin/update-customer", guard=Guard.USER_OR_KEY, summary="Change a customer", tags=_TAGS,
    live=True, errors=_WITH_CONFLICTS,
)  # fmt: skip
async def update_customer(body: CustomerUpdateFields, caller: Principal, services: ApiServices) -> ChangedResident:
    """Null clears the position; absent or null phone and e-mail stay."""
    return await services.people.update_customer(caller, body.as_change())


@route(
    "DELETE", "/user-admin/member/{id}", guard=Guard.USER_OR_KEY, summary="Delete a member", tags=_TAGS,
    live=True, errors=_PROVIDER,
)  # fmt: skip
async def delete_member(path: IdPath, caller: Principal, services: ApiServices) -> DeletedPerson:
    """Access ends at once; the rows stay. Repeating the call gives the same answer."""
    return await services.people.delete_person(caller, AccountType.MEMBER, path.id)


@route(
    "DELETE", "/user-admin/agent/{id}", guard=Guard.USER_OR_KEY, summary="Delete an agent", tags=_TAGS,
    live=True, errors=_PROVIDER,
)  # fmt: skip
async def delete_agent(path: IdPath, caller: Principal, services: ApiServices) -> DeletedPerson:
    """Access ends at once; the rows stay. Repeating the call gives the same answer."""
    return await services.people.delete_person(caller, AccountType.AGENT, path.id)


@route(
    "DELETE", "/user-admin/customer/{id}", guard=Guard.USER_OR_KEY, summary="Delete a customer", tags=_TAGS,
    live=True, errors={**_PROVIDER, 409: "Meters still hang on the customer's connections."},
)  # fmt: skip
async def delete_customer(path: IdPath, caller: Principal, services: ApiServices) -> DeletedPerson:
    """Access ends at once; the rows stay. Repeating the call gives the same answer."""
    return await services.people.delete_person(caller, AccountType.CUSTOMER, path.id)


@route(
    "GET", "/auth/grafana-token", guard=Guard.USER_OR_KEY, summary="Get tokens for the charting tool",
    tags=("authentication",), errors={404: "The charting tool is not connected.", 503: "No usable key to sign with."},
)  # fmt: skip
async def grafana_token(caller: Principal, services: ApiServices) -> ChartingTokens:
    """RS256, verified by the charting tool alone; this system accepts neither token."""
    issue = services.people.charting_tokens
    if issue is None:
        raise NotFound("Cannot GET /auth/grafana-token", code="NO_SUCH_ROUTE")
    return await issue(caller)


@route(
    "POST", "/telegram/link", guard=Guard.USER_OR_KEY, summary="Link a chat user to an account", tags=("telegram",),
    capability="notifications",
    errors={404: "No account has this token.", 409: "The account or the chat user is linked already."},
)  # fmt: skip
async def link_telegram(body: LinkFields, caller: Principal, services: ApiServices) -> LinkedAccount:
    """A token works once: the account gets another one for a next time."""
    link = services.people.link_telegram
    return await link(caller, telegram_id=body.telegram_id, token=body.telegram_link_token)


@route(
    "GET", "/telegram/accounts/{telegram_id}", guard=Guard.USER_OR_KEY, summary="Find the account of a chat user",
    tags=("telegram",), capability="notifications",
    errors={404: "No account is linked to it.", 422: "The account pays from no wallet."},
)  # fmt: skip
async def find_chat_user(path: ChatUserPath, services: ApiServices) -> ChatUser:
    """The wallet is the organization's for a member, the own one for an agent or customer."""
    return await services.people.find_chat_user(path.telegram_id)


ROUTES: tuple[Route, ...] = (
    invite_member,
    update_member,
    create_agent,
    update_agent,
    create_customer,
    update_customer,
    delete_member,
    delete_agent,
    delete_customer,
    grafana_token,
    link_telegram,
    find_chat_user,
)
