"""Configuration: one artifact, secrets apart, everything checked at once [API-187 to API-204]."""

from nxt_entrypoints.settings.artifact import Artifact
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.problems import EX_CONFIG, ConfigInvalid, Problem
from nxt_entrypoints.settings.roles import ALL_ROLES, Role
from nxt_entrypoints.settings.settings import NotConfigured, Secret, Settings

__all__ = [
    "ALL_ROLES",
    "EX_CONFIG",
    "Artifact",
    "ConfigInvalid",
    "NotConfigured",
    "Problem",
    "Role",
    "Secret",
    "Settings",
    "load_settings",
]
