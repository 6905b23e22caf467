"""Expected trouble of what runs on this machine; each text is one line for people."""


class NotRunning(LookupError):
    """No running instance, or not which one is meant."""


class NotReady(Exception):
    """Children that should be ready are not."""
