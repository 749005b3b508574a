#!/usr/bin/env bash
# Makes an environment with another set of packages and runs the fast tests in it.
#
# Usage: tools/test_stack.sh {pinned|openmmlab|newest} [PYTEST ARGUMENTS]
#   pinned      the versions of requirements.txt, as tools/setup_env.sh installs them
#   openmmlab   the original OpenMMLab packages of 2024 on torch 2.1 and numpy 1.26; mmcv is compiled (10 to 20 minutes)
#   newest      the newest torch and torchvision with the maintained OpenMMLab packages; mmcv is compiled
# STACKS_DIR names the folder of the environments (default .venvs); PYTHON the interpreter (default python3).
set -euo pipefail
cd "$(dirname "$0")/.."
STACK=${1:-}
shift || true
FOLDER=${STACKS_DIR:-.venvs}/$STACK

install() { "$FOLDER/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

make_environment() {
    "${PYTHON:-python3}" -m venv "$FOLDER"
    case $STACK in
        openmmlab)
            local numpy='numpy==1.26.4'
            install 'setuptools<70' wheel ninja "$numpy"
            install torch==2.1.2 torchvision==0.16.2 "$numpy"
            install mmengine==0.10.7 'opencv-python<4.12' "$numpy"
            install --no-build-isolation --no-binary mmcv mmcv==2.1.0
            install mmdet==3.3.0 mmsegmentation==1.2.2 mmpretrain==1.2.0 ftfy regex "$numpy"
            ;;
        newest)
            install 'setuptools>=77,<82' wheel ninja
            install torch torchvision
            install onedl-mmengine
            install --no-build-isolation --no-binary onedl-mmcv onedl-mmcv
            install onedl-mmpretrain onedl-mmdetection onedl-mmsegmentation
            ;;
    esac
    install 'setuptools>=77,<81' # for the metadata of this package, with pkg_resources for mmengine
    install --no-deps --no-build-isolation -e .
    install 'timm>=1.0' onnx onnxruntime safetensors pycocotools tensorboard scipy matplotlib tqdm pytest pytest-xdist \
        mypy ruff ${numpy:+"$numpy"}
    touch "$FOLDER/.ready"
}

case $STACK in
    pinned)
        bash tools/setup_env.sh
        FOLDER=.venv
        ;;
    openmmlab | newest) [ -f "$FOLDER/.ready" ] || make_environment ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
"$FOLDER/bin/python" - <<'PY'
import importlib.metadata as metadata
import sys

names = 'torch torchvision numpy mmcv onedl-mmcv mmengine onedl-mmengine mmdet onedl-mmdetection'.split()
names += 'mmsegmentation onedl-mmsegmentation mmpretrain onedl-mmpretrain timm'.split()
installed = {one.metadata['Name'].lower(): one.version for one in metadata.distributions()}
print('Python', sys.version.split()[0], *(f'{name} {installed[name]}' for name in names if name in installed), sep=', ')
PY
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
exec "$FOLDER/bin/python" -W ignore -m pytest -n "${TEST_WORKERS:-2}" --dist loadfile "$@"
