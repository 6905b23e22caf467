"""Flutterwave, the payment gateway, API version 3 (PAY 9)."""
