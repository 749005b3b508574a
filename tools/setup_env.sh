#!/usr/bin/env bash
# Makes `.venv` in this checkout with everything the project needs; a second run costs about a second.
#
# Usage: bash tools/setup_env.sh        PYTHON=/path/to/python3.11 bash tools/setup_env.sh
# SETUP_VENV (default .venv) and SETUP_REQUIREMENTS (default requirements.txt) name another folder and other packages, see
# tools/test_stack.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly ROOT=$PWD VENV=$(realpath -ms "${SETUP_VENV:-.venv}") REQUIREMENTS=${SETUP_REQUIREMENTS:-requirements.txt}
readonly STAMP=$VENV/.ready LOG=$VENV/setup.log SETUPTOOLS='setuptools>=77,<82'

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

wants_cuda() {
    [ -z "${MMSSL_GEO_CPU:-}" ] || return 1
    [ "${FORCE_CUDA:-0}" = 1 ] || { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }
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
    if wants_cuda && ! command -v nvcc >/dev/null && [ -z "${CUDA_HOME:-}" ]; then
        die "a GPU is here but not CUDA's compiler (nvcc), with which mmcv's GPU operators are built. \
Install the CUDA toolkit and set CUDA_HOME, use the Dockerfile, or set MMSSL_GEO_CPU=1 to use the CPU only."
    fi
}

named() { grep -E "^($1)([=<>]|\$)" "$REQUIREMENTS" || die "$REQUIREMENTS does not name $1"; }

run_pip() {
    "$VENV/bin/python" -m pip --disable-pip-version-check install -q "$@" >>"$LOG" 2>&1 ||
        { tail -n 25 "$LOG" >&2; die "pip install $* failed; the whole log is $LOG"; }
}

ops_work() { # of a GPU, too, where there is one: a wheel built elsewhere may lack them
    local cuda=0; if wants_cuda; then cuda=1; fi
    "$VENV/bin/python" -W ignore - "$cuda" >>"$LOG" 2>&1 <<'PY'
import sys
import torch
from mmcv.ops import get_compiling_cuda_version, nms, roi_align
if sys.argv[1] == '1' and get_compiling_cuda_version() == 'not available':
    sys.exit('mmcv was built without CUDA operators')
for device in ['cpu'] + ['cuda'] * (sys.argv[1] == '1' and torch.cuda.is_available()):
    nms(torch.tensor([[0., 0., 4., 4.]], device=device), torch.ones(1, device=device), 0.5)
    roi_align(torch.ones(1, 1, 4, 4, device=device), torch.tensor([[0., 0., 0., 4., 4.]], device=device), 2)
PY
}

is_ready() { # $1: key. What was set up for a GPU also serves where there is none, not the other way round
    [ -x "$VENV/bin/python" ] && [ -f "$STAMP" ] || return 1
    case "$(cat "$STAMP")" in
        "$1 $ROOT cuda") return 0 ;;
        "$1 $ROOT") ! wants_cuda ;;
        *) return 1 ;;
    esac
}

install_mmcv() {
    local spec options=()
    spec=$(named '(onedl-)?mmcv')
    [ "$REQUIREMENTS" = requirements.txt ] || options=(--no-cache-dir) # a cached wheel may be of another torch
    export MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)}"
    if grep -qs '#error C++20' "$VENV"/lib/python3*/site-packages/torch/include/ATen/ATen.h; then # mmcv asks for C++17
        printf '#!/bin/sh\nexec %s "$@" -std=c++20\n' "${CXX:-c++}" >"$VENV/bin/c++20"
        chmod +x "$VENV/bin/c++20"
        export CXX=$VENV/bin/c++20
    fi
    run_pip --no-build-isolation ${options[@]+"${options[@]}"} -c "$REQUIREMENTS" "$spec"
    ops_work && return
    say "the wheel of mmcv at hand does not fit this torch; compiling it anew"
    run_pip --no-build-isolation --no-cache-dir --force-reinstall --no-deps --no-binary :all: "$spec"
    ops_work || { tail -n 25 "$LOG" >&2; die "mmcv's compiled operators do not run; the whole log is $LOG"; }
}

main() {
    local python key
    key=$(cksum <"$REQUIREMENTS") || die "there is no $REQUIREMENTS"
    if is_ready "$key"; then return; fi
    if command -v flock >/dev/null; then # two starts at once: the second waits, then finds the work done
        exec 9>"$ROOT/.setup.lock"
        flock 9
        if is_ready "$key"; then return; fi
    fi
    python=$(find_python)
    check_system "$python"
    say "making $VENV with $("$python" --version) (5 GB, 5 to 15 minutes the first time; log: $LOG)"
    "$python" -m venv "$VENV" || die "cannot make $VENV"
    run_pip --upgrade pip "$(grep '^setuptools' "$REQUIREMENTS" || echo "$SETUPTOOLS")" wheel ninja
    say "1/4 torch and torchvision"
    run_pip -c "$REQUIREMENTS" "$(named torch)" "$(named torchvision)"
    say "2/4 mmcv, compiled against this torch (7 to 12 minutes on two cores unless a built wheel is cached)"
    install_mmcv
    say "3/4 the rest of $REQUIREMENTS"
    run_pip -r "$REQUIREMENTS"
    say "4/4 this package, editable"
    run_pip "$SETUPTOOLS" # the original mmcv is built with an older one
    run_pip --no-build-isolation --no-deps -e .
    "$VENV/bin/python" -W ignore -c 'import mmssl_geo' >>"$LOG" 2>&1 ||
        { tail -n 5 "$LOG" >&2; die "the installed packages do not fit together; the whole log is $LOG"; }
    if wants_cuda; then echo "$key $ROOT cuda" >"$STAMP"; else echo "$key $ROOT" >"$STAMP"; fi
    say "ready"
}

main "$@"
