"""Supabase Auth (GoTrue): the identity provider."""

from nxt_adapters.gotrue.sessions import GoTrueSessions

__all__ = ["GoTrueSessions"]
