# Sourced by bench/queue: the medians, and each demand with its measured value.

report() {
  turn ours
  echo
  ours report -v samples="$raw/queue.csv" -v rows="$rows" -v pgboss="${pgboss_version:-none}" \
    -v parts="${parts[*]}" <"$top/bench/parts/queue/report.sql"
  ours report -c 'COPY (TABLE verdicts) TO STDOUT CSV HEADER' >"$raw/queue_verdicts.csv"
  conditions
}

conditions() {
  local line
  echo "conditions: PostgreSQL $(ours report -At -c 'SHOW server_version'), fsync on, synchronous_commit on," \
    "shared_buffers 512MB, one server at a time; medians of $rounds rounds in turns"
  echo "            $workers workers (4 with a flush each), $jobs jobs, held for $held s"
  if [ -n "$node" ]; then
    echo "            Node $("$node" --version), pg-boss ${pgboss_version:-left out}, graphile-worker" \
      "$(sed -n 's/.*"version": "\([0-9].*\)".*/\1/p' "$scratch/bench/node/node_modules/graphile-worker/package.json")"
  fi
  for line in "${left_out[@]}"; do echo "            $line"; done
  echo "            $cores cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load before $load_before," \
    "now $(cut -d' ' -f1-3 /proc/loadavg)"
}
