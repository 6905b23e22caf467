"""Work that waits longer than it should, and what was set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from nxt_adapters.supabase.messages_rows import SET_ASIDE
from nxt_entrypoints.checkup.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import LiteralString

_TIMEOUT_S = 5
_LATE_S = 60
_JOBS = "see that the jobs role runs and reaches what the tasks go to"

# Each gives how many, and one example in words.
_OUTBOX: LiteralString = """
    select count(*), min(kind) || ', the oldest ' || date_trunc('second', now() - min(next_attempt_at))
        || coalesce(': ' || min(last_error), '')
    from internal.outbox_tasks
    where done_at is null and dropped_at is null and next_attempt_at < now() - make_interval(secs => %(late_s)s)
"""
_GIVEN_UP: LiteralString = """
    select count(*), min(kind) || coalesce(': ' || min(last_error), '') from internal.outbox_tasks
    where dropped_at > now() - interval '1 day' and kind <> 'SOCKET_EVENT'
"""
_UNREADABLE: LiteralString = """
    select count(*), 'the first is ' || min(id) from messaging.device_messages
    where starts_with(ready_queue, %(set_aside)s)
"""
_UNSETTLED: LiteralString = """
    select count(*), 'order ' || min(order_id) || coalesce(': ' || min(last_error), '')
    from internal.settlement_failures
"""
_UNSEALED: LiteralString = """
    select count(*), 'since ' || min(created_at) from internal.secret_inbox
    where created_at < now() - make_interval(secs => %(late_s)s)
"""

_LOOKS: Mapping[str, tuple[LiteralString, str, str]] = {
    "outbox": (_OUTBOX, f"tasks are more than {_LATE_S} s late", _JOBS),
    "outbox, given up": (
        _GIVEN_UP,
        "tasks were given up within a day",
        "read last_error in internal.outbox_tasks; what they would have told is in the tables",
    ),
    "device messages": (
        _UNREADABLE,
        "messages can't be read and are set aside",
        "look at their rows in messaging.device_messages; a newer or older version wrote them",
    ),
    "settlement": (
        _UNSETTLED,
        "paid orders could not be settled",
        "read last_error in internal.settlement_failures; they are tried again by themselves",
    ),
    "secret inbox": (
        _UNSEALED,
        "secrets wait unsealed",
        "see that the jobs role runs and has NXT_SECRETS_KEYS",
    ),
}


async def waiting(url: str) -> Sequence[Finding]:
    """Look at the queues of the relational plane; nothing, where they can't be read: other checks say why."""
    parameters = {"late_s": _LATE_S, "set_aside": SET_ASIDE}
    findings: list[Finding] = []
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=_TIMEOUT_S, autocommit=True) as opened:
            for what, (query, trouble, advice) in _LOOKS.items():
                row = await (await opened.execute(query, parameters)).fetchone()
                count, example = row or (0, None)
                detail = f"{count} {trouble} ({example})" if count else "nothing waits"
                findings.append(Finding(what=what, ok=not count, detail=detail, advice=advice))
    except psycopg.Error:
        return []
    return findings
