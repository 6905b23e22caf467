"""``nxt user``: the people of organizations, and how they sign in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, is_terminal, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from nxt_domain.identity.people import Holder, Person

_ROLES = (
    "SUPERADMIN", "ADMIN", "PARTNER", "FINANCE", "DEVELOPER", "MANAGER", "SUPPORT", "SERVICE", "SALES", "TECH",
)  # fmt: skip

_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line. Default: ask for it."
)


@click.group()
def user() -> None:
    """Make members of organizations, list them, lock them out.

    Works on a running `nxt up` (--data, or the only one), or on the services that the environment names:
    the API role's variables. WHO is an e-mail, a phone number with +, or the id of an account.
    """


@user.command(
    epilog=examples(
        "nxt user create bola@sunny.example --name Bola --organization 3 --role FINANCE --invite",
        "pwgen 20 1 | nxt user create bot@sunny.example --name Bot --organization 3 --role SERVICE --password-stdin",
    )
)
@click.argument("email")
@click.option("--name", required=True, help="Full name.")
@click.option("--organization", type=click.IntRange(1), required=True, help="Id of the organization.")
@click.option("--role", type=click.Choice(_ROLES), default="DEVELOPER", show_default=True, help="Member type.")
@click.option("--invite", is_flag=True, help="Send a mail with a link, in place of a password.")
@click.option("--redirect-to", help="Where the link in the mail leads.")
@_password_option
@data_option
@json_option
def create(
    email: str,
    name: str,
    organization: int,
    role: str,
    invite: bool,
    redirect_to: str | None,
    password_stdin: bool,
    data: Path | None,
    as_json: bool,
) -> int:
    """Make a member, by invitation or with a password. The first superadmin is made like this."""
    from nxt_domain.identity.model import MemberType  # noqa: PLC0415 - keeps `--help` fast
    from nxt_domain.identity.people import Invitation  # noqa: PLC0415 - as above
    from nxt_domain.identity.scope import PLATFORM  # noqa: PLC0415 - as above
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    if invite and password_stdin:
        raise click.UsageError("--invite and --password-stdin exclude each other")
    if "@" not in email:
        raise click.UsageError(f"{email!r} is no e-mail")
    password = None if invite else _password(password_stdin)
    invitation = Invitation(
        email=email,
        full_name=name,
        organization_id=organization,
        member_type=MemberType(role),
        redirect_to=redirect_to,
    )
    member = operate(data, lambda operating: operating.enrol(operating.actor, PLATFORM, invitation, password=password))
    facts = {
        "member_id": member.id,
        "account_id": member.account_id,
        "email": email,
        "member_type": member.member_type.value,
        "organization_id": member.rls_organization_id,
    }
    emit(facts, as_json=as_json, lines=lambda: [f"member {member.id}, account {member.account_id}: {email}"])
    return 0


@user.command("list", epilog=examples("nxt user list", "nxt user list --organization 3 --json"))
@click.option("--organization", type=click.IntRange(1), help="Only of this organization.")
@data_option
@json_option
def list_all(organization: int | None, data: Path | None, as_json: bool) -> int:
    """List members, deleted ones included."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    people = operate(data, lambda operating: operating.tenants.staff(organization_id=organization))
    emit([_facts(person) for person in people], as_json=as_json, lines=lambda: map(_line, people))
    return 0


@user.command(epilog=examples("nxt user lock bola@sunny.example"))
@click.argument("who")
@data_option
@json_option
def lock(who: str, data: Path | None, as_json: bool) -> int:
    """Forbid new sign-ins. Tokens that are out expire within an hour."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    return _told(operate(data, lambda operating: operating.logins.lock(operating.actor, who)), "locked", as_json)


@user.command(epilog=examples("nxt user unlock +2348031234567"))
@click.argument("who")
@data_option
@json_option
def unlock(who: str, data: Path | None, as_json: bool) -> int:
    """Allow sign-ins again."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    return _told(operate(data, lambda operating: operating.logins.unlock(operating.actor, who)), "unlocked", as_json)


@user.command("set-password", epilog=examples("nxt user set-password bola@sunny.example"))
@click.argument("who")
@_password_option
@data_option
@json_option
def set_password(who: str, password_stdin: bool, data: Path | None, as_json: bool) -> int:
    """Set a password: for a local identity provider, which sends no mail."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    password = _password(password_stdin)
    holder = operate(data, lambda operating: operating.logins.set_password(operating.actor, who, password))
    return _told(holder, "password set", as_json)


def _password(from_stdin: bool) -> str:
    """Read a password where no other user of the machine sees it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not is_terminal():
        raise click.UsageError("nobody is there to type a password: use --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _told(holder: Holder, what: str, as_json: bool) -> int:
    facts = {"account_id": holder.account_id, "email": holder.email, "phone": holder.phone, "done": what}
    emit(facts, as_json=as_json, lines=lambda: [f"account {holder.account_id}: {what}"])
    return 0


def _facts(person: Person) -> dict[str, object]:
    return {
        "member_id": person.id,
        "account_id": person.account_id,
        "organization_id": person.organization_id,
        "member_type": None if person.member_type is None else person.member_type.value,
        "full_name": person.full_name,
        "email": person.email,
        "deleted_at": person.deleted_at,
    }


def _line(person: Person) -> str:
    mark = "  (deleted)" if person.deleted_at else ""
    where = f"org {person.organization_id or '-'}"
    return f"{person.id:>6}  {where:<8}  {person.member_type or '-':<10}  {person.full_name} <{person.email}>{mark}"
