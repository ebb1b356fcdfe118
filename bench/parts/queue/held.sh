# A transaction that holds xmin while the queue is full, beside the same without it: CPU a job in the
# second half, claim_jobs() of one job meanwhile, the size of the hot part; and the plain table.

held() {
  local round what
  # One takes as long as several rounds of other parts.
  for round in 1 2; do
    for what in $(in_turn "$round" free held); do
      if has plain && [ "$round" = 1 ]; then held_plain "$round" "$what"; fi
      if has ours; then held_ours "$round" "$what"; fi
    done
  done
}

# A session that holds a snapshot and a transaction number for as long as its input is open.
hold() { # NAME free|held
  [ "$2" = held ] || return 0
  coproc holder { as_user "$bindir/psql" -XAtq -h "$scratch/$1" -U postgres -d run 2>&1; }
  held_by=$holder_PID
  echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current();' >&"${holder[1]}"
  read -r _ <&"${holder[0]}"
}
let_go() { # free|held
  [ "$1" = held ] || return 0
  echo '\q' >&"${holder[1]}"
  wait "$held_by" || true
}

held_plain() { # ROUND free|held
  turn others
  fresh others run plain_base
  others run -c "INSERT INTO job (type, payload) SELECT 'noop', jsonb_build_object('n', i)
                 FROM generate_series(1, 20000 * $held) i" -c 'VACUUM ANALYZE job' -c CHECKPOINT
  hold others "$2"
  record held "plain $2" "$1" rate "$(pgbench_in others run -M prepared -c 8 -T "$held" -f "$(script plain_run.sql)")"
  let_go "$2"
}

held_ours() {
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  fresh_ours run
  local before pids half=$((held / 2)) ended feeder claimer claims=$((held * 20)) most=0 bytes i
  ours run -c "CALL fill('outside', $((claims + 100)))" -c CHECKPOINT
  hold ours "$2"
  ours run -c "CALL feed('noop', $held, 20000)" &
  feeder=$!
  sleep "$half"
  pids=$(service) before=$(cpu_of_pids $pids) ended=$(ours run -At -c "SELECT ended_jobs('noop')")
  # The claims are a part of the load, the same in both.
  ours run -c "CALL claim_times($claims)" &
  claimer=$!
  for ((i = 0; i < half * 2; ++i)); do
    bytes=$(ours run -At -c 'SELECT hot_bytes()')
    [ "$bytes" -le "$most" ] || most=$bytes
    sleep 0.4
  done
  ended=$(($(ours run -At -c "SELECT ended_jobs('noop')") - ended))
  if [ "$(service)" = "$pids" ]; then
    record held "ours $2" "$1" cpu "$(awk "BEGIN { print ($(cpu_of_pids $pids) - $before) / $ended }")"
  else
    say 'a worker was replaced: CPU a job is not told for this round'
  fi
  wait "$feeder" "$claimer"
  let_go "$2"
  record held "ours $2" "$1" claim "$(ours run -At -c 'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FROM claim_time')"
  record held "ours $2" "$1" hot_mb $((most / 1048576))
}

# The processes that serve the queue, without the sessions that feed and claim.
service() {
  ours run -At -c "SELECT pid FROM pg_stat_activity WHERE backend_type ~ '^metrics_refresh|writer$|^checkpointer' ORDER BY 1" | xargs
}
