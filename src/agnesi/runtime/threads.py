"""How many threads: the processors that this process may use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from agnesi import config

GROUPS = Path("/sys/fs/cgroup")


def count(wanted: int) -> int:
    """The number of threads for a wish; 0 wishes for one on each processor. Raises ValueError for less."""
    if wanted < 0:
        raise ValueError(f"threads is a number, or 0 for one on each processor, not {wanted}")
    return wanted or available()


@cache
def available() -> int:
    """Processors that this process may use: those it is bound to, or less where a control group grants less time."""
    return max(1, min(config.processors(), granted(GROUPS, Path("/proc/self/cgroup"))))


def granted(groups: Path, membership: Path) -> int:
    """The processors that the control groups of this process are granted time for, rounded up; many where no limit is.

    groups: where the groups are mounted. membership: the file that names those of the process.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return 2**31
    least = 2.0**31
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds and "cpu" not in kinds.split(","):
            continue
        root = groups / kinds if kinds else groups
        place = root / path.lstrip("/")
        for folder in (place, *place.parents):
            least = min(least, quota(folder, unified=not kinds))
            if folder == root:
                break
    return int(-(-least // 1))


def quota(folder: Path, unified: bool) -> float:
    """The processors that one control group is granted time for; unified: of version 2."""
    try:
        if unified:
            time, period = (folder / "cpu.max").read_text().split()
        else:
            time, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return float(time) / float(period) if time not in ("max", "-1") else 2.0**31
    except (OSError, ValueError, ZeroDivisionError):
        return 2.0**31
