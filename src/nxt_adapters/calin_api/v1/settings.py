"""What the adapter of the first generation needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import attrs

from nxt_domain.shared.errors import InvalidInput

PLUGIN_ID = "calin-api-v1"


def _trimmed(url: str) -> str:
    return url.strip().rstrip("/")


@attrs.frozen(kw_only=True)
class User:
    """One of the service's logins.

    Attributes:
        name: As the service knows it.
        password: Gives the password; asked at every call, so that it can change meanwhile.
    """

    name: str
    password: Callable[[], str] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CalinV1Settings:
    """Address and logins of one company.

    Attributes:
        url: ``CALIN_API_V1_URL`` (``CALIN_V1_API``); a slash at its end is ignored.
        company: ``CALIN_API_V1_COMPANY_NAME``.
        admin: Creates and polls tasks.
        pos: Sells top-up tokens.
        maintenance: Makes the other tokens, and asks which DCUs are online.
        simulator_url: ``CALIN_SIMULATOR_API``: takes calls for simulated meters [DM-190].

    Raises:
        InvalidInput: The address is no URL.
    """

    url: str = attrs.field(converter=_trimmed)
    company: str
    admin: User
    pos: User
    maintenance: User
    simulator_url: str = attrs.field(default="", converter=_trimmed)

    def __attrs_post_init__(self) -> None:
        for name, url in (("CALIN_API_V1_URL", self.url), ("CALIN_SIMULATOR_API", self.simulator_url)):
            parts = urlsplit(url)
            is_missing = not url and name == "CALIN_SIMULATOR_API"
            if not is_missing and (parts.scheme not in {"http", "https"} or not parts.netloc):
                raise InvalidInput(f"{name} must be an http(s) URL", code="CONFIGURATION")
