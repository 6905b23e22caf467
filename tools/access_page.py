"""Write ``docs/access.md`` from the access matrix: ``python tools/access_page.py``."""

from __future__ import annotations

from pathlib import Path

from nxt_domain.identity.access import ACCESS, Access, Reach

PAGE = Path(__file__).parent.parent / "docs" / "access.md"

_WORDS = {Reach.NONE: "—", Reach.SELF: "self", Reach.OWN: "own", Reach.ALL: "✓"}
_HEAD = """\
# Access

Who may call which route of the API role. This page is written by `tools/access_page.py` from
`src/nxt_domain/identity/access.py`, the table that the guards themselves go by; a test tells when it is stale.

| word | means |
|---|---|
| ✓ | everything the route offers |
| own | rows of the caller's own organization; foreign ones answer exactly as unknown ones |
| self | a customer's or agent's own wallet and own meters; an agent's: those of their grid |
| — | refused: 403, decided by the kind of caller before any row is read |

- A caller without a credential, or with one that does not count, gets 401 wherever the first column has no ✓.
- **Platform** is a member of the platform's own organization, or the key of one.
- Members and keys of lenders and data aggregators read only: every changing route refuses them with 403.
- A key with scopes reaches the routes of its scopes alone, whatever its owner may do.
- An account that is neither member, agent nor customer gets `GET /auth/grafana-token` and what is open to all.
- The routes of the other three roles ask for the internal key, all or nothing.

| route | anonymous | customer | agent | member | key | platform | narrowed further |
|---|---|---|---|---|---|---|---|
"""


def render() -> str:
    """Return the page."""
    return _HEAD + "".join(_row(name, ACCESS[name]) for name in sorted(ACCESS, key=_by_path))


def _by_path(name: str) -> tuple[str, str]:
    method, _, path = name.partition(" ")
    return path, method


def _row(name: str, access: Access) -> str:
    anonymous = _WORDS[Reach.ALL if access.anonymous else Reach.NONE]
    reaches = [_WORDS[reach] for reach in (access.customer, access.agent, access.member, access.key)]
    return f"| {' | '.join((f'`{name}`', anonymous, *reaches, '✓', access.note))} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
