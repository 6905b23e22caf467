"""The ``nxt-sts`` service: tokens made by a stateless HTTP service of one's own."""

from nxt_adapters.nxt_sts.mint import NxtStsMint
from nxt_adapters.nxt_sts.vendor import DEFAULT_POLICY, NxtStsSettings, NxtStsVendor

__all__ = ["DEFAULT_POLICY", "NxtStsMint", "NxtStsSettings", "NxtStsVendor"]
