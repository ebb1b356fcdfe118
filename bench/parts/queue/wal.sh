# WAL of a job with a small payload: to process it, and to enqueue it in a transaction of its own.

wal() {
  has ours || return 0
  local round before
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  fresh_ours run
  for round in $(seq "$rounds"); do
    drain_ours run noop "$jobs"
    record wal ours "$round" process "$(awk "BEGIN { print $wal_used / $jobs }")"
    ours run -c "SELECT metrics_refresh.pause_job_type('noop')" -c CHECKPOINT >/dev/null
    before=$(wal_at ours)
    pgbench_in ours run -M prepared -c 4 -t 5000 -f "$(script enqueue_one.sql)" >/dev/null
    record wal ours "$round" enqueue "$(awk "BEGIN { print ($(wal_at ours) - $before) / 20000 }")"
    resume_and_wait run noop
  done
}
