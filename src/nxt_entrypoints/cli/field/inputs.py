"""Keys and parameters of the field tool: secrets never come as plain arguments [STS-75]."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nxt_domain.tokens.sts import Algorithm, BaseDate, CannotEncode, DecoderKey, KeyParameters, Refusal
from nxt_domain.tokens.sts.keys import key_type_of

_Command = TypeVar("_Command", bound=Callable[..., Any])
_KEY_FILE_BYTES = 1_000

REFUSED = frozenset({Refusal.KEY_EXPIRED, Refusal.KEY_CHANGE_REFUSED, Refusal.UNCONFIRMED})
"""What ends with status 1: the input is well formed, and the answer is no."""


def secret_text(file: Path | None, variable: str, question: str) -> str:
    """Read a secret from a file, the environment, or a prompt without echo, in this order.

    Args:
        file: Named by an option; its first line counts.
        variable: Of the environment.
        question: What to ask a person at a terminal.

    Raises:
        click.UsageError: There is none, and nobody to ask.
    """
    if file is not None:
        return (file.read_bytes()[:_KEY_FILE_BYTES].decode("ascii", "replace").splitlines() or [""])[0]
    if variable in os.environ:
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise click.UsageError(f"No key: name a file by an option, or set {variable}")
    return str(click.prompt(question, hide_input=True, err=True))


def decoder_key(file: Path | None, algorithm: Algorithm | None, *, variable: str = "NXT_STS_KEY") -> DecoderKey:
    """Read a meter's decoder key; without an algorithm its length tells it."""
    return DecoderKey.parse(secret_text(file, variable, "Decoder key"), algorithm)


def key_parameters(sgc: str, ti: str, krn: int, kt: int) -> KeyParameters:
    """Collect what a key stands for; short codes are filled with zeros."""
    return KeyParameters(
        supply_group=sgc.zfill(6), tariff_index=ti.zfill(2), key_revision=krn, key_type=key_type_of(kt)
    )


def base_of(text: str) -> BaseDate:
    """Turn the option's year into a base date."""
    return BaseDate(int(text))


def status_of(refusal: CannotEncode) -> int:
    """Return 1 for a refusal, 2 for bad input [STS-75]."""
    return 1 if refusal.reason in REFUSED else 2


def key_file_option(name: str = "--key-file") -> Callable[[_Command], _Command]:
    """Make the option that names a file with a key."""
    return click.option(
        name,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File whose first line is the key, in hexadecimal.",
    )


base_option = click.option(
    "--base-date",
    type=click.Choice([str(int(base)) for base in BaseDate]),
    default="2014",
    show_default=True,
    help="Year that the key counts minutes from.",
)
algorithm_option = click.option(
    "--ea",
    type=click.Choice([each.value for each in Algorithm]),
    help="Encryption algorithm; else by the key's length.",
)
unconfirmed_option = click.option(
    "--allow-unconfirmed", is_flag=True, help="Go on where no independent test vector proves the result."
)
