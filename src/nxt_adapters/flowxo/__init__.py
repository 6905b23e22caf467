"""Flow XO: the chat bot's host."""

from nxt_adapters.flowxo.top_ups import DEFAULT_POLICY, NO_PHONE, FlowXoSettings, FlowXoTopUps

__all__ = ["DEFAULT_POLICY", "NO_PHONE", "FlowXoSettings", "FlowXoTopUps"]
