"""One process at a time runs a scheduled job [REL-168, R48]."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class JobLeases(Protocol):
    """Leases of scheduled jobs, common to all processes."""

    def hold(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Hold a job's lease while a block runs; enters with False if someone else has it.

        A crashed holder's lease lapses within two minutes. A holder whose lease was lost is stopped.

        Raises:
            Unavailable: On leaving, when the lease was lost meanwhile (code ``LEASE_LOST``).
        """
