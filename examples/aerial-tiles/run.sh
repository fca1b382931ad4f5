#!/usr/bin/env bash
# Small objects on large photos: what looking at tiles finds that looking at the whole photo does not.
#
#   examples/aerial-tiles/run.sh MODEL DATA [TILE] [FOLDER]    results go to FOLDER; default: ./tiles
#
# TILE, the side of a tile in pixels, should show objects at the size the model was trained on: the size of its photos.
set -euo pipefail

model=$(realpath "$1") data=$(realpath "$2") tile=${3:-320}
mkdir -p "${4:-tiles}"
cd "${4:-tiles}"

look() { # detect and measure: the name of the results, then the options of detect
    focalcli detect "$data/annotations/test.json" --model "$model" --format coco -o "$1.json" "${@:2}"
    focalcli evaluate "$data" --split test --predictions "$1.json" --json -o "$1-numbers.json"
    awk -F'[:,]' -v name="$1" '/"AP50"/ { printf "%-6s AP50 %.3f\n", name, $2; exit }' "$1-numbers.json"
}

look whole
look tiled --tile "$tile" --overlap 0.2
focalcli detect "$data/images/test" --model "$model" --tile "$tile" --draw pictures --format jsonl -o found.jsonl
