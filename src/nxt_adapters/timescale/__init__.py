"""Series store on TimescaleDB, or on plain PostgreSQL with the same tables."""
