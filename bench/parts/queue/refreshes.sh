# A command every second, which shares the server and the pool with the queue: how late it begins beside an
# idle queue and beside a full one.

refreshes() {
  has ours || return 0
  local what
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  for what in idle full; do refreshes_beside "$what"; done
}

refreshes_beside() { # idle|full
  local share metric
  fresh_ours run
  ours run -c "SELECT metrics_refresh.schedule_command('tick', '1 second', 'SELECT 1')" >/dev/null
  if [ "$1" = full ]; then ours run -c "CALL feed('noop', $held + 3, 20000)" & fi
  ours_wait run $((held + 60)) "(SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'tick') >= $held"
  while IFS='|' read -r metric share; do record refreshes "beside a queue: $1" 1 "$metric" "$share"; done < <(ours run -At -c "
    SELECT m.name, percentile_cont(m.share) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - due_at) * 1000)
    FROM metrics_refresh.run_log, (VALUES ('p50', 0.5), ('p95', 0.95)) m (name, share)
    WHERE job_name = 'tick' GROUP BY m.name, m.share")
  wait
}
