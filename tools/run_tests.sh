#!/usr/bin/env bash
# Sets up the environment, then runs the linter, the formatter's check, mypy and the fast tests.
#
# Usage: bash tools/run_tests.sh [PYTEST ARGUMENTS]        bash tools/run_tests.sh -m slow    # the long tests
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE} # spinning threads slow down a shared machine
exec .venv/bin/python -W ignore -m pytest "$@"
