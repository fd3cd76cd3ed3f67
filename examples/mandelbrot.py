"""The Mandelbrot set: how many steps of z**2 + c it takes each point c to leave the circle of radius 2.

One loop for all points of a picture, which ends as soon as no point is undecided, or after the last step.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at


def counter() -> Any:
    """A function of the points and the most steps: for each point the steps until it left, or the most."""
    re, im, most = at.dmatrix("re"), at.dmatrix("im"), at.lscalar("most")

    def step(x: Any, y: Any, count: Any) -> tuple[Any, Any]:
        inside = x * x + y * y <= 4
        x, y = at.where(inside, x * x - y * y + re, x), at.where(inside, 2 * x * y + im, y)
        return [x, y, count + inside], ag.until(at.eq(inside.sum(), 0))

    zeros = at.zeros_like(re)
    (_, _, counts), _ = ag.scan(step, outputs_info=[zeros, zeros, at.zeros_like(re, dtype="int64")], n_steps=most)
    return ag.function([re, im, most], counts[-1])


def picture(width: int, most: int, center: complex = -0.6, extent: float = 3.0) -> np.ndarray:
    """The counts of a picture of two thirds as many rows."""
    height = 2 * width // 3
    re = center.real + extent * (np.arange(width) / (width - 1) - 0.5)
    im = center.imag + extent * 2 / 3 * (np.arange(height) / (height - 1) - 0.5)
    return counter()(*np.meshgrid(re, im), most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=90, help="points in a row (default: %(default)s)")
    parser.add_argument("--most", type=int, default=200, help="steps (default: %(default)s)")
    parser.add_argument("--picture", default="", metavar="FILE.png", help="draw it with matplotlib")
    options = parser.parse_args()
    counts = picture(options.width, options.most)
    if options.picture:
        from matplotlib import pyplot  # optional, and slow to import

        pyplot.imsave(options.picture, np.log(counts + 1.0), cmap="twilight_shifted")
        print(f"{options.picture}: {counts.shape[1]} x {counts.shape[0]}")
        return
    shades = " .:-=+*%@#"
    for row in counts[::2]:
        print("".join(shades[min(9, int(np.log2(n + 1)))] if n < options.most else "#" for n in row))


if __name__ == "__main__":
    main()
