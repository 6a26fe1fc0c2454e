#!/usr/bin/env bash
# What a single H100 or H200 shows in ten minutes; benchmarks/README.md says how to run it.
#
#   scripts/gpu_session.sh [--wheels FOLDER] [--out FOLDER] [arguments of benchmarks.gpu]
#   scripts/gpu_session.sh --receive FOLDER     # keep a part of the inputs that a transfer brought
#
# Everything found goes to --out, else $OUT. With --dry-run it runs on a CPU, in seconds.
set -u
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
kept=${SKILLRET_GPU_INPUTS:-/tmp/skillret-gpu-inputs}
out=${OUT:-}
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --receive)
        mkdir -p "$kept" && cp -r "$2"/. "$kept"/ || exit 2
        echo "received: $(cd "$kept" && ls | tr '\n' ' ')"
        exit 0 ;;
    --wheels)
        # No network there: what the machine lacks travels as wheels.
        "$python" -m pip install -q --no-index --no-deps --no-compile --upgrade \
            --target /tmp/skillret-gpu-site "$2"/*.whl || exit 2
        export PYTHONPATH="/tmp/skillret-gpu-site${PYTHONPATH:+:$PYTHONPATH}"
        shift 2 ;;
    --out)
        out=$2
        shift 2 ;;
    *)
        arguments+=("$1")
        shift ;;
    esac
done
if [ -z "$out" ]; then
    echo "gpu_session.sh: where to? --out FOLDER, or \$OUT" >&2
    exit 2
fi
mkdir -p "$out" || exit 2
if [ -d "$kept" ] && [[ " ${arguments[*]-} " != *" --inputs "* ]]; then
    arguments+=(--inputs "$kept")
fi
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
export TQDM_DISABLE=1 PYTHONWARNINGS="${PYTHONWARNINGS:-ignore::FutureWarning}"
export PYTORCH_ALLOC_CONF=${PYTORCH_ALLOC_CONF:-expandable_segments:True}
"$python" -m benchmarks.gpu --out "$out" "${arguments[@]+"${arguments[@]}"}" 2>&1 | tee "$out/log.txt"
exit "${PIPESTATUS[0]}"
