"""CALIN's two HTTP services, through which meters behind DCUs are commanded and their tokens made."""

from nxt_adapters.calin_api.commands import DcuIntake
from nxt_adapters.calin_api.errors import CalinApiFailed
from nxt_adapters.calin_api.exchange import DEFAULT_POLICY
from nxt_adapters.calin_api.mint import CalinMint

__all__ = ["DEFAULT_POLICY", "CalinApiFailed", "CalinMint", "DcuIntake"]
