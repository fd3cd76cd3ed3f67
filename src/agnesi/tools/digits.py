"""Handwritten digits: scikit-learn's small ones, or files in the IDX format of MNIST."""

from __future__ import annotations

import gzip
import importlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

UNSIGNED_BYTES = 0x08  # the only element type that the digits come in
HELD_OUT = 0.2
INSTALL = "pip install agnesi[demo]"


@dataclass(frozen=True)
class Digits:
    """Images and labels, to learn from and held out.

    Images are rows of float32 pixels between 0 and 1, labels are int64; side: pixels along an edge of an image.
    """

    name: str
    side: int
    x: Array
    y: Array
    x_held: Array
    y_held: Array


def load(folder: str | None = None, seed: int = 0) -> Digits:
    """The digits in a folder of IDX files, or those that come with scikit-learn.

    seed: which fifth is held out, where the data are not divided already. Raises FileNotFoundError, ValueError or
    ModuleNotFoundError, each saying what to do.
    """
    return from_sklearn(seed) if folder is None else from_folder(Path(folder), seed)


def from_sklearn(seed: int = 0) -> Digits:
    """The 1797 digits of 8 x 8 pixels in scikit-learn."""
    try:
        # Optional, and slow to import.
        datasets = importlib.import_module("sklearn.datasets")
    except ModuleNotFoundError as error:
        message = f"the digits come with scikit-learn: {INSTALL}; or give --data a folder with MNIST's IDX files"
        raise ModuleNotFoundError(message) from error
    found = datasets.load_digits()
    return divide("scikit-learn's digits", found.images / 16, found.target, seed)


def from_folder(folder: Path, seed: int = 0) -> Digits:
    """The digits in a folder of IDX files, compressed or not.

    With train-* and t10k-* files the latter are held out, as is the custom; with one of the two, a fifth of it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    pairs = []
    for name in ("train", "t10k"):
        images, labels = find(folder, f"{name}-images", 3), find(folder, f"{name}-labels", 1)
        if images and labels:
            pairs.append(read_pair(images, labels))
    if not pairs:
        names = "train-images-idx3-ubyte and train-labels-idx1-ubyte, or the same with t10k, with or without .gz"
        raise FileNotFoundError(f"{folder} has no digits; expected {names}")
    if len(pairs) == 1:
        return divide(f"digits in {folder.name}", *pairs[0], seed)
    (x, y), (x_held, y_held) = pairs
    return Digits(f"digits in {folder.name}", x.shape[1], rows(x), y, rows(x_held), y_held)


def find(folder: Path, name: str, ndim: int) -> Path | None:
    """An IDX file under the names in use: train-images-idx3-ubyte, train-images.idx3-ubyte, with or without .gz."""
    names = [f"{name}{dot}idx{ndim}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
    return next((path for path in (folder / n for n in names) if path.is_file()), None)


def read_pair(images: Path, labels: Path) -> tuple[Array, Array]:
    """Images between 0 and 1, shape (n, side, side), and their n labels."""
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or x.shape[1] != x.shape[2] or y.shape != x.shape[:1] or not len(y):
        shapes = f"{images.name} has the shape {x.shape}, {labels.name} {y.shape}"
        raise ValueError(f"{shapes}: not n square images and n labels")
    if y.max() > 9:
        raise ValueError(f"{labels.name} has the label {y.max()}: digits are 0 to 9")
    return x / np.float32(255), y.astype("int64")


def read_idx(path: Path) -> Array:
    """The array of unsigned bytes in an IDX file: two zero bytes, type, number of axes, sizes (big-endian), data."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTES)):
        raise ValueError(f"{path} is not an IDX file of unsigned bytes: it begins with {content[:4].hex(' ')}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path} ends within its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    data = np.frombuffer(content, "uint8", offset=start)
    if data.size != np.prod(shape):
        raise ValueError(f"{path} has {data.size} bytes of data, but its header says {shape}")
    return data.reshape(shape)


def divide(name: str, images: Array, labels: Array, seed: int) -> Digits:
    """The images in a random order, the last fifth held out."""
    order = np.random.default_rng(seed).permutation(len(labels))
    x, y = rows(images)[order], labels.astype("int64")[order]
    n = len(y) - round(HELD_OUT * len(y))
    return Digits(name, images.shape[1], x[:n], y[:n], x[n:], y[n:])


def rows(images: Array) -> Array:
    """Each image as a row of pixels."""
    return images.reshape(len(images), -1).astype("float32")
