"""Outside systems: one folder each, named after the system; every file implements ports of the domain."""
