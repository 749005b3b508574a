#!/usr/bin/env bash
# Makes an environment with another set of packages and runs the fast tests in it.
#
# Usage: bash tools/test_stack.sh {pinned|openmmlab|newest} [PYTEST ARGUMENTS]
#   pinned      requirements.txt, in .venv
#   openmmlab   tools/stacks/openmmlab.txt: the original OpenMMLab packages on torch 2.1 (Python 3.10 or 3.11)
#   newest      tools/stacks/newest.txt: the newest torch with the maintained OpenMMLab packages
# The first run takes 10 to 25 minutes, most of them to compile mmcv. STACKS_DIR names the folder of the environments
# (default .venvs), PYTHON the interpreter, TEST_WORKERS the number of processes that run tests (default 2).
set -euo pipefail
cd "$(dirname "$0")/.."
STACK=${1:-}
shift || true
case $STACK in
    pinned) export SETUP_VENV=.venv ;;
    openmmlab | newest)
        export SETUP_VENV=${STACKS_DIR:-.venvs}/$STACK SETUP_REQUIREMENTS=tools/stacks/$STACK.txt
        ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
bash tools/setup_env.sh
"$SETUP_VENV/bin/python" --version
"$SETUP_VENV/bin/python" -m pip freeze | grep -E '^(torch|torchvision|numpy|timm|(onedl-)?mm[a-z]+)='
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
exec "$SETUP_VENV/bin/python" -W ignore -m pytest -n "${TEST_WORKERS:-2}" --dist loadfile "$@"
