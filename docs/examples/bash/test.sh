#!/usr/bin/env bash
# A deterministic test in bash: kubesim and kubectl must be on the PATH. It prints what
# holds, and ends with 1 if something does not.
set -euo pipefail

# Start a cluster on a free port. It prints one line, when all nodes are Ready: export
# KUBECONFIG=PATH
coproc SERVER { exec kubesim serve --ephemeral --listen 127.0.0.1:0 --clock manual --seed "${SEED:-1}" --start-time 2026-01-01T00:00:00Z; }
server=$SERVER_PID
trap 'kill -INT "$server"; wait "$server"' EXIT
read -r line <&"${SERVER[0]}"
eval "$line"

# The clock. What moves it returns when the cluster has settled.
clock=/apis/sim.kubesim.dev/v1alpha1/clocks/cluster
advance() { kubectl create --raw "$clock/advance" -f - >/dev/null <<<"{\"duration\": \"$1\"}"; }
now() { kubectl get clock cluster -o jsonpath='{.status.now}'; }

# expect TEXT COMMAND…: the command prints just that.
expect() {
  local want=$1 got
  shift
  got=$("$@")
  if [[ $got != "$want" ]]; then
    printf 'at %s, %s:\n  want %s\n  got  %s\n' "$(now)" "$*" "$want" "$got" >&2
    exit 1
  fi
  printf '%s  %s\n' "$(now)" "$want"
}
job() { kubectl get job "$1" -o jsonpath="active: {.status.active}, failed: {.status.failed}, succeeded: {.status.succeeded}"; }

# A Job that fails twice, and is retried after ten seconds and after twenty.
kubectl apply -f - >/dev/null <<'EOF'
apiVersion: sim.kubesim.dev/v1alpha1
kind: PodScript
metadata: {name: import}
spec:
  match: {image: example.com/import:*}
  attempts:
  - steps: [{wait: 1s}, {exit: 3}]
  - steps: [{wait: 1s}, {exit: 3}]
  - steps: [{wait: 2h}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: import}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: example.com/import:1}]
EOF

expect 'active: 1, failed: , succeeded: ' job import
advance 10s
expect 'active: , failed: 1, succeeded: ' job import
advance 1m
expect 'active: 1, failed: 2, succeeded: ' job import
advance 2h
expect 'active: , failed: 2, succeeded: 1' job import
