"""``nxt sts key``, ``change-key`` and ``number``: keys and the numbers on meters [STS-74]."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from nxt_domain.tokens.sts import (
    Algorithm,
    Derivation,
    KeyRequest,
    MeterKey,
    MeterNumber,
    VendingKey,
    derive_key,
    in_groups,
    key_change_tokens,
)
from nxt_entrypoints.cli.field.facts import Facts, lines_of
from nxt_entrypoints.cli.field.inputs import (
    algorithm_option,
    base_of,
    base_option,
    decoder_key,
    key_file_option,
    key_parameters,
    secret_text,
    unconfirmed_option,
)
from nxt_entrypoints.cli.output import emit, examples, json_option
from nxt_entrypoints.cli.sts import answers_refusals

_KRN = click.IntRange(1, 9)
_KT = click.IntRange(0, 3)
_KEN = click.IntRange(0, 255)


@click.command(
    epilog=examples(
        "nxt sts key --dkga 04 --drn 47001891341 --sgc 201457 --ti 01 --krn 1 --kt 2 --vending-key-file group.key",
        "nxt sts key --dkga 02 --pan 600727470018913412 --sgc 123456 --ti 01 --krn 1 --kt 2 --show-secret",
    )
)
@click.option("--dkga", type=click.Choice([each.value for each in Derivation]), required=True, help="Derivation.")
@click.option("--pan", help="The 18 digits of issuer, meter and check digit; or --drn.")
@click.option("--drn", help="The number on the meter; or --pan.")
@click.option("--sgc", required=True, help="Supply group code.")
@click.option("--ti", required=True, help="Tariff index.")
@click.option("--krn", type=_KRN, required=True, help="Key revision number.")
@click.option("--kt", type=_KT, required=True, help="Key type; 2 is the usual one.")
@base_option
@algorithm_option
@key_file_option("--vending-key-file")
@click.option("--show-secret", is_flag=True, help="Show the key, not its fingerprint alone.")
@click.option("--skip-number-check", is_flag=True, help="Take a meter number with a wrong check digit.")
@unconfirmed_option
@json_option
@answers_refusals
def key(
    dkga: str,
    pan: str | None,
    drn: str | None,
    sgc: str,
    ti: str,
    krn: int,
    kt: int,
    base_date: str,
    ea: str | None,
    vending_key_file: Path | None,
    show_secret: bool,
    skip_number_check: bool,
    allow_unconfirmed: bool,
    as_json: bool,
) -> int:
    """Derive a meter's decoder key from the vending key of its supply group (NXT_STS_VENDING_KEY)."""
    from nxt_adapters.system.des import des_encrypt  # noqa: PLC0415 - keeps `--help` fast

    request = KeyRequest(
        derivation=Derivation(dkga),
        algorithm=Algorithm(ea or Algorithm.STA),
        number=_number(pan, drn),
        parameters=key_parameters(sgc, ti, krn, kt),
        base=base_of(base_date),
        is_number_checked=not skip_number_check,
        allows_unconfirmed=allow_unconfirmed,
    )
    vending_key = VendingKey.parse(secret_text(vending_key_file, "NXT_STS_VENDING_KEY", "Vending key"))
    made = derive_key(vending_key, request, des=des_encrypt)
    facts: Facts = {"fingerprint": made.fingerprint, "pan": request.number.pan, "ea": made.algorithm.value}
    if show_secret:
        facts["decoder_key"] = made.reveal()
    emit(facts, as_json=as_json, lines=lambda: lines_of(facts))
    return 0


def _number(pan: str | None, drn: str | None) -> MeterNumber:
    if (pan is None) is (drn is None):
        raise click.UsageError("Name the meter by --pan or by --drn")
    return MeterNumber.parse(drn or "") if pan is None else MeterNumber.of_pan(pan)


