#!/usr/bin/env bash
# From nothing to a verified ONNX detector, in some minutes on two CPU cores (the README tells how many).
#
#   examples/quickstart.sh [FOLDER]    all files go there; default: ./quickstart
#
# Run again, it does only what is not done yet. EPOCHS=1 makes it short and the detector bad.
set -euo pipefail

mkdir -p "${1:-quickstart}"
cd "${1:-quickstart}"

focal() { # say what runs, then run it
    printf '\n$ focalcli %s\n' "$*" >&2
    focalcli "$@"
}

fresh() { # is the first there, and newer than the second?
    [ "$1" -nt "$2" ]
}

number() { # the first number of a name in a JSON file: the one for all classes
    awk -F'[:,]' -v name="\"$2\"" '$1 ~ name { printf "%.4f", $2; exit }' "$1"
}

# A made-up data set: a bay from above, where orcas are rare.
[ -d bay ] || focal demo bay >/dev/null

# The detector. A training that was stopped goes on where it was.
model=runs/bay/best.safetensors
if ! grep -qs '"finished"' runs/bay/run.json; then
    resume=()
    [ ! -f runs/bay/last.pt ] || resume=(--resume)
    focal train bay -o runs/bay --epochs "${EPOCHS:-12}" --min-size 256 --anchor-size 16 --flip both "${resume[@]}" >/dev/null
fi

# One file for every runtime; written only if it finds what the model finds.
fresh bay.onnx "$model" || focal export --onnx --model "$model" -o bay.onnx >/dev/null

# How good they are, and what they find.
for kind in torch onnx; do
    weights=$model
    [ $kind = torch ] || weights=bay.onnx
    fresh $kind.json $weights || focal evaluate bay --split test --model $weights --json -o $kind.json
    fresh found-$kind $weights || { rm -rf found-$kind; focal detect bay/images/test --model $weights -o found-$kind; }
done

printf '\n%-28s %8s %8s\n' '60 test photos' AP AP50
printf '%-28s %8s %8s\n' "$model" "$(number torch.json AP)" "$(number torch.json AP50)"
printf '%-28s %8s %8s\n' bay.onnx "$(number onnx.json AP)" "$(number onnx.json AP50)"
printf '\nLook at what was found: %s/pictures and %s/pictures\n' "$PWD/found-torch" "$PWD/found-onnx"
