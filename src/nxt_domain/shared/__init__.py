"""The kernel that every context uses: money, quantities, time, ids, errors, the outbox, the unit of work."""