@click.command(
    name="change-key",
    epilog=examples(
        """nxt sts change-key --key-file old.key --old-sgc 123456 --old-ti 01 --old-krn 1 \\
      --new-key-file new.key --sgc 123456 --ti 02 --krn 1""",
    ),
)
@click.option("--sgc", required=True, help="New supply group code.")
@click.option("--ti", required=True, help="New tariff index.")
@click.option("--krn", type=_KRN, required=True, help="New key revision number.")
@click.option("--kt", type=_KT, default=2, show_default=True, help="New key type.")
@click.option("--ken", type=_KEN, default=255, show_default=True, help="New key expiry number; 255 is never.")
@base_option
@click.option("--old-sgc", help="As the new one if left out; so for the other parameters.")
@click.option("--old-ti")
@click.option("--old-krn", type=_KRN)
@click.option("--old-kt", type=_KT)
@click.option("--old-ken", type=_KEN)
@click.option("--old-base-date", type=click.Choice(["1993", "2014", "2035"]))
@click.option("--drn", help="The number on the meter, to check its check digit.")
@click.option("--with-sgc", is_flag=True, help="Teach an EA 07 meter its supply group, by a third token.")
@key_file_option()
@key_file_option("--new-key-file")
@json_option
@answers_refusals
def change_key(
    sgc: str,
    ti: str,
    krn: int,
    kt: int,
    ken: int,
    base_date: str,
    old_sgc: str | None,
    old_ti: str | None,
    old_krn: int | None,
    old_kt: int | None,
    old_ken: int | None,
    old_base_date: str | None,
    drn: str | None,
    with_sgc: bool,
    key_file: Path | None,
    new_key_file: Path | None,
    as_json: bool,
) -> int:
    """Make the 2, 3 or 4 tokens that give a meter a new key, in order.

    The old key comes from --key-file or NXT_STS_KEY, the new one from --new-key-file or NXT_STS_NEW_KEY. Key all tokens
    in; the new key works from the last one on.
    """
    old = MeterKey(
        key=decoder_key(key_file, None),
        parameters=key_parameters(
            sgc if old_sgc is None else old_sgc,
            ti if old_ti is None else old_ti,
            krn if old_krn is None else old_krn,
            kt if old_kt is None else old_kt,
        ),
        expiry=ken if old_ken is None else old_ken,
        base=base_of(old_base_date or base_date),
    )
    new = MeterKey(
        key=decoder_key(new_key_file, old.key.algorithm, variable="NXT_STS_NEW_KEY"),
        parameters=key_parameters(sgc, ti, krn, kt),
        expiry=ken,
        base=base_of(base_date),
    )
    tokens = key_change_tokens(
        old,
        new,
        with_supply_group=with_sgc,
        number=None if drn is None else MeterNumber.parse(drn),
        at=datetime.now(UTC),
    )
    facts = {"tokens": tokens, "new_key_fingerprint": new.key.fingerprint, "rolls_over": old.base is not new.base}
    emit(facts, as_json=as_json, lines=lambda: map(in_groups, tokens))
    return 0


@click.command(
    epilog=examples(
        "nxt sts number 47001891341",
        "nxt sts number '0100 0000 00008' --json",
    )
)
@click.argument("number", nargs=-1, required=True)
@json_option
@answers_refusals
def number(number: tuple[str, ...], as_json: bool) -> int:
    """Check a number on a meter: form, manufacturer, check digit, PAN. Ends with 1 if the check digit is wrong."""
    meter = MeterNumber.parse("".join(number))
    facts: Facts = {
        "number": meter.digits,
        "form": f"{len(meter.digits)} digits",
        "manufacturer": meter.manufacturer,
        "serial": meter.serial,
        "check_digit": "right" if meter.is_valid else f"wrong, should be {meter.check_digit}",
        "is_valid": meter.is_valid,
        "pan": meter.pan,
    }
    emit(facts, as_json=as_json, lines=lambda: lines_of(facts))
    return 0 if meter.is_valid else 1
