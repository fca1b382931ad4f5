#!/usr/bin/env bash
# From a Label Studio project, exported as JSON, to a detector.
#
#   examples/label-studio/train.sh EXPORT.json PHOTOS [FOLDER]    files go to FOLDER; default: ./labelled
set -euo pipefail

export=$(realpath "$1") photos=$(realpath "$2")
mkdir -p "${3:-labelled}"
cd "${3:-labelled}"

# Tasks that nobody finished are left out of the training, and every region that is no box is named.
focalcli convert "$export" data --to coco --images "$photos" --overwrite
focalcli train data -o runs/labelled --epochs "${EPOCHS:-30}" --overwrite
