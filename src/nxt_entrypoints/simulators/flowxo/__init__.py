"""A chat bot's host to try notices of top-ups against."""
