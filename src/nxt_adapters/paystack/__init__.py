"""Paystack, a payment gateway: the second one behind the port, for the platform's account."""
