"""The report: results as Markdown tables and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from latency import Latency
from measure import Timing

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass
class Result:
    """What one workload gave: timings, and for systems without one the reason."""

    family: str
    title: str
    dtype: str
    timings: dict[str, Timing] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def best_peer(self) -> str | None:
        """The fastest system but agnesi; what is written by hand is no system."""
        peers = [system for system in self.timings if system not in ("agnesi", "by hand", "fast_math")]
        return min(peers, key=lambda system: self.timings[system].median, default=None)

    @property
    def ratio(self) -> float | None:
        """The median of the best peer over that of agnesi: above 1 where agnesi is faster."""
        if self.best_peer is None or "agnesi" not in self.timings:
            return None
        return self.timings[self.best_peer].median / self.timings["agnesi"].median


def duration(seconds: float) -> str:
    """Seconds with a fitting unit and three digits."""
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    value = seconds / size
    return f"{value:.{max(0, 2 - int(math.log10(max(value, 1))))}f} {unit}"


def written(lines: Sequence[str], output: Path | None) -> int:
    """Writes a report to a file, or else to standard output; the status of the program."""
    text = "\n".join(lines) + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, numbers to the right of the first column."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)] + [""]


def median_cell(result: Result, system: str) -> str:
    """The median, bold for the fastest system, or a word on why there is none."""
    if system not in result.timings:
        return "failed" if system in result.failures else ""
    text = duration(result.timings[system].median)
    fastest = min(result.timings.values(), key=lambda timing: timing.median)
    return f"**{text}**" if result.timings[system] is fastest else text


def spread_cell(result: Result, system: str) -> str:
    """The least and the greatest of the rounds."""
    timing = result.timings.get(system)
    return f"{duration(timing.low)} .. {duration(timing.high)}" if timing else ""


def ratio_cell(result: Result) -> str:
    """The ratio, or nothing."""
    return f"{result.ratio:.2f}" if result.ratio else ""


def machine_section(machine: dict[str, Any]) -> list[str]:
    """Lines on machine and software."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    plain = [f"- {key}: {value}" for key, value in machine.items() if key != "packages"]
    return [*plain, f"- packages: {packages}", ""]


def summary_lines(results: Sequence[Result]) -> list[str]:
    """How often agnesi is the fastest, and by how much on geometric average."""
    ratios = [result.ratio for result in results if result.ratio]
    if not ratios:
        return []
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    wins = sum(ratio >= 1 for ratio in ratios)
    return [
        f"agnesi is the fastest system in {wins} of {len(ratios)} workloads; the geometric mean of best peer / agnesi "
        f"is {mean:.2f}, the least {min(ratios):.2f}.",
        "",
    ]


def latency_section(latencies: Sequence[Latency]) -> list[str]:
    """The table of imports and first results."""
    rows = []
    for one in latencies:
        times = (one.load, one.cold, one.warm)
        cells = ["" if time is None else duration(time) for time in times]
        rows.append([one.program, one.system, *(["failed", "", ""] if one.failure else cells)])
    return [
        "## Latency",
        "",
        "Medians over fresh processes; first result after the import, disk cache empty and filled.",
        "",
        *table(("program", "system", "import", "first result, empty cache", "filled cache"), rows),
    ]


def note_lines(results: Sequence[Result], latencies: Sequence[Latency], missing: dict[str, str]) -> list[str]:
    """Which systems are missing or failed, and why."""
    notes = [f"- {system}: {reason}" for system, reason in missing.items()]
    notes += [f"- {r.title}, {system}: {reason}" for r in results for system, reason in r.failures.items()]
    notes += [f"- {one.program}, {one.system}: {one.failure}" for one in latencies if one.failure]
    return ["## Not measured", "", *notes, ""] if notes else []


@dataclass
class Report:
    """Everything that one run found."""

    machine: dict[str, Any]
    systems: list[str]
    missing: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    date: str = field(default_factory=lambda: datetime.now().astimezone().isoformat(" ", "minutes"))

    def markdown(self) -> str:
        """The report as text."""
        lines = [f"# Benchmarks, {self.date}", "", *machine_section(self.machine)]
        if self.results:
            lines += results_section(self.results, self.systems)
        if self.latencies:
            lines += latency_section(self.latencies)
        return "\n".join(lines + note_lines(self.results, self.latencies, self.missing))

    def data(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "date": self.date,
            "machine": self.machine,
            "results": [as_data(result) for result in self.results],
            "latency": [asdict(latency) for latency in self.latencies],
            "missing": self.missing,
        }

    def write(self, path: Path) -> None:
        """Write the Markdown file, and a JSON file of the same name next to it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.markdown())
        path.with_suffix(".json").write_text(json.dumps(self.data()) + "\n")


def results_section(results: Sequence[Result], systems: Sequence[str]) -> list[str]:
    """The tables of medians and of spreads."""
    medians = [
        [f"{r.title}, {r.dtype}", *(median_cell(r, s) for s in systems), r.best_peer or "", ratio_cell(r)]
        for r in results
    ]
    spreads = [[r.title, *(spread_cell(r, s) for s in systems)] for r in results]
    return [
        "## Time per call",
        "",
        "Medians over interleaved rounds; the fastest is bold.",
        "",
        *table(("workload", *systems, "best peer", "best peer / agnesi"), medians),
        *summary_lines(results),
        "## Spread of the rounds",
        "",
        "Minimum .. maximum.",
        "",
        *table(("workload", *systems), spreads),
    ]


def as_data(result: Result) -> dict[str, Any]:
    """A result as plain data, times in seconds."""
    timings = {
        system: {"median": t.median, "min": t.low, "max": t.high, "calls per round": t.repeat, "rounds": t.rounds}
        for system, t in result.timings.items()
    }
    head = {"family": result.family, "title": result.title, "dtype": result.dtype}
    return {**head, "best peer": result.best_peer, "ratio": result.ratio, "systems": timings, "failed": result.failures}
