"""What direct clients see and write: row security and rights of schema ``public``, as data [REL-106 to REL-109].

``rules`` is the table: which kind of caller may do what with which rows. Migrations freeze its SQL, ``nxt db check``
compares a database with it, and the tests of every table and caller are made from it.
"""

from nxt_adapters.supabase.policies.model import Access, Act, Caller, Grant, Policy, canonical, grants_of, policies_of
from nxt_adapters.supabase.policies.rules import RULES, VIEWS

__all__ = [
    "RULES",
    "VIEWS",
    "Access",
    "Act",
    "Caller",
    "Grant",
    "Policy",
    "canonical",
    "grants_of",
    "policies_of",
]
