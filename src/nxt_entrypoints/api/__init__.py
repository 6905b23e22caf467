"""The API role: REST, webhooks in, Socket.IO. No long work."""
