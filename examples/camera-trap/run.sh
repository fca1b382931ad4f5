#!/usr/bin/env bash
# Camera traps: sort a season of photos by what is on them, with as many processes as there are cores.
#
#   examples/camera-trap/run.sh PHOTOS MODEL [FOLDER]    results go to FOLDER; default: ./sorted
#
# Needs jq and GNU parallel. SCORE (default 0.5) is what counts as seen, CHUNK (200) how many photos a process takes.
set -euo pipefail

photos=$(realpath "$1") model=$(realpath "$2")
mkdir -p "${3:-sorted}"
cd "${3:-sorted}"
score=${SCORE:-0.5}

# One line a photo. Names may hold spaces and newlines; a photo that cannot be read is a line with "error".
find "$photos" -type f \( -iname '*.jpg' -o -iname '*.jpeg' \) -print0 | sort -z |
    OMP_NUM_THREADS=1 parallel -0 --keep-order -n "${CHUNK:-200}" focalcli detect -q --format jsonl --model "$model" >found.jsonl

jq -r 'select(.error) | [.image, .error] | @tsv' found.jsonl >unreadable.tsv

# How many photos show each class.
jq -rn --argjson s "$score" \
    '[inputs | [.detections[]? | select(.score >= $s) | .class] | unique[]] | group_by(.)[] | [.[0], length] | @csv' \
    found.jsonl >photos-per-class.csv

# Photos with something on them, linked by the class of the best detection; the others need nobody's eyes.
rm -rf seen
jq -j --argjson s "$score" \
    '(.detections[0]? // empty) as $best | select($best.score >= $s) | $best.class, "\u0000", .image, "\u0000"' found.jsonl |
    while IFS= read -r -d '' class && IFS= read -r -d '' image; do
        mkdir -p "seen/$class"
        ln -sf "$image" "seen/$class/$(printf %s "$image" | cksum | cut -d' ' -f1)-$(basename "$image")"
    done
cat photos-per-class.csv
