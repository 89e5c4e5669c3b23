"""`python -m bench`: measure, print a table, keep bench/results.json. Exit code 1 if a bar is missed that is not only reported."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import depth, flash, fleet, heap, idle, lab, mqtt, network, size, start, traffic
from bench.figures import Figure, document, failures, summary, table
from bench.rig import Rig, running_rig
from cota.errors import CotaError

RESULTS = Path(__file__).parent / "results.json"
GROUPS: dict[str, Callable[[Rig], list[Figure]]] = {
    "idle": idle.measure,
    "update": traffic.measure,
    "network": network.measure,
    "heap": heap.measure,
    "smallest-heap": heap.measure_smallest,
    "depth": depth.measure,
    "flash": flash.measure,
    "size": size.measure,
    "start": start.measure,
    "fleet": fleet.measure,
    "lab": lab.measure,
    "mqtt": mqtt.measure,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure cOTA on simulated boards against a lab.")
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), metavar="NAME", help=f"measure only: {', '.join(GROUPS)}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, not as a table")
    options = parser.parse_args(arguments)
    names = [name for name in GROUPS if options.only is None or name in options.only]
    figures: list[Figure] = []
    try:
        with running_rig() as rig:
            for name in names:
                print(f"bench: {name}", file=sys.stderr)
                figures += GROUPS[name](rig)
    except CotaError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    text = document(figures, "all" if options.only is None else names)
    if options.only is None:
        RESULTS.write_text(text, encoding="utf-8")
    print(text if options.json else f"{table(figures)}\n\n{summary(figures)}")
    return 1 if failures(figures) else 0


if __name__ == "__main__":
    sys.exit(main())
