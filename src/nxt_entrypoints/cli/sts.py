"""``nxt sts``: makes, reads and explains prepayment tokens, offline and without the rest of the system [STS-74]."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import wraps
from pathlib import Path
from typing import Final, ParamSpec

import click

from nxt_domain.tokens.sts import (
    Algorithm,
    CannotEncode,
    DecoderKey,
    KeyChangePart,
    Refusal,
    TimedToken,
    TokenFault,
    TokenType,
    UnreadableToken,
    decode_key_change,
    encode,
    encode_kwh,
    encode_power_limit,
    in_groups,
    meter_test,
    refuse_expired,
    tid_of,
)
from nxt_domain.tokens.sts import decode as read_token
from nxt_domain.tokens.sts.catalogue import LIMITS
from nxt_entrypoints.cli.field.facts import Facts, change_facts, effect_of, facts_of, lines_of, register_name
from nxt_entrypoints.cli.field.inputs import (
    algorithm_option,
    base_of,
    base_option,
    decoder_key,
    key_file_option,
    status_of,
    unconfirmed_option,
)
from nxt_entrypoints.cli.lazy import Lazy, LazyGroup
from nxt_entrypoints.cli.output import emit, examples, json_option, remark

P = ParamSpec("P")
_BAD_INPUT: Final = frozenset({TokenFault.FORMAT, TokenFault.KEY_MISSING})
_KINDS: Final = {
    "TOP_UP": TokenType.CREDIT_ELECTRICITY,
    "SET_POWER_LIMIT": TokenType.POWER_LIMIT,
    "SET_UNBALANCE_LIMIT": TokenType.UNBALANCE_LIMIT,
    "CLEAR_CREDIT": TokenType.CLEAR_CREDIT,
    "CLEAR_TAMPER": TokenType.CLEAR_TAMPER,
}


def answers_refusals(command: Callable[P, int]) -> Callable[P, int]:
    """Turn a refusal of the codec into one line, or JSON, and a status: 1 refused, 2 bad input [STS-75]."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except CannotEncode as refusal:
            _refused(refusal.code, refusal.message, as_json=kwargs.get("as_json") is True)
            return status_of(refusal)
        except UnreadableToken as refusal:
            _refused(refusal.code, refusal.message, as_json=kwargs.get("as_json") is True)
            return 2 if refusal.fault in _BAD_INPUT else 1

    return run


def _refused(code: str, message: str, *, as_json: bool) -> None:
    if as_json:
        emit({"error": code, "message": message}, as_json=True, lines=tuple)
    remark(f"nxt: {message} ({code})")


_KEYS = "nxt_entrypoints.cli.sts_keys"
_HERE = "nxt_entrypoints.cli.sts"

sts = LazyGroup(
    name="sts",
    help="""Write and read prepayment tokens (STS, IEC 62055-41), offline.

    Keys come from a file (--key-file), from NXT_STS_KEY and NXT_STS_VENDING_KEY, or from a prompt without echo; never
    from an argument. Exit status: 0 done, 1 refused or checksum mismatch, 2 bad input.
    """,
    lazy={
        "issue": Lazy(f"{_HERE}:issue", "Make a token for one meter"),
        "decode": Lazy(f"{_HERE}:decode", "Read tokens, and key changes"),
        "test": Lazy(f"{_HERE}:test", "Make a token that lets a meter test or show something"),
        "key": Lazy(f"{_KEYS}:key", "Derive a decoder key from a vending key"),
        "change-key": Lazy(f"{_KEYS}:change_key", "Make the tokens that give a meter a new key"),
        "number": Lazy(f"{_KEYS}:number", "Check a meter number, show its PAN"),
        "batch": Lazy(f"{_HERE}:batch", "Make one token per line of JSON, for test benches"),
    },
)


