#!/bin/sh
# Measures and checks training on a GPU, in three parts of at most 4 minutes each. Nothing is downloaded.
#
#   scripts/gpu.sh PART WHEELS PHOTOS OUT
#
# PART    table: images per second and equal bits. study: a whole study of the flowers. trouble: kill, resume, memory, and
#         the tests that need a GPU (pytest -m cuda). Without a GPU, rehearsal: all of it in small on the CPU; counts: what
#         a step asks of a GPU.
# WHEELS  a folder of wheels: what the machine lacks beside Python, PyTorch and torchvision, with pytest; none where it
#         lacks nothing
# PHOTOS  a folder of labelled photos
# OUT     a folder for the results: PART.json, written after every measurement
#
# scripts/performance.py of docs/performance.md reads the results.
set -eu
if [ $# -ne 4 ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
part=$1 wheels=$2 photos=$3 out=$4
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
mkdir -p "$out"
packages=${TMPDIR:-/tmp}/commongarden-gpu-packages
if [ "$wheels" != none ] && [ ! -d "$packages" ]; then
    "$python" -m pip install --quiet --no-index --no-deps --target "$packages" "$wheels"/*.whl
fi
export PYTHONPATH="$here/src:$here/tests/support:$packages${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1
"$python" "$here/scripts/gpu.py" "$part" --photos "$photos" --out "$out"
if [ "$part" = trouble ]; then
    "$python" -m pytest -m cuda -q --noconftest -p no:cacheprovider --rootdir "$here" "$here/tests/train/test_cuda.py"
fi
