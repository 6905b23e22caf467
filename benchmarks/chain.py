"""Orders settled and delivered per second through the whole chain, and where the time goes.

Two measurements over real stores (``fsync`` and ``synchronous_commit`` on):

* ``steps``: every step alone, in this process, for all orders at once: initialise, store the webhook, verify, settle
  (with its share for commands and tokens), claim and send, take events in, apply them, publish news. Radio and payment
  gateway answer at once, so what is left is ours: Python, statements, commits.
* ``whole``: ``nxt up`` with its four roles and its simulators as processes of their own, radio delays tuned away;
  payers come as fast as the public page takes them.

The peer is pgbench's TPC-B on the same server in the same run: one such transaction is one commit with five small
statements; one order is a payment, a settlement, a command to a meter and its answers.

Run: ``python benchmarks/chain.py [--orders N] [--only steps|whole] [--json]``
"""

from __future__ import annotations

from _chain_steps import measure_steps
from _chain_whole import measure_whole
from _harness import Figure, Report, Table, arguments, count, publish, run
from _postgres import Pgbench


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--orders", type=count, default=1000, help="purchases of each measurement (default: 1000)")
    parser.add_argument("--meters", type=count, default=500, help="meters that buy, in `steps` (default: 500)")
    parser.add_argument("--at-once", type=count, default=16, help="payers at the same time (default: 16)")
    parser.add_argument("--only", choices=("steps", "whole"), help="one of the two measurements")
    Pgbench.add_to(parser)
    wanted = parser.parse_args()
    peer = Pgbench.of(wanted)
    figures: list[Figure] = []
    tables: list[Table] = []
    if wanted.only != "whole":
        report = run(measure_steps(wanted.orders, wanted.meters, wanted.at_once, peer))
        figures, tables = [*figures, *report.figures], [*tables, *report.tables]
    if wanted.only != "steps":
        report = run(measure_whole(wanted.orders, wanted.at_once, peer))
        figures, tables = [*figures, *report.figures], [*tables, *report.tables]
    publish(Report(benchmark="chain", figures=figures, tables=tables), as_json=wanted.json)


if __name__ == "__main__":
    main()
