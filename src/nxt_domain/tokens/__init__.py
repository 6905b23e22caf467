"""Prepayment tokens: twenty digits that a meter takes once."""
