# Commit -> start. A procedure in the server enqueues a job and notes the time right after its COMMIT; the
# handler notes the time at which it begins. Both read the same clock, and no client is in between.

latency() {
  local round what
  for round in $(seq "$rounds"); do
    for what in $(in_turn "$round" plain warm cold); do "latency_of_$what" "$round"; done
  done
}

latency_of_plain() { # ROUND
  has plain || return 0
  turn others
  fresh others run plain_base
  local waiting
  coproc listener { as_user bench/tools/listener "host=$scratch/others user=postgres dbname=run" \
    "$(sed '/^--/d; s/noop(payload)/stamp(payload)/' "$(script plain_run.sql)")" 260; }
  waiting=$listener_PID
  read -r _ <&"${listener[0]}"
  others run -c 'CALL send(260, 0.02)'
  wait "$waiting"
  latencies others 'plain with LISTEN' "$1"
}

latency_of_warm() {
  has ours || return 0
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  fresh_ours run
  ours run -c "CALL send('stamp', 260, 0.02)"
  ours_wait run 10 "(SELECT count(*) = 260 FROM began)"
  latencies ours 'ours warm' "$1"
}

# Every worker has ended when the next job comes.
latency_of_cold() {
  has ours || return 0
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  set_ours metrics_refresh.worker_idle_timeout "'50ms'"
  fresh_ours run
  ours run -c "CALL send('stamp', 40, 0.2)"
  ours_wait run 10 "(SELECT count(*) = 40 FROM began)"
  latencies ours 'ours cold' "$1"
  ours postgres -c 'ALTER SYSTEM RESET metrics_refresh.worker_idle_timeout' -c 'SELECT pg_reload_conf()' >/dev/null
}

# Without the first ten, which find nothing prepared.
latencies() { # NAME CONTENDER ROUND
  local metric share
  while IFS='|' read -r metric share; do record latency "$2" "$3" "$metric" "$share"; done < <("$1" run -At -c "
    SELECT m.name, percentile_cont(m.share) WITHIN GROUP (ORDER BY extract(epoch FROM began.at - sent.at) * 1000)
    FROM began JOIN sent USING (n), (VALUES ('p50', 0.5), ('p99', 0.99), ('max', 1)) m (name, share)
    WHERE n > 10 GROUP BY m.name, m.share")
}
