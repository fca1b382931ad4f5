#!/usr/bin/env bash
# The tables and figures of the focal loss paper, in small, on a made-up data set of its own.
#
#   examples/paper/run.sh [FOLDER]    all files go there; default: ./paper
#
# Run again, it does only what is not done yet. EPOCHS=1 and FOCALCLI_INSIGHT_STEPS=1 make it short and the numbers bad.
set -euo pipefail

mkdir -p "${1:-paper}"
cd "${1:-paper}"

[ -d bay ] || focalcli demo bay >/dev/null
model=${MODEL:-runs/bay/best.safetensors}
[ -f "$model" ] ||
    focalcli train bay -o runs/bay --epochs "${EPOCHS:-12}" --min-size 256 --anchor-size 16 --flip both >/dev/null

[ -f curve.csv ] || focalcli insight curve -o . >/dev/null                                # Figure 1
[ -f loss.json ] || focalcli insight loss bay --split val --model "$model" -o . >/dev/null # Figure 4
[ -f lab.json ] || focalcli insight lab bay --model "$model" -o . >/dev/null               # Tables 1a to 1d
cat lab.md
