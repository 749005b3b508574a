#!/usr/bin/env bash
# Sets up the environment, then runs the linter, the formatter's check, mypy and the fast tests.
#
# Usage: bash tools/run_tests.sh [PYTEST ARGUMENTS]        bash tools/run_tests.sh -m slow    # the long tests
# TEST_WORKERS sets the number of processes that run tests (default 2; 0 runs them in one process, as --pdb needs).
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE} # spinning threads slow down a shared machine
exec .venv/bin/python -W ignore -m pytest -n "${TEST_WORKERS:-2}" --dist loadfile "$@"
