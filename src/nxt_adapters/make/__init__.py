"""The automation platform Make: hooks that turn figures into documents."""

from nxt_adapters.make.drafts import DEFAULT_POLICY, MakeDrafts, MakeSettings

__all__ = ["DEFAULT_POLICY", "MakeDrafts", "MakeSettings"]
