# A command and a refresh every second, which share the server and the pool with the queue: how late they begin
# beside an idle queue and beside a full one, and how long the refresh takes.

refreshes() {
  has ours || return 0
  local round what
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  for round in $(seq "$rounds"); do
    for what in $(in_turn "$round" idle full); do refreshes_beside "$round" "$what"; done
  done
}

# The view has 10,000 rows, and each refresh writes them anew. The first two due times, at which workers start and
# nothing is prepared, do not count.
refreshes_beside() { # ROUND idle|full
  local job metric ms runs=$((held / 2)) log="metrics_refresh.run_log WHERE status = 'success' AND job_name IN ('command', 'view')"
  fresh_ours run
  ours run -c "CREATE MATERIALIZED VIEW view AS SELECT n, random() AS value FROM generate_series(1, 10000) n" \
    -c 'CREATE UNIQUE INDEX ON view (n)' \
    -c "SELECT metrics_refresh.schedule('view', '1 second', 'view', strategy => 'concurrently')" \
    -c "SELECT metrics_refresh.schedule_command('command', '1 second', 'SELECT 1')" >/dev/null
  if [ "$2" = full ]; then ours run -c "CALL feed('noop', $runs + 3, 20000)" & fi
  ours_wait run $((held + 60)) "(SELECT count(*) FROM $log) >= 2 * $runs"
  while IFS='|' read -r job metric ms; do record refreshes "$job beside a queue: $2" "$1" "$metric" "$ms"; done < <(ours run -At -c "
    WITH run AS (SELECT * FROM $log AND due_at > (SELECT min(due_at) + interval '1.5 seconds' FROM $log))
    SELECT job_name, m.name, percentile_cont(m.share) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - due_at) * 1000)
    FROM run, (VALUES ('p50', 0.5), ('p95', 0.95)) m (name, share) GROUP BY job_name, m.name, m.share
    UNION ALL SELECT job_name, 'took', percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms)
    FROM run WHERE job_name = 'view' GROUP BY job_name")
  wait
}
