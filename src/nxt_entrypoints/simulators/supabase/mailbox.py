"""One-time codes and links, and the mails and text messages that carry them; read them at ``GET /messages?to=``."""

import base64
import hashlib
import secrets
import uuid
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlencode

import attrs

from nxt_entrypoints.simulators.control import Clock

CODE_LIFE = timedelta(hours=1)
_KEPT = 2_000


@attrs.frozen(kw_only=True)
class Ticket:
    """A code that was sent and can be used once.

    Attributes:
        kind: ``sms``, ``magiclink``, ``recovery``, ``invite``, ``email_change``, ``phone_change``.
        to: e-mail or phone it was sent to.
        code: six digits.
        link_hash: what its link carries.
        redirect_to: where the link leads.
        challenge: of a client that will exchange a code for the session; empty: none.
        new_value: of a change of e-mail or phone.
    """

    kind: str
    user_id: uuid.UUID
    to: str
    code: str
    link_hash: str
    sent_at: datetime
    redirect_to: str
    challenge: str = ""
    new_value: str = ""


class Mailbox:
    """Everything that was sent.

    Args:
        clock: the present instant.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tickets: deque[Ticket] = deque(maxlen=_KEPT)
        self._messages: deque[dict[str, object]] = deque(maxlen=_KEPT)
        self._exchanges: dict[str, tuple[uuid.UUID, str]] = {}
        self.url = ""

    def send(
        self, kind: str, user_id: uuid.UUID, to: str, *, redirect_to: str = "", challenge: str = "", new_value: str = ""
    ) -> Ticket:
        """Make a ticket and write the message that carries it; an older one of its kind no longer counts."""
        for old in [each for each in self._tickets if (each.kind, each.user_id) == (kind, user_id)]:
            self._tickets.remove(old)
        ticket = Ticket(
            kind=kind,
            user_id=user_id,
            to=to,
            code=f"{secrets.randbelow(1_000_000):06d}",
            link_hash=secrets.token_hex(28),
            sent_at=self._clock(),
            redirect_to=redirect_to,
            challenge=challenge,
            new_value=new_value,
        )
        self._tickets.append(ticket)
        self._messages.append(
            {
                "to": to,
                "kind": kind,
                "code": ticket.code,
                "token_hash": ticket.link_hash,
                "link": "" if kind in {"sms", "phone_change"} else self.link(ticket),
                "at": ticket.sent_at.isoformat(),
            }
        )
        return ticket

    def link(self, ticket: Ticket) -> str:
        """Return the address that a mail shows."""
        query = {"token": ticket.link_hash, "type": ticket.kind, "redirect_to": ticket.redirect_to}
        return f"{self.url}/auth/v1/verify?{urlencode(query)}"

    def use_code(self, kinds: set[str], to: str, code: str) -> Ticket | None:
        """Take the ticket that was sent to somebody; None: there is none, or it is too old."""
        return self._use(lambda ticket: ticket.kind in kinds and ticket.to == to and ticket.code == code)

    def use_hash(self, link_hash: str) -> Ticket | None:
        """Take the ticket of a link."""
        return self._use(lambda ticket: ticket.link_hash == link_hash)

    def offer(self, ticket: Ticket) -> str:
        """Return a code that the client with the right verifier exchanges for a session."""
        code = str(uuid.uuid4())
        self._exchanges[code] = (ticket.user_id, ticket.challenge)
        return code

    def exchange(self, code: str, verifier: str) -> uuid.UUID | None:
        """Say whose a code is; None: it is unknown, or the verifier is wrong."""
        user_id, challenge = self._exchanges.pop(code, (None, ""))
        return user_id if user_id is not None and challenge in {verifier, s256(verifier)} else None

    def sent(self, to: str | None) -> list[dict[str, object]]:
        """Return the messages to somebody, oldest first; None: to anybody."""
        return [message for message in self._messages if to is None or message["to"] == to]

    def _use(self, is_meant: Callable[[Ticket], bool]) -> Ticket | None:
        for ticket in list(self._tickets):
            if is_meant(ticket):
                self._tickets.remove(ticket)
                return ticket if self._clock() - ticket.sent_at <= CODE_LIFE else None
        return None


def s256(verifier: str) -> str:
    """Return the challenge that belongs to a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
