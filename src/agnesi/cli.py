"""The command `agnesi`: a demonstration, a check of the installation, and the cache of compiled functions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from agnesi import config
from agnesi.target.cache import Cache


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status: 1 if something is missing, 2 for a wrong usage."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:  # of `agnesi cache list | head`; the descriptor is closed already
        sys.stdout = None
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """The subcommands and their options; each has the function that does it in `run`."""
    top = argparse.ArgumentParser("agnesi", description="A compiler for mathematical expressions on arrays.")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    one = commands.add_parser("demo", help="train two classifiers of handwritten digits and draw what they learned")
    one.add_argument("--data", metavar="DIR", help="folder with MNIST's IDX files; default: scikit-learn's digits")
    one.add_argument("--epochs", type=positive, default=40, help="times to go through the digits (default 40)")
    one.add_argument("--output", type=Path, default=Path("agnesi-demo.png"), metavar="PNG", help="the picture to write")
    one.add_argument("--seed", type=int, default=0, help="of the initial weights and the order of the digits")
    one.set_defaults(run=demo)

    one = commands.add_parser("doctor", help="say what was found on this machine, and what to do about the rest")
    one.set_defaults(run=doctor)

    one = commands.add_parser("cache", help="list or clear the compiled functions kept on disk")
    one.add_argument("what", choices=("list", "clear", "path"), nargs="?", default="list")
    one.set_defaults(run=cache)
    return top


def positive(text: str) -> int:
    """A number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def demo(options: argparse.Namespace) -> int:
    """`agnesi demo`."""
    # Only the demonstration needs these, and they compile nothing before they are called.
    from agnesi.tools import demo, demo_picture, digits

    try:
        demo_picture.require_matplotlib()
        data = digits.load(options.data, options.seed)
    except (ModuleNotFoundError, OSError, ValueError) as error:
        print(f"agnesi demo: {error}", file=sys.stderr)
        return 1
    results = demo.run(data, options.epochs, options.seed)
    demo_picture.draw(data, results, options.output)
    print(f"picture: {options.output}")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """`agnesi doctor`."""
    # It loads BLAS and starts the compiler, which the other commands do not need.
    from agnesi.tools import doctor

    return doctor.run()


def cache(options: argparse.Namespace) -> int:
    """`agnesi cache`."""
    kept = Cache(Path(config.settings().cache_dir))
    if options.what == "path":
        print(kept.directory)
    elif options.what == "clear":
        size, count = kept.size, kept.clear()
        print(f"{functions(count)} removed, {bytes_text(size)}")
    else:
        for entry in kept.entries():
            time = datetime.fromtimestamp(entry.modified).strftime("%Y-%m-%d %H:%M")
            print(f"{time}  {bytes_text(entry.size):>9}  {entry.key}  {entry.meta.get('name', '')}".rstrip())
        print(f"{functions(sum(1 for _ in kept.entries()))}, {bytes_text(kept.size)} in {kept.directory}")
    return 0


def functions(count: int) -> str:
    """A number of functions, for people."""
    return f"{count} compiled function{'s' * (count != 1)}"


def bytes_text(count: int) -> str:
    """A number of bytes, for people."""
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
