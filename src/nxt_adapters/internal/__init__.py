"""Our own other roles, over HTTP [API-184]."""