@click.command(
    epilog=examples(
        "nxt sts issue --kind TOP_UP --kwh 12.5 --key-file meter.key",
        "nxt sts issue --kind SET_POWER_LIMIT --watts 5000 --at 2026-03-15T10:30 --nonce 3",
        "nxt sts issue --kind CLEAR_TAMPER --json",
    )
)
@click.option("--kind", type=click.Choice(list(_KINDS), case_sensitive=False), required=True, help="What it does.")
@click.option("--kwh", help="Energy, for TOP_UP.")
@click.option("--watts", type=int, help="Limit, for SET_POWER_LIMIT (0 is none) and SET_UNBALANCE_LIMIT.")
@click.option(
    "--register", type=click.IntRange(0, 0xFFFF), default=0, help="For CLEAR_CREDIT; 0 electricity, 65535 all."
)
@click.option("--at", "at_text", metavar="ISO", help="Minute of issue, UTC unless it says otherwise; now if left out.")
@click.option("--nonce", type=int, help="0 to 15; drawn if left out.")
@click.option("--ken", type=click.IntRange(0, 255), default=255, show_default=True, help="Key expiry number.")
@base_option
@algorithm_option
@key_file_option()
@json_option
@answers_refusals
def issue(
    kind: str,
    kwh: str | None,
    watts: int | None,
    register: int,
    at_text: str | None,
    nonce: int | None,
    ken: int,
    base_date: str,
    ea: str | None,
    key_file: Path | None,
    as_json: bool,
) -> int:
    """Make a token, and say what the meter will add or set.

    A token made here is recorded nowhere. A meter takes one token a minute: one that the system has issued for the
    same minute, or will, is refused.
    """
    from nxt_entrypoints.cli.field.members import instant_of  # noqa: PLC0415 - keeps `--help` fast

    if at_text is None:
        remark("warning: the system does not know of this token; its minute may clash with another one's")
    base, issued_at = base_of(base_date), datetime.now(UTC) if at_text is None else instant_of(at_text, "--at")
    token = TimedToken(
        kind=_KINDS[kind],
        nonce=secrets.randbelow(16) if nonce is None else nonce,
        tid=tid_of(issued_at, base),
        field=_field(_KINDS[kind], kwh, watts, register),
    )
    refuse_expired(token.tid, ken)
    key = decoder_key(key_file, None if ea is None else Algorithm(ea))
    digits = encode(token, key)
    facts: Facts = {"token": digits, **facts_of(read_token(digits, key, base), key.algorithm)}
    emit(_plain(facts), as_json=as_json, lines=lambda: [in_groups(digits), _effect(token)])
    return 0


def _field(kind: TokenType, kwh: str | None, watts: int | None, register: int) -> int:
    if kind is TokenType.CREDIT_ELECTRICITY:
        energy_kwh = _decimal(kwh)
        if not energy_kwh.is_finite() or energy_kwh <= 0:
            raise CannotEncode(Refusal.AMOUNT_INVALID, "TOP_UP needs --kwh, a number above 0")
        return encode_kwh(energy_kwh)
    if kind in LIMITS:
        if watts is None:
            raise CannotEncode(Refusal.POWER_LIMIT_INVALID, "A limit needs --watts")
        return encode_power_limit(watts)
    return register if kind is TokenType.CLEAR_CREDIT else 0


def _decimal(text: str | None) -> Decimal:
    try:
        return Decimal(text or "NaN")
    except InvalidOperation:
        return Decimal("NaN")


def _effect(token: TimedToken) -> str:
    ((name, value),) = effect_of(token).items()
    sentences = {
        "energy_kwh": f"the meter will add {value} kWh",
        "power_limit_w": f"the meter will set its power limit to {value} W"
        if value
        else "the meter will have no limit",
        "unbalance_limit_w": f"the meter will set its phase unbalance limit to {value} W",
        "register": f"the meter will clear its credit: {register_name(token.field)}",
        "pad": "the meter will clear its tamper condition",
    }
    return sentences[name]


@click.command(
    epilog=examples(
        "nxt sts decode 58627975513348563046 --key-file meter.key",
        "nxt sts decode 5862 7975 5133 4856 3046",
        "nxt sts decode 51638423060042734509 15361891762113502242 --base-date 1993 --json",
    )
)
@click.argument("token", nargs=-1, required=True)
@base_option
@algorithm_option
@key_file_option()
@click.option("--show-secret", is_flag=True, help="Show the new key of a key change, not its fingerprint alone.")
@unconfirmed_option
@json_option
@answers_refusals
def decode(
    token: tuple[str, ...],
    base_date: str,
    ea: str | None,
    key_file: Path | None,
    show_secret: bool,
    allow_unconfirmed: bool,
    as_json: bool,
) -> int:
    """Read tokens: all fields; of a complete set of key change tokens also what they say together.

    Blanks and dashes in a token don't count. Tests need no key; for key changes it is the old one.
    """
    tokens = split_tokens(token)
    key = decoder_key(key_file, None if ea is None else Algorithm(ea)) if any(map(_needs_key, tokens)) else None
    algorithm = Algorithm.STA if key is None else key.algorithm
    status, read, parts = 0, [], []
    for digits in tokens:
        try:
            decoded = read_token(digits, key, base_of(base_date), allows_unconfirmed=allow_unconfirmed)
        except UnreadableToken as fault:
            status = max(status, 2 if fault.fault in _BAD_INPUT else 1)
            read.append(_fault_facts(digits, fault))
            continue
        read.append({"token": digits, **facts_of(decoded, algorithm)})
        if isinstance(decoded.token, KeyChangePart):
            parts.append(digits)
    change = _change(parts, key, shows_secret=show_secret)
    facts = {"tokens": _plain(read), **({"key_change": _plain(change)} if change else {})}
    emit(facts, as_json=as_json, lines=lambda: _lines(read, change))
    return status


