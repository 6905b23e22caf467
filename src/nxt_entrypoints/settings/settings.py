"""The frozen settings of a process: what the artifact and the environment said, checked [API-189]."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

from nxt_entrypoints.settings.roles import Role, in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nxt_entrypoints.settings.artifact import Artifact

Value: TypeAlias = "str | int | float | bool | tuple[str, ...]"
"""What a variable can hold."""


@frozen(repr=False, eq=False)
class Secret:
    """A secret text that shows itself only on request.

    ``repr``, ``str`` and formatting give ``•••``, so that logs and tracebacks never hold it.
    """

    _text: str

    def reveal(self) -> str:
        """The text itself, for the call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(•••)"

    def __str__(self) -> str:
        return "•••"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))


class NotConfigured(LookupError):
    """A variable was asked for that is unset and has no default, or that holds another type."""


@frozen(kw_only=True)
class Settings:
    """Everything a process knows about its deployment; made by ``load_settings``.

    Attributes:
        artifact: The non-secret document.
        source: Where it came from, as messages name it.
        source_sha256: Digest of its text.
        roles: Roles of this process; the first owns ``NXT_PORT`` [API-201].
        environment: ``NXT_ENV``.
        hibernated: Idle mode [API-202]; nothing but ports and host is meaningful then.
        host: Address to bind.
        ports: Port of each role that listens.
        overrides: Artifact paths whose value a variable replaced, with that variable.
        warnings: What is allowed but unwise, in words, without values.
        given: Names of the registry that are set.
    """

    artifact: Artifact
    source: str
    source_sha256: str
    roles: tuple[Role, ...]
    environment: str
    hibernated: bool
    host: str
    ports: Mapping[Role, int]
    overrides: Mapping[str, str] = field(factory=dict)
    warnings: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    _values: Mapping[str, Value] = field(factory=dict, repr=False)
    _relational: Secret = Secret("")
    _series: Secret = Secret("")
    _valkey: Secret = Secret("")
    _migration: Secret = Secret("")

    @property
    def relational_url(self) -> str:
        """``postgresql://…`` of the primary database, with credentials: never log it."""
        return self._relational.reveal()

    @property
    def series_url(self) -> str:
        """``postgresql://…`` of the time-series database; empty in a process that needs none."""
        return self._series.reveal()

    @property
    def valkey_url(self) -> str:
        """``redis://…`` or ``rediss://…``, the database number by ``NXT_ENV`` [API-203]."""
        return self._valkey.reveal()

    @property
    def migration_url(self) -> str:
        """As ``relational_url``, as the owner who migrates: ``DATABASE_*``, else ``NXT_DB_*`` (R14)."""
        return self._migration.reveal()

    @property
    def is_production(self) -> bool:
        """Whether this is the production environment."""
        return self.environment == "production"

    @property
    def jobs_enabled(self) -> bool:
        """The one switch of schedules and production-only effects (R6)."""
        return self.effects_enabled()

    @property
    def reference_prefix(self) -> str:
        """What generated payment references begin with [API-203]."""
        return "" if self.is_production else "DEV__"

    @property
    def split_from(self) -> tuple[Role, ...]:
        """Roles that run in other processes."""
        return in_order(set(Role) - set(self.roles))

    def effects_enabled(self, *, staging: bool = False) -> bool:
        """Whether a "production" effect happens; ``staging`` for those marked "staging + production" (R6)."""
        if self.artifact.jobs.enabled is not None:
            return self.artifact.jobs.enabled
        return self.is_production or (staging and self.environment == "staging")

    def has(self, name: str) -> bool:
        """Whether a variable holds something or has a default."""
        return name in self._values

    def secret(self, name: str) -> Secret:
        """A secret text, wrapped.

        Raises:
            NotConfigured: If it is unset.
        """
        return Secret(self.text(name))

    def text(self, name: str) -> str:
        """A text.

        Raises:
            NotConfigured: If it is unset or no text.
        """
        value = self.value(name)
        if not isinstance(value, str):
            raise NotConfigured(f"{name} is not a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or ``None`` if it is unset."""
        return self.text(name) if self.has(name) else None

    def integer(self, name: str) -> int:
        """A whole number.

        Raises:
            NotConfigured: If it is unset or no whole number.
        """
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise NotConfigured(f"{name} is not a whole number")
        return value

    def number(self, name: str) -> float:
        """A number; durations are seconds.

        Raises:
            NotConfigured: If it is unset or no number.
        """
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NotConfigured(f"{name} is not a number")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false.

        Raises:
            NotConfigured: If it is unset or neither.
        """
        value = self.value(name)
        if not isinstance(value, bool):
            raise NotConfigured(f"{name} is neither true nor false")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """A list of texts.

        Raises:
            NotConfigured: If it is unset or no list.
        """
        value = self.value(name)
        if not isinstance(value, tuple):
            raise NotConfigured(f"{name} is not a list")
        return value

    def value(self, name: str) -> Value:
        """Whatever a variable holds.

        Raises:
            NotConfigured: If it is unset.
        """
        if name not in self._values:
            raise NotConfigured(f"{name} is not set")
        return self._values[name]
