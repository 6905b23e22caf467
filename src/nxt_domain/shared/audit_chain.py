"""The chain over the audit log: who changes, removes or reorders evidence afterwards breaks it [REL-167].

Rows are linked by months, after the fact and by one step at a time, so that no act waits for another. Each row's hash
covers the hash before it and the row itself; the first of a month follows the last of the month before. Where a row
stands in the chain is what its ``prev_hash`` says: one that was committed late follows those that were linked already.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import attrs

from nxt_domain.shared.json import JsonObject, canonical

SETTLED_AFTER = timedelta(minutes=5)
"""Rows are linked when no transaction can be open any more that began before them."""
LATE_AFTER = timedelta(minutes=10)

Hash = bytes | None
"""SHA-256; None stands before the very first row."""


@attrs.frozen(kw_only=True)
class AuditRecord:
    """A row of evidence.

    Attributes:
        content: All columns but the two hashes, as JSON.
        prev_hash: Of the row before it.
        hash: None: it is not linked yet.
    """

    id: int
    at: datetime
    content: JsonObject
    prev_hash: Hash = None
    hash: Hash = None

    @property
    def month(self) -> str:
        """The month, UTC, whose chain the row belongs to: ``2026-03``."""
        return self.at.astimezone(UTC).strftime("%Y-%m")


@attrs.frozen
class ChainFinding:
    """Something that only tampering, or a chain that stands still, explains.

    Attributes:
        rule: Stable name, e.g. ``CONTENT_CHANGED``.
        subject: What breaks it, e.g. ``audit_log:17``.
        text: One sentence.
    """

    rule: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}: {self.text}"


class AuditChain(Protocol):
    """The part of a transaction that links evidence."""

    async def hold(self) -> Mapping[str, bytes]:
        """Wait until no other transaction links rows, keep others waiting, and return the last hash of each month."""

    async def ends(self) -> Mapping[str, bytes]:
        """Return the last hash of each month."""

    async def unlinked(self, *, before: datetime, limit: int) -> Sequence[AuditRecord]:
        """Return rows without hash that are older than ``before``, in the order of time and id."""

    async def link(self, records: Sequence[AuditRecord], ends: Mapping[str, bytes]) -> None:
        """Store the hashes of rows, which are never changed again, and the last hash of each month."""

    async def months(self) -> Sequence[str]:
        """Return the months from the first row to the last, in order; some may have none."""

    def of_month(self, month: str) -> AsyncIterable[AuditRecord]:
        """Read a month's rows in the order of time and id."""


def hash_of(prev_hash: Hash, content: JsonObject) -> bytes:
    """Return the hash of a row: SHA-256 over the hash before it and the row's canonical JSON."""
    return hashlib.sha256((prev_hash or b"") + canonical(content)).digest()


def linked(
    records: Sequence[AuditRecord], ends: Mapping[str, bytes]
) -> tuple[Sequence[AuditRecord], Mapping[str, bytes]]:
    """Link rows behind those that are linked already.

    Args:
        records: In the order in which they shall stand.
        ends: Last hash of each month so far.

    Returns:
        The rows with their hashes, and the last hash of each month.
    """
    new_ends, done = dict(ends), []
    for record in records:
        before = new_ends.get(record.month, _last_before(record.month, new_ends))
        digest = hash_of(before, record.content)
        new_ends[record.month] = digest
        done.append(attrs.evolve(record, prev_hash=before, hash=digest))
    return done, new_ends


def _last_before(month: str, ends: Mapping[str, bytes]) -> Hash:
    earlier = max((other for other in ends if other < month), default=None)
    return None if earlier is None else ends[earlier]


@attrs.define(kw_only=True)
class ChainCheck:
    """Walks along the chain, month by month.

    Attributes:
        now: Present instant; rows that are long unlinked are a finding.
        ends: Last hash of each month, as remembered beside the log; rows may have been linked since.
        findings: What was found so far.
        rows: How many rows were seen.
    """

    now: datetime
    ends: Mapping[str, bytes]
    findings: list[ChainFinding] = attrs.field(factory=list)
    rows: int = 0
    _end: Hash = attrs.field(default=None, init=False)
    _passed: set[Hash] = attrs.field(factory=set, init=False)

    async def month(self, month: str, records: AsyncIterable[AuditRecord]) -> None:
        """Check a month that follows the one before.

        Args:
            month: Its name.
            records: All its rows.
        """
        # Rows whose predecessor has not come yet, by its hash: empty but for moments, unless something is wrong.
        waiting: dict[Hash, AuditRecord] = {}
        async for record in records:
            self.rows += 1
            if record.hash is None:
                self._judge_unlinked(record)
                continue
            if record.hash != hash_of(record.prev_hash, record.content):
                self._find("CONTENT_CHANGED", record, "its content is not what its hash was made of")
            if record.prev_hash in waiting:
                self._find("FORKED", record, "it follows the same row as another one")
                continue
            waiting[record.prev_hash] = record
            self._advance(waiting)
        self._judge_waiting(waiting)
        if month in self.ends and self.ends[month] not in self._passed:
            self.findings.append(ChainFinding("ROWS_MISSING", f"month:{month}", "its last linked rows are gone"))

    def finish(self, months: Sequence[str]) -> Sequence[ChainFinding]:
        """Return everything that was found.

        Args:
            months: Those that were checked.
        """
        for month in sorted(set(self.ends) - set(months)):
            self.findings.append(ChainFinding("ROWS_MISSING", f"month:{month}", "all its rows are gone"))
        return self.findings

    def _advance(self, waiting: dict[Hash, AuditRecord]) -> None:
        while (record := waiting.pop(self._end, None)) is not None:
            self._end = record.hash
            if self._end in self.ends.values():
                self._passed.add(self._end)

    def _judge_unlinked(self, record: AuditRecord) -> None:
        if self.now - record.at > LATE_AFTER:
            self._find("NOT_LINKED", record, f"it is older than {LATE_AFTER} and has no hash")

    def _judge_waiting(self, waiting: dict[Hash, AuditRecord]) -> None:
        while waiting:
            first = next(_heads(waiting))
            self._find("LINK_BROKEN", first, "the row that it follows is not there")
            self._end = first.prev_hash
            self._advance(waiting)

    def _find(self, rule: str, record: AuditRecord, text: str) -> None:
        self.findings.append(ChainFinding(rule, f"audit_log:{record.id}", text))


def _heads(waiting: Mapping[Hash, AuditRecord]) -> Iterator[AuditRecord]:
    """Yield the rows that follow none of the others; in a circle, any."""
    hashes = {record.hash for record in waiting.values()}
    yield from (record for record in waiting.values() if record.prev_hash not in hashes)
    yield from waiting.values()
