#!/usr/bin/env bash
# Trains in several processes, one a GPU; on a machine without CUDA the same line runs GPUS processes on the CPU (gloo).
#
# Usage: tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# Several machines: run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]" >&2
    exit 2
fi
CONFIG=$1
GPUS=$2
shift 2
case $GPUS in
    '' | *[!0-9]*) echo "error: GPUS must be a number of processes, got '$GPUS'" >&2; exit 2 ;;
esac
GPUS=$((10#$GPUS))
if [ "$GPUS" -lt 1 ]; then
    echo "error: GPUS must be at least 1" >&2
    exit 2
fi
PORT=${PORT:-29500}
if [ ! -f "$CONFIG" ]; then
    echo "error: there is no config file $CONFIG" >&2
    exit 1
fi
HERE=$(cd "$(dirname "$0")" && pwd)
PYTHON=${PYTHON:-python}
if [ -z "${VIRTUAL_ENV:-}" ] && [ -x "$HERE/../.venv/bin/python" ] && [ "$PYTHON" = python ]; then
    PYTHON=$HERE/../.venv/bin/python
fi
if [ "${NODE_RANK:-0}" = 0 ]; then # this machine is the one that listens
    "$PYTHON" -c '
import socket, sys
try:
    socket.create_server(("", int(sys.argv[1]))).close()
except (OSError, OverflowError, ValueError) as error:
    sys.exit(f"error: port {sys.argv[1]} cannot be used ({error}): set PORT to a free one, such as PORT=29501")
' "$PORT"
fi
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE} # threads that wait do not spin
exec "$PYTHON" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="$PORT" \
    --nproc_per_node="$GPUS" \
    "$HERE/train.py" "$CONFIG" --launcher pytorch "$@"
