"""The plug-ins of the stand-alone mode, and the variables each needs, with their traditional names [DM-165, DM-167]."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from nxt_entrypoints.settings.kinds import Flag, HostPort, Kind, Text, Url


@frozen
class Name:
    """One variable of a plug-in.

    Attributes:
        name: Read first.
        older: Read if ``name`` is unset.
        is_optional: Whether the plug-in works without it.
    """

    name: str
    older: str | None = None
    kind: Kind = field(factory=Text)
    is_optional: bool = False


@frozen(kw_only=True)
class PluginNames:
    """What a plug-in reads from the environment.

    Attributes:
        shown_as: What is said to be missing, in place of the single names.
    """

    names: tuple[Name, ...] = ()
    shown_as: str | None = None


def _logins(prefix: str, older: str, users: Mapping[str, str]) -> tuple[Name, ...]:
    return tuple(Name(f"{prefix}_{new}", f"{older}_{old}") for new, old in users.items())


_V1_USERS = {
    f"{user}_{part}": f"{user}_{part}" for user in ("ADMIN", "POS", "MAINTENANCE") for part in ("USERNAME", "PASSWORD")
}

PLUGIN_NAMES: Mapping[str, PluginNames] = {
    "calin-chirpstack": PluginNames(
        names=(
            Name("CHIRPSTACK_API_URL", kind=HostPort()),
            Name("CHIRPSTACK_API_TOKEN"),
            Name("CHIRPSTACK_APPLICATION_ID"),
            Name("CHIRPSTACK_PROFILE_ID"),
            Name("CHIRPSTACK_APP_KEY"),
            Name("CHIRPSTACK_API_TLS", kind=Flag(), is_optional=True),
            Name("CHIRPSTACK_INGRESS_KEY", is_optional=True),
        ),
        shown_as="chirpstack",
    ),
    "calin-api-v1": PluginNames(
        names=(
            Name("CALIN_API_V1_URL", "CALIN_V1_API", Url()),
            *_logins("CALIN_API_V1", "CALIN_V1", {"COMPANY_NAME": "COMPANY_NAME", **_V1_USERS}),
        )
    ),
    "calin-api-v2": PluginNames(
        names=(
            Name("CALIN_API_V2_URL", "CALIN_V2_API", Url()),
            *_logins(
                "CALIN_API_V2",
                "CALIN_V2",
                {
                    "COMPANY_NAME": "COMPANY_NAME",
                    "CUSTOMER_ID": "CUSTOMER_ID",
                    "ADMIN_USERNAME": "ADMIN_USERNAME",
                    "ADMIN_PASSWORD": "PASSWORD",
                    "POS_PASSWORD": "POS_PASSWORD",
                },
            ),
        )
    ),
    "nxt-sts": PluginNames(names=(Name("NXT_STS_URL", "STS_GENERATOR_API", Url()),)),
    "stub-push": PluginNames(),
    "stub-pull": PluginNames(),
}
"""By id: only these exist."""
