#!/usr/bin/env bash
# Sets the environment up, then runs the linter and the fast tests. The slow ones: bash tools/run_tests.sh -m slow
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
.venv/bin/ruff check .
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE} # spinning threads slow a shared machine down
exec .venv/bin/python -W ignore -m pytest "$@"
