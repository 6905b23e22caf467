"""What the adapter of the second generation needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import attrs

from nxt_domain.shared.errors import InvalidInput

PLUGIN_ID = "calin-api-v2"


def _trimmed(url: str) -> str:
    return url.strip().rstrip("/")


@attrs.frozen(kw_only=True)
class CalinV2Settings:
    """Address and login of one company.

    Attributes:
        url: ``CALIN_API_V2_URL`` (``CALIN_V2_API``); a slash at its end is ignored.
        company: ``CALIN_API_V2_COMPANY_NAME``.
        customer_id: ``CALIN_API_V2_CUSTOMER_ID``.
        username: ``CALIN_API_V2_ADMIN_USERNAME``.
        password: Gives ``CALIN_API_V2_ADMIN_PASSWORD``; asked at every login.
        pos_password: Gives ``CALIN_API_V2_POS_PASSWORD``, which authorizes sales; roles that sell nothing have none.

    Raises:
        InvalidInput: The address is no URL.
    """

    url: str = attrs.field(converter=_trimmed)
    company: str
    customer_id: str
    username: str
    password: Callable[[], str] = attrs.field(repr=False)
    pos_password: Callable[[], str] = attrs.field(default=str, repr=False)

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise InvalidInput("CALIN_API_V2_URL must be an http(s) URL", code="CONFIGURATION")
