"""Wallets and the double-entry ledger behind them: every movement of money is a balanced, append-only entry."""
