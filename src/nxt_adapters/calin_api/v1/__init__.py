"""CALIN's HTTP service of the first generation."""

from nxt_adapters.calin_api.v1.client import CalinV1Client
from nxt_adapters.calin_api.v1.plugin import CalinV1Meters
from nxt_adapters.calin_api.v1.settings import PLUGIN_ID, CalinV1Settings, User
from nxt_adapters.calin_api.v1.vendor import CalinV1TokenVendor

__all__ = [
    "PLUGIN_ID",
    "CalinV1Client",
    "CalinV1Meters",
    "CalinV1Settings",
    "CalinV1TokenVendor",
    "User",
]
