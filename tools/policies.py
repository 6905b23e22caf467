"""Print the statements that make row security as its table says, to be frozen in a migration.

    python tools/policies.py [--caller person] TABLE ...

Without tables: all. The rights of a table come with its first policy.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import textwrap
from collections.abc import Iterator, Sequence

from nxt_adapters.supabase.policies import RULES, Access, Act, Caller, Grant, grants_of, policies_of


def statements(table: str, accesses: Sequence[Access], *, rights: bool = True) -> Iterator[str]:
    """Yield the rights and the policies of one table."""
    if rights:
        yield from grants(table, accesses)
    yield from (policy.create() for policy in policies_of(table, accesses))


def grants(table: str, accesses: Sequence[Access]) -> Iterator[str]:
    """Yield the grants of one table, one statement a role."""
    wanted = sorted(grants_of(table, accesses), key=lambda grant: grant.role)
    for role, held in itertools.groupby(wanted, key=lambda grant: grant.role):
        yield textwrap.fill(f"grant {', '.join(_rights(list(held)))} on public.{table} to {role};", 118)


def _rights(held: Sequence[Grant]) -> Iterator[str]:
    for act in Act:
        if all(grant.act is not act for grant in held):
            continue
        columns = sorted(grant.column for grant in held if grant.act is act and grant.column)
        yield f"{act} ({', '.join(columns)})" if columns else str(act)


def main() -> None:
    """Print statements for the tables that were named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=list(RULES), metavar="TABLE")
    parser.add_argument("--caller", type=Caller, help="only the policies of one kind of caller, without rights")
    parser.add_argument("--without", type=Caller, help="not those of one kind of caller")
    options = parser.parse_args()
    for table in options.tables or list(RULES):
        chosen = [
            access
            for access in RULES[table]
            if options.caller in (None, access.caller) and options.without != access.caller
        ]
        if chosen:
            lines = statements(table, chosen, rights=options.caller is None)
            sys.stdout.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()
