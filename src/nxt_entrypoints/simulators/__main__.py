"""Run the simulators: ``python -m nxt_entrypoints.simulators --config FILE``."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from nxt_entrypoints.simulators.process import SimulatorsConfig, run

_BAD_CONFIGURATION = 78


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; the exit status is 78 for a wrong configuration."""
    parser = argparse.ArgumentParser(prog="nxt_entrypoints.simulators", description="Run the vendor simulators.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see SimulatorsConfig")
    parser.add_argument("--ready-fd", type=int, help="file descriptor for the line that says where they listen")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = SimulatorsConfig.load(chosen.config)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{chosen.config}: {error}\n")
        return _BAD_CONFIGURATION
    asyncio.run(run(config, ready_fd=chosen.ready_fd))
    return 0


if __name__ == "__main__":
    sys.exit(main())
