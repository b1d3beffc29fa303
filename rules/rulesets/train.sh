#!/usr/bin/env bash
# Learns the evidence and calibration of default.toml again, from simulated fleets: five that fail and one in which nothing ever does,
# so that the habits of healthy machines weigh as they do in life. Says on stdout what it does; rewrites default.toml at the end.
# usage: rules/rulesets/train.sh FOREWARN_BINARY WORK_DIR
set -euo pipefail
forewarn=$1 work=$2
rules=$(dirname "$0")/default.toml
from=2026-01-08T01:00:00Z to=2026-02-05T00:00:00Z
args=()
mkdir -p "$work"
for seed in 5001 6001 6002 6003 6004 7001; do
  dir=$work/$seed
  flags=()
  [ "$seed" = 7001 ] && flags=(--fault-free)
  "$forewarn" simulate --out "$dir" --instances 200 --days 35 --seed "$seed" "${flags[@]}"
  "$forewarn" import --history "$dir/history" --instances "$dir/instances.parquet" --events "$dir/events.parquet" "$dir/metrics.parquet" > "$dir/import.log"
  if [ ${#args[@]} -eq 0 ]; then args=(--history "$dir/history"); else args+=(--also "$dir/history"); fi
  args+=(--incidents "$dir/incidents.parquet")
done
"$forewarn" fit "${args[@]}" --rules "$rules" --from "$from" --to "$to" --out "$work/default.toml"
cp "$work/default.toml" "$rules"
