"""What a test may ask of both databases of a running product, and what it may do to their clocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.support.waiting import until


class Planes:
    """The databases of a product.

    Attributes:
        told: What ``nxt up`` printed (R7).
    """

    told: Mapping[str, Any]

    def rows(self, statement: str, *values: object, plane: str = "relational") -> list[dict[str, Any]]:
        """Ask a database, as its owner."""
        with (
            psycopg.connect(self.told[f"{plane}_url"], autocommit=True, row_factory=dict_row) as connection,
            connection.cursor() as cursor,
        ):
            return cursor.execute(statement, values).fetchall()  # type: ignore[arg-type]  # tests' own texts

    def value(self, statement: str, *values: object, plane: str = "relational") -> Any:
        """Ask a database for one value."""
        (row,) = self.rows(statement, *values, plane=plane)
        return next(iter(row.values()))

    async def until_value(
        self, wanted: object, statement: str, *values: object, within_s: float = 90.0, plane: str = "relational"
    ) -> None:
        """Wait until a database gives a value."""
        last: list[object] = []

        async def reached() -> bool:
            last[:] = [self.value(statement, *values, plane=plane)]
            return last == [wanted]

        await until(reached, within_s, f"{wanted!r} of: {statement} (last: {last})")

    def let_leases_lapse(self, pid: int | None = None) -> None:
        """Let the minute pass for which a dead process (None: any) holds claims [DM-17] [PAY-121]."""
        owner = "%" if pid is None else f"%:{pid}:%"
        for table in ("internal.outbox_tasks", "messaging.device_messages"):
            self.rows(f"update {table} set lease_until = now() where lease_owner like %s returning id", owner)

    def let_patience_end(self, interaction_id: int | None = None) -> None:
        """Let the time pass that a message (None: each) waits for news, or for its next attempt [DM-166] [DM-54]."""
        self.rows(
            "update messaging.device_messages set due_at = now() where due_at is not null "
            "and correlation_id = coalesce(%s::text, correlation_id) returning id",
            interaction_id,
        )

    def run_job(self, name: str) -> None:
        """Ask for a job of the calendar now, by hand, as operators may [PAY-196]."""
        from redis import Redis  # noqa: PLC0415 - with its jobs, the only use here
        from rq import Queue  # noqa: PLC0415 - as above

        with Redis.from_url(self.told["valkey_url"]) as connection:
            Queue("nxt-jobs", connection=connection).enqueue("nxt_entrypoints.jobs.rq_threads.run_job", name)
