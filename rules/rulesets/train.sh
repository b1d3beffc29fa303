#!/usr/bin/env bash
# Learns the evidence and calibration of default.toml again, from fleets of two worlds that share no code: the product's own simulator and
# the one in .ci/proofs/backtest; some of each in which nothing ever fails, so that the habits of healthy machines weigh as they do in life.
# Says on stdout what it does; rewrites default.toml at the end. About 20 minutes on two cores.
# usage: rules/rulesets/train.sh FOREWARN_BINARY PYTHON WORK_DIR        (PYTHON with the packages of .ci/requirements.txt)
set -euo pipefail
forewarn=$1 python=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)
rules=$here/default.toml
from=2026-01-08T01:00:00Z to=2026-02-05T00:00:00Z
args=()
mkdir -p "$work"

# take DIR imports a fleet and adds it to what is learned from.
take() {
  local events=()
  [ -e "$1/events.parquet" ] && events=(--events "$1/events.parquet")
  "$forewarn" import --history "$1/history" --instances "$1/instances.parquet" "${events[@]}" "$1/metrics.parquet" > "$1/import.log"
  if [ ${#args[@]} -eq 0 ]; then args=(--history "$1/history"); else args+=(--also "$1/history"); fi
  args+=(--incidents "$1/incidents.parquet")
}

for seed in 6001 6002 6003 6004 6005 7001 7002 7004 7005 7007 7008; do
  flags=()
  [ "$seed" -gt 7000 ] && flags=(--fault-free)
  "$forewarn" simulate --out "$work/own-$seed" --instances 200 --days 35 --seed "$seed" "${flags[@]}"
  take "$work/own-$seed"
done
for seed in 11 12 13 32; do
  flags=()
  [ "$seed" = 32 ] && flags=(--faults 0)
  "$python" "$here/../../.ci/proofs/backtest/otherworld.py" "$work/other-$seed" --seed "$seed" --instances 200 --days 35 "${flags[@]}"
  take "$work/other-$seed"
done
"$forewarn" fit "${args[@]}" --rules "$rules" --from "$from" --to "$to" --step 3h --out "$work/default.toml"
cp "$work/default.toml" "$rules"
