"""The picture of the demonstration: learning curves, learned filters, and the digits that are still read wrongly."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from agnesi.tools.demo import History, Model, classes
from agnesi.tools.digits import INSTALL, Array, Digits

COLOURS = ("#d1693f", "#1f6f8b")  # of the models, in order
INK = "#33373d"
FILTERS = 48
FILTERS_ACROSS = 12
ERRORS = 12


def require_matplotlib() -> None:
    """Raises ModuleNotFoundError: before any work is done whose result could not be drawn."""
    try:
        importlib.import_module("matplotlib")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"the picture needs matplotlib: {INSTALL}") from error


def draw(digits: Digits, results: list[tuple[Model, History]], output: Path) -> None:
    """Writes the picture as a PNG file."""
    # Optional, and slow to import. The figure itself instead of pyplot: no window, no global state.
    matplotlib = importlib.import_module("matplotlib")
    figures = importlib.import_module("matplotlib.figure")
    style = {"font.size": 9.5, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}
    with matplotlib.rc_context(style):
        figure = figures.Figure(figsize=(11, 8.2), dpi=140, layout="constrained", facecolor="white")
        top, middle, bottom = figure.subfigures(3, 1, height_ratios=(1.25, 1.02, 0.52), hspace=0.03)
        figure.suptitle(f"agnesi learns to read: {digits.name}", fontsize=14, fontweight="bold")
        curves(top, results)
        filters(middle, digits, results)
        errors(bottom, digits, results[-1][0])
        output.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(output, format="png")


def curves(figure: Any, results: list[tuple[Model, History]]) -> None:
    """Training loss and held-out accuracy over the time spent on training."""
    loss, accuracy = figure.subplots(1, 2)
    unit, scale = ("seconds", 1) if max(history.seconds[-1] for _, history in results) > 2 else ("milliseconds", 1000)
    for (model, history), colour in zip(results, COLOURS, strict=True):
        label = f"{model.name} {'-'.join(map(str, model.widths))}"
        times = scale * np.array(history.seconds)
        loss.semilogy(times, history.losses, color=colour, linewidth=1.8, label=label)
        percent = 100 * np.array(history.accuracies)
        accuracy.plot(times, percent, color=colour, linewidth=1.8, label=label)
        accuracy.annotate(
            f"{percent[-1]:.1f} %", (times[-1], percent[-1]), (5, 0), textcoords="offset points",
            color=colour, va="center", fontweight="bold",
        )  # fmt: skip
    lowest = 100 * min(min(h.accuracies[len(h.accuracies) // 10 :]) for _, h in results)
    accuracy.set_ylim(max(0, 5 * (lowest // 5)), 100.5)
    accuracy.margins(x=0.12)
    for axes, title in ((loss, "cross-entropy in training"), (accuracy, "correct on held-out digits, %")):
        axes.set_title(title, fontsize=10.5, loc="left")
        axes.set_xlabel(f"{unit} of training")
        axes.grid(color="#e3e5e8", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    loss.legend(frameon=False)


def filters(figure: Any, digits: Digits, results: list[tuple[Model, History]]) -> None:
    """The weights that lead to each digit, and the strongest of those that lead to hidden units."""
    (linear, _), (network, _) = results
    templates = linear.parameters[0].get_value()
    hidden = network.parameters[0].get_value()
    strongest = hidden[:, np.argsort(-np.linalg.norm(hidden, axis=0))[:FILTERS]]
    left, right = figure.subfigures(1, 2, width_ratios=(5, 8))
    left.suptitle("weights of the ten digits, logistic regression", fontsize=10.5, x=0.025, ha="left")
    bound = np.percentile(np.abs(templates), 99.5)
    for digit, axes in enumerate(left.subplots(2, 5).flat):
        show_weights(axes, templates[:, digit].reshape(digits.side, digits.side), bound)
        axes.set_title(str(digit), fontsize=9)
    right.suptitle(f"the {strongest.shape[1]} strongest filters of the perceptron", fontsize=10.5, x=0.015, ha="left")
    image = mosaic(strongest.T, digits.side, FILTERS_ACROSS)
    show_weights(right.subplots(), image, np.nanpercentile(np.abs(image), 99.5))


def show_weights(axes: Any, image: Array, bound: float) -> None:
    """Weights as colours: red for positive ones, blue for negative ones."""
    axes.imshow(image, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    axes.set_axis_off()


def mosaic(images: Array, side: int, across: int) -> Array:
    """Square images side by side, `across` in a row, with gaps of NaN."""
    down = -(-len(images) // across)
    result = np.full((down * (side + 1) - 1, across * (side + 1) - 1), np.nan)
    for k, image in enumerate(images):
        row, column = (place * (side + 1) for place in divmod(k, across))
        result[row : row + side, column : column + side] = image.reshape(side, side)
    return result


def errors(figure: Any, digits: Digits, model: Model) -> None:
    """A few digits that the model gets wrong, the most certain mistakes first."""
    p = model.predict(digits.x_held)
    found = classes(model, digits.x_held)
    wrong = np.flatnonzero(found != digits.y_held)
    shown = wrong[np.argsort(-p[wrong, found[wrong]])][:ERRORS]
    figure.suptitle(
        f"{len(wrong)} of {len(found)} held-out digits read wrongly by the perceptron, the most certain mistakes first",
        fontsize=10.5, x=0.012, ha="left",
    )  # fmt: skip
    for axes, k in zip(figure.subplots(1, ERRORS), [*shown, *[None] * (ERRORS - len(shown))], strict=True):
        axes.set_axis_off()
        if k is not None:
            axes.imshow(digits.x_held[k].reshape(digits.side, digits.side), cmap="gray_r", interpolation="nearest")
            axes.set_title(f"{found[k]}, is {digits.y_held[k]}", fontsize=9)
