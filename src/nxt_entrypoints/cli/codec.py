"""``nxt codec``: meters' frames as text, for people and programs in the field."""

from __future__ import annotations

import click

from nxt_entrypoints.cli.output import examples

_protocol = click.option(
    "--protocol",
    type=click.Choice(["calin-lorawan"]),
    required=True,
    help="Whose frames they are.",
)


@click.group()
def codec() -> None:
    """Write and read the frames of meters, one a line, offline.

    Every line of standard input gives one line of JSON on standard output; blank lines are skipped. A line that is
    refused gives {"error", "message"}, and the exit status stays 0.
    """


@codec.command(
    epilog=examples(
        "echo 68713733037004688108541778 5634333333B116 | nxt codec decode --protocol calin-lorawan",
        "echo aHE3MwNwBGiBCFQXeFY0MzMzsRY= | nxt codec decode --protocol calin-lorawan",
    )
)
@_protocol
def decode(protocol: str) -> None:
    """Read frames that meters sent: hexadecimal (blanks don't count) or base64, one a line.

    Writes deviceIdentifier, commandType (where the frame tells it), unsolicited, response with status and data, and
    failureContext when the meter refused.
    """
    from nxt_entrypoints.cli.field.frames import words_of_line  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.cli.field.json_lines import answer_lines  # noqa: PLC0415 - as above

    answer_lines({"calin-lorawan": words_of_line}[protocol])


@codec.command(
    epilog=examples(
        """echo '{"deviceIdentifier": "47003333771", "commandType": "READ_CREDIT"}' |
      nxt codec encode --protocol calin-lorawan""",
    )
)
@_protocol
def encode(protocol: str) -> None:
    """Write the frames of commands: one JSON object a line gives hex and base64.

    Members: deviceIdentifier, commandType; token for token commands, payload for SET_DATE (year, month, day) and
    SET_TIME (hour, minute, second), phase A, B or C for reads of a phase.
    """
    from nxt_entrypoints.cli.field.frames import frame_of_line  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.cli.field.json_lines import answer_lines  # noqa: PLC0415 - as above

    answer_lines({"calin-lorawan": frame_of_line}[protocol])
