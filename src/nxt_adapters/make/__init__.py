"""The automation platform Make: hooks that turn figures into documents."""

from nxt_adapters.make.accounting import DEFAULT_POLICY, MakeAccounting, MakeSettings
from nxt_adapters.make.grid_news import MakeGridNews

__all__ = ["DEFAULT_POLICY", "MakeAccounting", "MakeGridNews", "MakeSettings"]
