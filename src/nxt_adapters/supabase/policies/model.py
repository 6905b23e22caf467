"""What an access rule is, and the SQL that stands for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import attrs

IS_PLATFORM = "(select public.rls_check_if_nxt_member())"
IS_LENDER = "(select public.rls_check_if_lender())"
OWN_ORGANIZATION = "(select public.rls_get_member_org_id())"
IS_MEMBER = f"{OWN_ORGANIZATION} is not null"


class Caller(StrEnum):
    """A kind of caller, as the token tells it [REL-104]. One caller may be several: rights add up."""

    ANONYMOUS = "anonymous"
    PERSON = "person"
    """An agent or a customer, on rows of their own [REL-107]."""
    MEMBER = "member"
    """A member of whichever organization."""
    OWNER = "own organization"
    """A member of the organization that owns the row."""
    LENDER = "lender"
    PLATFORM = "platform"
    """A member of the platform operator."""

    @property
    def role(self) -> str:
        """The database role that such a caller's requests run as."""
        return "anon" if self is Caller.ANONYMOUS else "authenticated"


class Act(StrEnum):
    """What is done with a row."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


_LETTERS = {"S": Act.SELECT, "I": Act.INSERT, "U": Act.UPDATE, "D": Act.DELETE}


def _acts(letters: str) -> Sequence[Act]:
    return tuple(_LETTERS[letter] for letter in letters.split())


@attrs.frozen(kw_only=True)
class Access:
    """What one kind of caller may do with the rows of one table.

    Attributes:
        caller: Who.
        acts: What, as in the specification: ``"S I U D"`` or some of them.
        where: Conditions of the rows, all of which hold, before an act and after it. A condition never has an ``or``:
            alternatives are two rules.
        check: Further conditions of what is written.
        columns: The columns that may be written; none given: all.
        label: Tells two rules of one caller and table apart.
        key: The column that numbers the table's rows.
        note: What the conditions mean, for people; where it is empty, the kind of caller says it.
    """

    caller: Caller
    acts: Sequence[Act] = attrs.field(converter=_acts)
    where: Sequence[str] = ()
    check: Sequence[str] = ()
    columns: Sequence[str] = ()
    label: str = ""
    key: str = "id"
    note: str = ""

    def conditions(self, act: Act) -> Sequence[str]:
        """Return what a row must fulfil, in SQL."""
        is_wide = act is Act.SELECT and self.caller in _WIDE
        gate = _everything(_WIDE[self.caller], self.key) if is_wide else _GATES.get(self.caller, ())
        return (*gate, *self.where)


_GATES: Mapping[Caller, Sequence[str]] = {
    Caller.PLATFORM: (IS_PLATFORM,),
    Caller.LENDER: (IS_LENDER,),
    Caller.MEMBER: (IS_MEMBER,),
}
_WIDE = {Caller.PLATFORM: "public.rls_check_if_nxt_member()", Caller.LENDER: "public.rls_check_if_lender()"}


def _everything(predicate: str, key: str) -> Sequence[str]:
    # All policies of a table are joined by `or`. A bare predicate among them would have the planner read the whole
    # table for every tenant; a range of the key is something that an index answers, like the conditions beside it.
    least, most = (f"(select case when {predicate} then {bound} else null end)" for bound in (0, 2**63 - 1))
    return (f"{key} >= {least}", f"{key} <= {most}")


@attrs.frozen(kw_only=True)
class Policy:
    """A policy of the database.

    Attributes:
        table: In schema ``public``.
        name: Unique in its table.
        act: The command it is for.
        role: The database role it is for.
        using: Condition of existing rows; none for an insert.
        check: Condition of new rows; none for what writes nothing.
    """

    table: str
    name: str
    act: Act
    role: str
    using: str | None
    check: str | None

    def create(self) -> str:
        """Write the statement that makes it."""
        using = f"\n    using ({self.using})" if self.using else ""
        check = f"\n    with check ({self.check})" if self.check else ""
        return f'create policy "{self.name}" on public.{self.table} for {self.act} to {self.role}{using}{check};'


def policies_of(table: str, accesses: Iterable[Access]) -> Iterator[Policy]:
    """Yield the policies that stand for the rules of a table."""
    for access in accesses:
        for act in access.acts:
            conditions = access.conditions(act)
            yield Policy(
                table=table,
                name=f"{act} by {access.caller}" + (f" as {access.label}" if access.label else ""),
                act=act,
                role=access.caller.role,
                using=None if act is Act.INSERT else _all(conditions),
                check=_all((*conditions, *access.check)) if act in (Act.INSERT, Act.UPDATE) else None,
            )


def _all(conditions: Sequence[str]) -> str:
    return "\n        and ".join(conditions) or "true"


@attrs.frozen(kw_only=True, order=True)
class Grant:
    """A right of a role on a table of ``public``, or on one column of it."""

    table: str
    role: str
    act: Act
    column: str = ""

    def __str__(self) -> str:
        return f"{self.act} on {self.table}{'.' if self.column else ''}{self.column} for {self.role}"


def grants_of(table: str, accesses: Iterable[Access]) -> set[Grant]:
    """Return the rights that policies need to have any effect [REL-109]; on columns, where a rule names them."""
    return {
        Grant(table=table, role=access.caller.role, act=act, column=column)
        for access in accesses
        for act in access.acts
        for column in (access.columns if act in (Act.INSERT, Act.UPDATE) and access.columns else ("",))
    }


_NOISE = re.compile(
    r'\s+as\s+(?:"\w+"|\w+)'  # names that PostgreSQL gives to the results of sub-queries
    r"|::(?:\w+\.)?\w+(?:\[\])?"
    r"|\bpublic\.|[\s()']"
)


def canonical(condition: str | None) -> str | None:
    """Reduce a condition to what counts, so that one that PostgreSQL prints equals the one that was written.

    Parentheses go too: without ``or``, which rules never have, they decide nothing.
    """
    return None if condition is None else _NOISE.sub("", condition.lower())
