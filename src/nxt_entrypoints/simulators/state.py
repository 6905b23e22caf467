"""What must outlive the simulators' process: credits, counters, used tokens, payments, sessions.

A real meter doesn't forget its credit when our system restarts, so neither does a simulated one
when it is given a data directory.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

FILE_NAME = "simulators.sqlite3"


class StateStore:
    """A small table of JSON documents, by kind and key.

    Writes are transactions of SQLite in WAL mode: a killed process loses nothing that was put, and
    never leaves a half-written file.

    Args:
        data_dir: the folder to keep the file in; None keeps everything in memory.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        if data_dir is None:
            self._connection = sqlite3.connect(":memory:", isolation_level=None)
        else:
            data_dir.mkdir(parents=True, exist_ok=True)
            path = data_dir / FILE_NAME
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body BLOB NOT NULL, "
            "PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def put(self, kind: str, documents: Mapping[str, bytes]) -> None:
        """Write documents, new or changed, in one transaction."""
        self.put_many([(kind, key, body) for key, body in documents.items()])

    def put_many(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        """Write (kind, key, body) rows in one transaction."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
                rows,
            )

    def remove(self, kind: str, keys: Iterable[str]) -> None:
        """Delete documents; unknown keys are ignored."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "DELETE FROM documents WHERE kind = ? AND key = ?", [(kind, key) for key in keys]
            )

    def all(self, kind: str) -> dict[str, bytes]:
        """Return every document of a kind, by key."""
        rows = self._connection.execute("SELECT key, body FROM documents WHERE kind = ? ORDER BY key", (kind,))
        return dict(rows.fetchall())

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
