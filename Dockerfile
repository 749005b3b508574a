# GPU image: the tested set of requirements.txt, mmcv's operators compiled for CUDA.
#
#   docker build -t mmssl_geo .
#   docker run --gpus all --ipc=host -it -v /data/coco:/workspace/mmssl_geo/data/coco mmssl_geo \
#       tools/dist_train.sh configs/gtsa_vits16_coco.py 8
FROM nvidia/cuda:13.0.1-cudnn-devel-ubuntu24.04

# Compute capabilities to compile for: A100, RTX 30, RTX 40, H100/H200.
ARG TORCH_CUDA_ARCH_LIST="8.0;8.6;8.9;9.0"
ENV FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST=${TORCH_CUDA_ARCH_LIST} DEBIAN_FRONTEND=noninteractive

RUN apt-get update && apt-get install -y --no-install-recommends \
        g++ git libgl1 libglib2.0-0 python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /workspace/mmssl_geo
COPY . .
RUN bash tools/setup_env.sh && .venv/bin/python -m pip cache purge
ENV PATH=/workspace/mmssl_geo/.venv/bin:${PATH} VIRTUAL_ENV=/workspace/mmssl_geo/.venv
CMD ["bash"]
