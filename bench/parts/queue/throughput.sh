# No-op jobs: how many a second, and the CPU time of the server for each. Ours and graphile-worker drain
# a queue that is full; the plain table and the bounds run for some seconds.

throughput() {
  local round what
  for round in $(seq "$rounds"); do
    for what in $(in_turn "$round" bounds plain graphile ours); do "throughput_of_$what" "$round"; done
  done
}

throughput_of_bounds() { # ROUND
  has bound || return 0
  turn others
  fresh others run plain_base
  local mode count
  for mode in per_job shared grouped; do
    count=$workers
    [ "$mode" != per_job ] || count=4
    others run -c 'TRUNCATE bound_history' -c CHECKPOINT
    cpu_of others bound_once "$mode" "$count"
    record throughput "bound $mode" "$1" rate "$rate"
    record throughput "bound $mode" "$1" cpu "$(awk "BEGIN { print $cpu_used / $(others run -At -c 'SELECT count(*) FROM bound_history') }")"
  done
}
bound_once() { # MODE WORKERS
  rate=$(others run -At -c "SELECT bound('$1', $2, $seconds, 'noop'::regproc, 'bound_history'::regclass)")
}

throughput_of_plain() {
  has plain || return 0
  turn others
  fresh others run plain_base
  others run -c "INSERT INTO job (type, payload) SELECT 'noop', jsonb_build_object('n', i)
                 FROM generate_series(1, 40000 * $seconds) i" -c 'VACUUM ANALYZE job' -c CHECKPOINT
  cpu_of others plain_once
  [ "$(others run -At -c 'SELECT EXISTS (SELECT FROM job)')" = t ] || die 'the plain table ran empty'
  record throughput plain "$1" rate "$rate"
  record throughput plain "$1" cpu "$(awk "BEGIN { print $cpu_used / $(others run -At -c 'SELECT count(*) FROM job_history') }")"
}
plain_once() { rate=$(pgbench_in others run -M prepared -c 8 -T "$seconds" -f "$(script plain_run.sql)"); }

# The default mode with several concurrencies, the batched one with several sizes; the best counts.
throughput_of_graphile() {
  has graphile || return 0
  turn others
  local setting
  for setting in 'default 10' 'default 24'; do graphile_once "$1" $((jobs / 5)) $setting; done
  for setting in 'batched 10 2000 5' 'batched 24 500 0'; do graphile_once "$1" "$jobs" $setting; done
}
graphile_once() { # ROUND JOBS SETTING…
  local round=$1 jobs=$2
  shift 2
  fresh others run graphile_base
  node_in others run graphile.mjs fill "$jobs"
  others postgres -c CHECKPOINT
  record throughput "graphile $*" "$round" rate "$(node_in others run graphile.mjs "$@")"
}

throughput_of_ours() {
  has ours || return 0
  turn ours
  ours_once "$1" shared noop "$workers" "$jobs"
  ours_once "$1" per_job noop 4 $((jobs / 2))
  ours_once "$1" grouped grouped "$workers" "$jobs"
}
ours_once() { # ROUND MODE TYPE WORKERS JOBS
  local flush=shared
  [ "$2" != per_job ] || flush=per_job
  set_ours metrics_refresh.queue_flush "$flush"
  set_ours metrics_refresh.queue_workers "$4"
  fresh_ours run
  drain_ours run "$3" "$5"
  record throughput "ours $2" "$1" rate "$rate"
  record throughput "ours $2" "$1" cpu "$(awk "BEGIN { print $cpu_used / $5 }")"
}
