"""CALIN's HTTP service of the second generation."""

from nxt_adapters.calin_api.v2.client import CalinV2Client
from nxt_adapters.calin_api.v2.login import LoginWatch
from nxt_adapters.calin_api.v2.plugin import CalinV2Meters
from nxt_adapters.calin_api.v2.registry import CalinV2Registry
from nxt_adapters.calin_api.v2.settings import PLUGIN_ID, CalinV2Settings
from nxt_adapters.calin_api.v2.vendor import CalinV2TokenVendor

__all__ = [
    "PLUGIN_ID",
    "CalinV2Client",
    "CalinV2Meters",
    "CalinV2Registry",
    "CalinV2Settings",
    "CalinV2TokenVendor",
    "LoginWatch",
]
