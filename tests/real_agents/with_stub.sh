#!/usr/bin/env bash
# usage: with_stub.sh PYTHON LOG.jsonl COMMAND ...
# Runs COMMAND in a network namespace that has loopback alone, beside the stub model on port 8399.
# Needs root. Nothing can leave the machine.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" != inside ]; then
  exec unshare -n bash "$here/with_stub.sh" inside "$@"
fi
python=$2; log=$3; shift 3
ip link set lo up
"$python" "$here/stub_model.py" 8399 "$log" </dev/null >/dev/null 2>&1 & stub=$!
for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/8399) 2>/dev/null && break; sleep 0.1; done
"$@" </dev/null; code=$?
kill "$stub"
exit "$code"
