"""Draw a report's table: how much longer than agnesi every other system takes.

Example: python benchmarks/plot.py benchmarks/RESULTS.md benchmarks/RESULTS.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure
from report import UNITS

SYSTEMS = {
    "numpy": ("NumPy", "s", "#4c72b0"),
    "numexpr": ("numexpr", "v", "#8c8c8c"),
    "numba": ("numba", "^", "#55a868"),
    "jax": ("JAX", "D", "#8172b3"),
    "torch": ("torch", "o", "#dd8452"),
    "torch.compile": ("torch.compile", "P", "#c44e52"),
    "pytensor": ("PyTensor", "X", "#937860"),
}
ROW = 0.2  # height of a workload, inches
LONGEST = 200.0  # ratios above are drawn here
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "agnesi", "font.size": 8, "font.family": "sans-serif"}


class Row(NamedTuple):
    """A workload: its name, and seconds by system."""

    name: str
    seconds: dict[str, float]


def seconds_of(cell: str) -> float:
    """The time that a cell of the table says, in seconds."""
    number, unit = cell.strip("* ").split()
    return float(number) * next(size for size, name in UNITS if name == unit)


def rows_of(text: str) -> list[Row]:
    """The rows of the first table of a report, without what was not measured."""
    lines = text.partition("| workload |")[2].splitlines()
    systems = [cell.strip() for cell in lines[0].split("|")]
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found = {system: cell for system, cell in zip(systems, cells, strict=False) if " " in cell}
        seconds = {system: seconds_of(found[system]) for system in ("agnesi", *SYSTEMS) if system in found}
        if "agnesi" in seconds:
            rows.append(Row(name.replace("`", ""), seconds))
    if not rows:
        raise SystemExit("the report has no table of times")
    return rows


def draw(rows: list[Row]) -> Figure:
    """A line for each workload, a mark for each system at its time over agnesi's."""
    figure = Figure(figsize=(9.5, ROW * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots()
    for system, (label, marker, colour) in SYSTEMS.items():
        timed = [(k, row.seconds) for k, row in enumerate(rows) if system in row.seconds]
        ratios = [min(seconds[system] / seconds["agnesi"], LONGEST) for _, seconds in timed]
        if timed:
            axes.scatter(ratios, [k for k, _ in timed], 16, colour, marker=marker, label=label, linewidths=0)
    axes.axvline(1, color="black", linewidth=1)
    axes.axvspan(0.1, 1, color="black", alpha=0.05, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlim(0.4, LONGEST * 1.1)
    ticks = [0.5, 1, 2, 5, 10, 20, 50, 100, 200]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", linewidth=0.4)
    axes.grid(axis="y", linewidth=0.2)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("time / time of agnesi; grey: faster than agnesi", loc="left")
    figure.legend(loc="outside upper center", ncols=len(SYSTEMS), frameon=False, handletextpad=0.1)
    return figure


def main() -> None:
    """Read the arguments, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="what run.py has written, Markdown")
    parser.add_argument("picture", type=Path, help="FILE.svg or FILE.png")
    args = parser.parse_args()
    with matplotlib.rc_context(STYLE):
        metadata = {"Date": None} if args.picture.suffix == ".svg" else None
        draw(rows_of(args.report.read_text())).savefig(args.picture, metadata=metadata)


if __name__ == "__main__":
    main()
