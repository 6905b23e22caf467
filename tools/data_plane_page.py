"""Write the table of ``docs/data-plane.md``, from the rules: ``python tools/data_plane_page.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nxt_adapters.supabase.policies import RULES, Access, Act, Caller
from nxt_adapters.supabase.policies.readers import PRESETS
from nxt_adapters.supabase.tables import metadata

PAGE = Path(__file__).parent.parent / "docs" / "data-plane.md"
BEGIN, END = "<!-- begin: tools/data_plane_page.py -->\n", "<!-- end -->\n"

_LETTERS = {Act.SELECT: "S", Act.INSERT: "I", Act.UPDATE: "U", Act.DELETE: "D"}
_HEADS = {
    Caller.ANONYMOUS: "anonymous",
    Caller.PERSON: "agent, customer",
    Caller.MEMBER: "every member",
    Caller.OWNER: "own organization",
    Caller.LENDER: "lender",
    Caller.PLATFORM: "platform",
}


def render(page: str) -> str:
    """Return the page with its table as the rules are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{''.join(_lines())}{END}{after}"


def _lines() -> Iterator[str]:
    heads = ["table", *_HEADS.values(), *PRESETS]
    yield _row(heads)
    yield "|" + "---|" * len(heads) + "\n"
    for table, rules in sorted(RULES.items()):
        cells = [_cell([rule for rule in rules if rule.caller is caller]) for caller in _HEADS]
        yield _row([f"`{table}`", *cells, *("S" if table in reads else "" for reads in PRESETS.values())])
    closed = (table.name for table in metadata.tables.values() if table.schema is None and table.name not in RULES)
    yield f"\nClosed to all of them: {', '.join(f'`{table}`' for table in sorted(closed))}.\n"


def _cell(rules: Sequence[Access]) -> str:
    notes: dict[str, list[str]] = {}
    for rule in rules:
        acts = " ".join(_LETTERS[act] for act in rule.acts)
        notes.setdefault(acts, []).append(rule.note)
    return ", ".join(f"{acts}{_in_brackets([note for note in given if note])}" for acts, given in notes.items())


def _in_brackets(notes: Sequence[str]) -> str:
    return f" ({', '.join(notes)})" if notes else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
