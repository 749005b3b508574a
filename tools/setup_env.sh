#!/usr/bin/env bash
# Makes `.venv` in this checkout with everything the project needs; a second run costs about a second.
#
# Usage: bash tools/setup_env.sh        PYTHON=/path/to/python3.11 bash tools/setup_env.sh
set -euo pipefail
cd "$(dirname "$0")/.."
readonly ROOT=$PWD VENV=$PWD/.venv STAMP=$PWD/.venv/.ready LOG=$PWD/.venv/setup.log

die() { printf '\nsetup failed: %s\n' "$*" >&2; exit 1; }
say() { printf '[setup %4ds] %s\n' "$SECONDS" "$*"; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.10, 3.11 or 3.12. Name another one."
        echo "$PYTHON"; return
    fi
    for candidate in python3 python3.12 python3.11 python3.10; do
        if supported "$candidate"; then echo "$candidate"; return; fi
    done
    die "no Python 3.10, 3.11 or 3.12 found. Install one (Debian: apt-get install python3 python3-venv python3-dev) \
or name it: PYTHON=/path/to/python bash tools/setup_env.sh"
}

check_system() { # $1: python
    "$1" -c 'import venv, ensurepip' 2>/dev/null ||
        die "this Python has no venv module. Debian/Ubuntu: apt-get install python3-venv"
    "$1" -c 'import os, sysconfig, sys
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' ||
        die "the Python headers (Python.h) are missing; mmcv is compiled against them. Debian/Ubuntu: apt-get install python3-dev"
    command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null ||
        die "no C++ compiler found; mmcv's operators are compiled here. Debian/Ubuntu: apt-get install g++"
    "$1" - <<'PY' || die "a system library that opencv-python needs is missing. Debian/Ubuntu: apt-get install libgl1 libglib2.0-0"
import ctypes, sys
for name in ('libGL.so.1', 'libgthread-2.0.so.0'):
    try:
        ctypes.CDLL(name)
    except OSError:
        sys.exit(f'{name} cannot be loaded')
PY
    if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1 && ! command -v nvcc >/dev/null &&
        [ -z "${CUDA_HOME:-}" ] && [ -z "${MMSSL_GEO_CPU:-}" ]; then
        die "a GPU is here but not CUDA's compiler (nvcc), with which mmcv's GPU operators are built. \
Install the CUDA toolkit and set CUDA_HOME, use the Dockerfile, or set MMSSL_GEO_CPU=1 to use the CPU only."
    fi
}

pinned() { grep -E "^$1[=<>]" "$ROOT/requirements.txt" || die "requirements.txt does not name $1"; }

run_pip() {
    "$VENV/bin/python" -m pip --disable-pip-version-check install -q "$@" >>"$LOG" 2>&1 ||
        { tail -n 25 "$LOG" >&2; die "pip install $* failed; the whole log is $LOG"; }
}

ops_work() { "$VENV/bin/python" -W ignore - >>"$LOG" 2>&1 <<'PY'
import torch
from mmcv.ops import nms, roi_align
nms(torch.tensor([[0., 0., 4., 4.]]), torch.ones(1), 0.5)
roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0., 0., 0., 4., 4.]]), 2)
PY
}

install_mmcv() {
    local spec; spec=$(pinned onedl-mmcv)
    export MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)}"
    run_pip --no-build-isolation "$spec"
    ops_work && return
    say "the wheel of mmcv at hand does not fit this torch; compiling it anew"
    run_pip --no-build-isolation --no-cache-dir --force-reinstall --no-deps --no-binary :all: "$spec"
    ops_work || { tail -n 25 "$LOG" >&2; die "mmcv's compiled operators do not run; the whole log is $LOG"; }
}

main() {
    local python key
    key=$(cksum <requirements.txt)
    if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$key $ROOT" ] && [ -x "$VENV/bin/python" ]; then return; fi
    if command -v flock >/dev/null; then # two starts at once: the second waits, then finds the work done
        exec 9>"$ROOT/.setup.lock"
        flock 9
        if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$key $ROOT" ]; then return; fi
    fi
    python=$(find_python)
    check_system "$python"
    say "making .venv with $("$python" --version) (5 GB, 5 to 15 minutes the first time; log: .venv/setup.log)"
    "$python" -m venv "$VENV" || die "cannot make $VENV"
    run_pip --upgrade pip "setuptools>=77,<82" wheel ninja
    say "1/4 torch and torchvision"
    run_pip "$(pinned torch)" "$(pinned torchvision)"
    say "2/4 mmcv, compiled against this torch (7 to 12 minutes on two cores unless a built wheel is cached)"
    install_mmcv
    say "3/4 the rest of requirements.txt"
    run_pip -r requirements.txt
    say "4/4 this package, editable"
    run_pip --no-build-isolation --no-deps -e .
    "$VENV/bin/python" -W ignore -c 'import mmssl_geo' >>"$LOG" 2>&1 ||
        { tail -n 5 "$LOG" >&2; die "the installed packages do not fit together; the whole log is $LOG"; }
    echo "$key $ROOT" >"$STAMP"
    say "ready"
}

main "$@"
