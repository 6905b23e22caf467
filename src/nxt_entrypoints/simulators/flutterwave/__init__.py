"""The payment gateway Flutterwave, API version 3."""
