#!/bin/sh
# Create a virtual environment with the systems that the benchmarks compare, and install the project into it.
# Usage: setup_peers.sh [--no-project] [DIRECTORY]
set -eu

with_project=yes
if [ "${1:-}" = "--no-project" ]; then
    with_project=no
    shift
fi
directory=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/agnesi-peers}
project=$(cd "$(dirname "$0")/.." && pwd)

case "$directory" in
    /*) ;;
    *) directory=$PWD/${directory#./} ;;
esac
case "$directory/" in
    "$project"/*) echo "setup_peers.sh: choose a directory outside the repository" >&2; exit 2 ;;
esac

[ -x "$directory/bin/python" ] || "${PYTHON:-python3}" -m venv "$directory"
"$directory/bin/python" -m pip install --quiet numpy scipy numexpr numba jax jaxlib torch==2.13.0
if [ "$with_project" = yes ]; then
    "$directory/bin/python" -m pip install --quiet "$project"
fi
echo "Ready. Run: $directory/bin/python $project/benchmarks/run.py"
