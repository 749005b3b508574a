#!/usr/bin/env bash
# Sets up the environment, then pretrains, fine-tunes and prints a table; on a CPU in under 15 minutes.
#
# Usage: bash tools/quickstart.sh [--images DIR] [--epochs N] [--out DIR]
set -euo pipefail
if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    echo "usage: bash tools/quickstart.sh [--images DIR] [--epochs N] [--out DIR]"
    exit 0
fi
HERE=$(cd "$(dirname "$0")" && pwd)
bash "$HERE/setup_env.sh"
exec "$HERE/../.venv/bin/python" -W ignore "$HERE/quickstart.py" "$@"
