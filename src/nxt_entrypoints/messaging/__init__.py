"""Device messaging as a process of its own, with its own HTTP contract and database (DM 14 to 17)."""
