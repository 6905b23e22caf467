"""The text message gateway Africa's Talking."""
