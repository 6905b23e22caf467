"""Entry point of ``nxt``: finds the command, and turns expected trouble into one line and an exit status (R54).

Exit status: 0 fine, 1 finding or failure, 2 bad usage, 78 invalid configuration, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FINE = 0
EXIT_FINDING = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    from nxt_entrypoints.cli.extras import missing_extra  # noqa: PLC0415 - keeps the import of this module free

    try:
        from nxt_entrypoints.cli.commands import nxt  # noqa: PLC0415 - click belongs to an extra

        return _run(nxt, arguments)
    except ModuleNotFoundError as error:
        hint = missing_extra(error)
        if hint is None:
            raise
        return _say(hint, EXIT_USAGE)


def _run(command: object, arguments: Sequence[str] | None) -> int:
    import click  # noqa: PLC0415 - belongs to an extra

    from nxt_domain.shared.errors import DomainError  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.embedded.errors import EmbeddedError  # noqa: PLC0415 - as above
    from nxt_entrypoints.settings.problems import EX_CONFIG, ConfigInvalid  # noqa: PLC0415 - as above
    from nxt_entrypoints.supervisor.errors import NotReady, NotRunning  # noqa: PLC0415 - as above

    if not isinstance(command, click.Command):
        raise TypeError("not a command")
    try:
        status = command.main(
            args=list(arguments) if arguments is not None else None, prog_name="nxt", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except ConfigInvalid as invalid:
        return _say(str(invalid), EX_CONFIG)
    except (DomainError, EmbeddedError, NotReady, NotRunning) as error:
        return _say(f"nxt: {error}", EXIT_FINDING)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FINE
    return status if isinstance(status, int) else EXIT_FINE


def _say(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status


if __name__ == "__main__":
    main()
