"""Boot validation of the stand-alone mode: everything that is wrong, in one message [DM-164 to DM-167]."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from nxt_entrypoints.messaging.document import Document, read_document
from nxt_entrypoints.messaging.plugin_names import PLUGIN_NAMES, Name
from nxt_entrypoints.settings import source as sources
from nxt_entrypoints.settings.kinds import PORT, Host, Kind, Text, Url
from nxt_entrypoints.settings.problems import ConfigInvalid, Problem
from nxt_entrypoints.settings.settings import NotConfigured, Secret, Value

DATABASE = Name("DEVICE_MESSAGING_DATABASE_URL", kind=Url(("postgresql", "postgres")))
_PORT = Name("PORT", kind=PORT)
_HOST = Name("NXT_HOST", kind=Host())
_ENVIRONMENT = Name("NXT_ENV", kind=Text())
_API_KEY = Name("DEVICE_MESSAGING_API_KEY", kind=Text())
_WEBHOOK_SECRET = Name("DEVICE_MESSAGING_WEBHOOK_SECRET", kind=Text())
_DEFAULT_PORT = 3100
_LEASE_MS = 60_000


@frozen(kw_only=True)
class MessagingSettings:
    """Everything the process knows of its deployment; nothing of it changes afterwards.

    Attributes:
        source: Where the document came from.
        api_key: Of the command routes; empty: they are open [DM-142].
        webhook_secret: Signs events; empty: they are not signed [DM-155].
        warnings: What is allowed but unwise.
    """

    document: Document
    source: str
    host: str
    port: int
    database_url: Secret
    api_key: Secret
    webhook_secret: Secret
    warnings: tuple[str, ...] = ()
    _plugin_values: Mapping[str, Value] = field(factory=dict, repr=False)

    def has(self, name: str) -> bool:
        """Whether a variable of a plug-in holds something."""
        return name in self._plugin_values

    def text(self, name: str) -> str:
        """Return a text of a plug-in's variables, by its new name.

        Raises:
            NotConfigured: It is unset.
        """
        if name not in self._plugin_values:
            raise NotConfigured(f"{name} is not set")
        return str(self._plugin_values[name])

    def flag(self, name: str) -> bool:
        """Whether a variable of a plug-in is set to true."""
        return self._plugin_values.get(name) is True

    @property
    def secret_texts(self) -> frozenset[str]:
        """What must never be logged."""
        texts = {self.api_key.reveal(), self.webhook_secret.reveal()}
        texts |= {str(value) for name, value in self._plugin_values.items() if name.endswith(_SECRET_ENDINGS)}
        password = urlsplit(self.database_url.reveal()).password
        return frozenset(text for text in {*texts, password or "", unquote(password or "")} if text)


_SECRET_ENDINGS = ("_PASSWORD", "_TOKEN", "_KEY")


def load_messaging_settings(
    environ: Mapping[str, str], *, fetch: Callable[[str], str] | None = None
) -> MessagingSettings:
    """Read and check the document and the environment.

    Args:
        environ: Usually ``os.environ``.
        fetch: Reads ``DEVICE_MESSAGING_CONFIG_URL``; for tests.

    Raises:
        ConfigInvalid: With every problem there is; values of variables are never part of it.
    """
    env = _Environment(environ)
    environment = env.value(_ENVIRONMENT) or "development"
    source = sources.resolve(environ, fetch, prefix="DEVICE_MESSAGING_CONFIG")
    document, problems = (
        (Document(), (source.problem,))
        if source.problem
        else read_document(source.plain, is_production=environment == "production")
    )
    database = env.value(DATABASE)
    if DATABASE.name not in env.texts:
        env.problems.append(Problem("env", DATABASE.name, "missing (the database of stand-alone messaging)"))
    api_key, webhook_secret = env.value(_API_KEY), env.value(_WEBHOOK_SECRET)
    port, host = env.value(_PORT), env.value(_HOST)
    plugin_values = env.of_plugins(document)
    if problems or env.problems:
        raise ConfigInvalid((*problems, *env.problems), source.shown)
    return MessagingSettings(
        document=document,
        source=source.shown,
        host=str(host or "0.0.0.0"),  # noqa: S104 - [DM-141]
        port=port if isinstance(port, int) else _DEFAULT_PORT,
        database_url=Secret(str(database)),
        api_key=Secret(str(api_key or "")),
        webhook_secret=Secret(str(webhook_secret or "")),
        warnings=tuple(_unwise(document, api_key, webhook_secret)),
        plugin_values=plugin_values,
    )


class _Environment:
    """Variables by their new names; what is wrong with them is collected."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.texts = {name: text.strip() for name, text in environ.items() if text.strip()}
        self.problems: list[Problem] = []

    def value(self, wanted: Name) -> Value | None:
        """Read one; None: it is unset, or malformed, which is noted."""
        given_as = self._given_as(wanted)
        if given_as is None:
            return None
        kind: Kind = wanted.kind
        try:
            return kind.parse(self.texts[given_as])
        except ValueError:
            self.problems.append(Problem("env", given_as, f"malformed: has to be {kind.expected}"))
            return None

    def of_plugins(self, document: Document) -> dict[str, Value]:
        """Read what the listed plug-ins need; a plug-in whose variables are incomplete is a problem [DM-165]."""
        values: dict[str, Value] = {}
        for plugin in document.plugins:
            needs = PLUGIN_NAMES.get(plugin.id)
            if needs is None:  # told of already
                continue
            missing = [name.name for name in needs.names if not name.is_optional and self._given_as(name) is None]
            if missing:
                named = needs.shown_as or ", ".join(missing)
                self.problems.append(Problem("env", f'MISSING env for plugin "{plugin.id}"', named))
            for name in needs.names:
                value = self.value(name)
                if value is not None:
                    values[name.name] = value
        return values

    def _given_as(self, wanted: Name) -> str | None:
        return next((name for name in (wanted.name, wanted.older) if name is not None and name in self.texts), None)


def _unwise(document: Document, api_key: Value | None, webhook_secret: Value | None) -> Iterator[str]:
    webhook = document.event_webhook
    if not api_key:
        yield "DEVICE_MESSAGING_API_KEY is not set: everybody may send commands and make tokens"
    if webhook is not None and not webhook_secret:
        yield "DEVICE_MESSAGING_WEBHOOK_SECRET is not set: events are not signed"
    if webhook is None:
        yield "eventWebhook is not configured: nobody is told of events"
    elif webhook.request_timeout_ms >= _LEASE_MS:
        yield "eventWebhook.requestTimeoutMs reaches the lease of 60 s: slow events may be posted twice at a time"
