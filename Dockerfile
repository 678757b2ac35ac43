# commongarden in a container. The CPU build of PyTorch by default:
#
#     docker build -t commongarden .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/workspace" commongarden run --data photos --yes
#
# For NVIDIA GPUs, PyTorch's CUDA build (about 6 GB):
#
#     docker build -t commongarden:cuda --build-arg TORCH=cuda .
#     docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/workspace" commongarden:cuda run --data photos --yes
#
# docs/howto/docker.md says more.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

# cpu: PyTorch's index for CPU builds; cuda: the default index, whose Linux builds bring CUDA
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1

WORKDIR /opt/commongarden
# torch first, by the versions of constraints.txt, in a layer of its own: a change of the code does not download it again
COPY constraints.txt ./
RUN grep -E '^(torch|torchvision)==' constraints.txt > torch.txt \
 && case "$TORCH" in \
      cpu) pip install --index-url https://download.pytorch.org/whl/cpu --requirement torch.txt ;; \
      cuda) pip install --constraint constraints.txt --requirement torch.txt ;; \
      *) echo "TORCH: found '$TORCH', accepted: cpu, cuda" >&2; exit 2 ;; \
    esac
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --constraint constraints.txt .

# studies are written below /workspace, the folder that is mounted; the cache too, so that it outlives the container
WORKDIR /workspace
ENV COMMONGARDEN_CACHE=/workspace/.commongarden-cache/images \
    HF_HOME=/workspace/.commongarden-cache/huggingface \
    TORCH_HOME=/workspace/.commongarden-cache/torch \
    MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["commongarden"]
CMD ["--help"]