def split_tokens(words: Sequence[str]) -> list[str]:
    """Tell tokens apart: each word is one, or they are groups of digits that together make some."""
    cleaned = [word.replace(" ", "").replace("-", "") for word in words]
    joined = "".join(cleaned)
    if all(len(word) == 20 for word in cleaned) or len(joined) % 20 or not joined:
        return cleaned
    return [joined[start : start + 20] for start in range(0, len(joined), 20)]


def _needs_key(digits: str) -> bool:
    try:
        read_token(digits)
    except UnreadableToken as fault:
        return fault.fault is TokenFault.KEY_MISSING
    return False


def _fault_facts(digits: str, fault: UnreadableToken) -> Facts:
    facts: Facts = {"token": digits, "error": fault.code, "message": fault.message}
    if fault.token_class is not None:
        facts["class"] = fault.token_class
    return facts if fault.body is None else {**facts, "body": f"{fault.body:012X}"}


def _change(parts: Sequence[str], key: DecoderKey | None, *, shows_secret: bool) -> Facts | None:
    """Read a set of key change tokens, unless it is incomplete."""
    if not parts or key is None:
        return None
    try:
        return change_facts(decode_key_change(parts, key), shows_secret=shows_secret)
    except UnreadableToken as incomplete:
        remark(f"The key change is not complete: {incomplete.message}")
        return None


def _lines(read: Sequence[Facts], change: Facts | None) -> Sequence[str]:
    lines = []
    for facts in read:
        rest = {name: value for name, value in facts.items() if name != "token"}
        lines += [in_groups(str(facts["token"])), *lines_of(rest)]
    return [*lines, "key change", *lines_of(change)] if change else lines


def _plain(facts: object) -> object:
    """Make facts ready for JSON, with exact numbers."""
    import json  # noqa: PLC0415 - with the next line

    from nxt_entrypoints.http.json import encode as to_json  # noqa: PLC0415 - keeps `--help` fast

    return json.loads(to_json(facts))


@click.command(
    epilog=examples(
        "nxt sts test 0",
        "nxt sts test 3 --long",
    )
)
@click.argument("number", type=int)
@click.option("--manufacturer", type=int, default=0, help="Code of a manufacturer; other than 0 (any) is unconfirmed.")
@click.option("--long", "is_long", is_flag=True, help="For meters whose number has 13 digits.")
@unconfirmed_option
@json_option
@answers_refusals
def test(number: int, manufacturer: int, is_long: bool, allow_unconfirmed: bool, as_json: bool) -> int:
    """Make the token of a test by its number; 0 is everything that the meter has. Needs no key."""
    token = meter_test(number, is_long=is_long, manufacturer=manufacturer, allows_unconfirmed=allow_unconfirmed)
    digits = encode(token)
    facts: Facts = {"token": digits, **facts_of(read_token(digits), Algorithm.STA)}
    rest = {name: facts[name] for name in ("tests", "manufacturer")}
    emit(_plain(facts), as_json=as_json, lines=lambda: [in_groups(digits), *lines_of(rest)])
    return 0


_BATCH_HELP = """Make one token per line: one JSON object in, {"token"} or {"error", "message"} out.

The exit status stays 0; blank lines are skipped. Members of a line:

\b
  key    decoder_key; or dkga (02, 04) with vending_key, pan, key_type, sgc,
         ti, krn, key_base_date; ea (07, 11)
  token  class, subclass, rnd, base_date (1993, 2014, 2035),
         issued_at (UTC) or tid
  value  amount (classes 0.0 to 0.3), watts (2.0, 2.6),
         or raw: the 16 bits as they are (any)

\b
Such as:
  {"decoder_key": "0123456789ABCDEF", "class": 0, "subclass": 0, "rnd": 3,
   "issued_at": "2024-03-15T10:30", "amount": 0.5}
all on one line.
"""


@click.command(
    help=_BATCH_HELP,
    epilog=examples(
        "nxt sts batch < orders.jsonl > tokens.jsonl",
    ),
)
def batch() -> None:
    """See the help text."""
    from nxt_entrypoints.cli.field.batch import token_of_line  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.cli.field.json_lines import answer_lines  # noqa: PLC0415 - as above

    answer_lines(token_of_line)
