"""The HTTP frame of every role: declared routes in, one aiohttp application out."""
