"""The payment gateway Paystack."""
