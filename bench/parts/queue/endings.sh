# How long until a job runs again: after a SIGTERM of its worker, and after a crash of the server, counted
# from the moment when the server is ready.

endings() {
  has ours || return 0
  local i
  turn ours
  set_ours metrics_refresh.queue_workers 2
  for i in 1 2 3 4 5; do ended_by_sigterm "$i"; done
  for i in 1 2 3; do ended_by_crash "$i"; done
}

# Starts of the long job: `PID SECONDS` of each, from the server's log.
starts() { sed -n 's/.*\[\([0-9]*\)\].*long nap .* began at \([0-9.]*\)$/\1 \2/p' "$scratch/ours/server.log"; }
wait_for_start() { # NUMBER
  local end=$((SECONDS + 60))
  until [ "$(starts | wc -l)" -ge "$1" ]; do
    [ "$SECONDS" -lt "$end" ] || die 'the job did not start'
    sleep 0.02
  done
}

start_long_job() {
  fresh_ours run
  before=$(starts | wc -l)
  job=$(ours run -At -c "SELECT metrics_refresh.enqueue('long nap', '{\"n\": 1}')")
  wait_for_start $((before + 1))
  pid=$(starts | tail -n 1 | cut -d' ' -f1)
}

ended_by_sigterm() { # ROUND
  local before job pid at
  start_long_job
  at=$EPOCHREALTIME
  kill -TERM "$pid"
  wait_for_start $((before + 2))
  record endings SIGTERM "$1" ms "$(starts | tail -n 1 | awk "{ print (\$2 - $at) * 1000 }")"
  ours run -c "SELECT metrics_refresh.cancel_job($job)" >/dev/null
}

ended_by_crash() {
  local before job pid ready
  start_long_job
  kill -9 "$pid"
  wait_for_start $((before + 2))
  ready=$(date -d "$(grep 'database system is ready to accept connections' "$scratch/ours/server.log" | tail -n 1 | cut -d' ' -f1-3)" +%s.%N)
  record endings crash "$1" ms "$(starts | tail -n 1 | awk "{ print (\$2 - $ready) * 1000 }")"
  ours run -c "SELECT metrics_refresh.cancel_job($job)" >/dev/null
}
