# Two databases of one server, in turns: one has an empty queue, the other one has finished and scheduled
# jobs. What no-op jobs cost in each.

history() {
  has ours || return 0
  local round database
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  fresh_ours queue_empty
  fresh_ours queue_full
  fill_history
  for round in $(seq "$rounds"); do
    for database in $(in_turn "$round" empty full); do history_once "$round" "$database"; done
  done
  ours queue_full -At -F ' ' -c 'SELECT status, count(*) FROM background_jobs GROUP BY 1' | sed 's/^/   full: /'
}

# Finished by running them, in groups.
fill_history() {
  local done=0 chunk=500000
  say "$rows finished and $((rows / 10)) scheduled jobs"
  while [ "$done" -lt "$rows" ]; do
    [ "$chunk" -le $((rows - done)) ] || chunk=$((rows - done))
    ours queue_full -c "CALL fill('grouped', $chunk)"
    ours_wait queue_full 600 "open_jobs('grouped') = 0"
    done=$((done + chunk))
  done
  ours queue_full -c "CALL fill('outside', $((rows / 10)), now() + interval '1 year')" -c 'VACUUM ANALYZE'
}

history_once() { # ROUND DATABASE
  drain_ours "queue_$2" noop "$jobs"
  record history "$2" "$1" rate "$rate"
  record history "$2" "$1" cpu "$(awk "BEGIN { print $cpu_used / $jobs }")"
  record history "$2" "$1" wal "$(awk "BEGIN { print $wal_used / $jobs }")"
}
