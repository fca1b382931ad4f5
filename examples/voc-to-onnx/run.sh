#!/usr/bin/env bash
# Blood cells: from photos with Pascal VOC annotations to one ONNX file.
#
#   examples/voc-to-onnx/run.sh [FOLDER]    files go there; default: ./blood-cells
#
# BCCD=DIR says where the data set is. EPOCHS=1 makes it short and the detector bad.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bccd=${BCCD:-$here/../../../shared/data/bccd}
if [ ! -d "$bccd/Annotations" ]; then
    echo "no BCCD at $bccd; get it with: git clone https://github.com/Shenggan/BCCD_Dataset" >&2
    echo "then: BCCD=BCCD_Dataset/BCCD $0" >&2
    exit 66
fi
bccd=$(cd "$bccd" && pwd)
mkdir -p "${1:-blood-cells}"
cd "${1:-blood-cells}"

# VOC is read as it lies there. Choose settings on train and val; the last training takes both, and test is for the end.
focalcli train "$bccd" --train-split trainval --val-split off --epochs "${EPOCHS:-30}" --flip both -o runs/cells --overwrite

focalcli evaluate "$bccd" --split test --model runs/cells/best.safetensors --json -o test.json

# Written only if it finds the same as the model, here also measured on the test photos.
focalcli export --onnx --model runs/cells/best.safetensors --data "$bccd" --split test -o cells.onnx

focalcli detect "$bccd/JPEGImages" --model cells.onnx --format jsonl >cells.jsonl
