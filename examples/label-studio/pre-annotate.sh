#!/usr/bin/env bash
# Boxes to correct instead of boxes to draw: the tasks of a Label Studio project, with what a model found.
#
#   examples/label-studio/pre-annotate.sh PHOTOS MODEL >tasks.json
#
# Needs jq. Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
# LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=PHOTOS, so that it shows the photos from where they are.
set -euo pipefail

photos=$(realpath "$1")
focalcli detect "$photos" --model "$2" --threshold 0.3 --format label-studio |
    jq --arg root "$photos/" '.[].data.image |= "/data/local-files/?d=" + (ltrimstr($root) | @uri)'
