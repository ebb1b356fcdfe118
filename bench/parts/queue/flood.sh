# Two keys of one type, whose jobs wait for five milliseconds each. Key a has nine jobs of ten and queues
# them all at once; those of key b come one by one. How long b waits, with the flood and without it.

flood() {
  has ours || return 0
  local round what
  turn ours
  set_ours metrics_refresh.queue_flush shared
  set_ours metrics_refresh.queue_workers "$workers"
  for round in $(seq "$rounds"); do
    for what in $(in_turn "$round" alone flooded); do flood_once "$round" "$what"; done
  done
}

flood_once() { # ROUND alone|flooded
  fresh_ours run
  if [ "$2" = flooded ]; then
    ours run -c "SELECT count(*) FROM metrics_refresh.enqueue_many('nap', array_fill(jsonb '{}', ARRAY[1800]),
                   keys => array_fill(text 'a', ARRAY[1800]))" >/dev/null
  fi
  ours run -c "CALL send('nap', 200, 0.015, 'b')"
  ours_wait run 60 "open_jobs('nap') = 0"
  record flood "$2" "$1" wait_p99 "$(ours run -At -c "SELECT percentile_cont(0.99) WITHIN GROUP (
    ORDER BY extract(epoch FROM began.at - sent.at) * 1000) FROM began JOIN sent USING (n)")"
  [ "$2" = alone ] || record flood a "$1" duration_p99 "$(ours run -At -c "SELECT percentile_cont(0.99) WITHIN GROUP (
    ORDER BY extract(epoch FROM finished_at - started_at) * 1000) FROM background_jobs WHERE key = 'a'")"
}
