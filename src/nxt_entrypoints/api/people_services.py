"""Use cases behind the routes of people: user administration, charting tokens, the chat bot."""

from __future__ import annotations

import attrs

from nxt_domain.identity.use_cases.change_people import DeletePerson, UpdateAgent, UpdateCustomer, UpdateMember
from nxt_domain.identity.use_cases.charting_tokens import IssueChartingTokens
from nxt_domain.identity.use_cases.chat_accounts import FindChatUser, LinkTelegram
from nxt_domain.identity.use_cases.make_people import CreateAgent, CreateCustomer, InviteMember
from nxt_domain.identity.use_cases.sign_in import SignIn


@attrs.frozen(kw_only=True)
class PeopleServices:
    """Ready to be called; ``nxt_entrypoints.wiring.people`` makes it.

    Attributes:
        charting_tokens: None: the charting tool is not connected [API-196].
        sign_in: None: Supabase Auth keeps the logins [R30].
    """

    invite_member: InviteMember
    update_member: UpdateMember
    create_agent: CreateAgent
    update_agent: UpdateAgent
    create_customer: CreateCustomer
    update_customer: UpdateCustomer
    delete_person: DeletePerson
    charting_tokens: IssueChartingTokens | None
    link_telegram: LinkTelegram
    find_chat_user: FindChatUser
    sign_in: SignIn | None
