# Rows a second, from two sessions that have the same payloads in arrays of 1000: enqueue_many beside an
# INSERT into a plain table with a primary key, and beside COPY into it. The bound is the better of both.

enqueue() {
  local round what
  for round in $(seq "$rounds"); do
    for what in $(in_turn "$round" bound ours); do
      has "$what" || continue
      "enqueue_of_$what" "$round"
    done
  done
}

enqueue_of_bound() { # ROUND
  turn others
  fresh others run plain_base
  payloads others
  enqueue_once others "$1" 'bound INSERT' enqueue_insert.sql
  others run -c 'TRUNCATE plain_row'
  copy_once "$1"
}

enqueue_of_ours() {
  turn ours
  fresh_ours run
  payloads ours
  # Nothing may start meanwhile.
  ours run -c "SELECT metrics_refresh.pause_job_type('noop')" >/dev/null
  enqueue_once ours "$1" ours enqueue_ours.sql
}

payloads() {
  "$1" run <<'SQL'
CREATE TABLE payload (list jsonb[] NOT NULL);
ALTER TABLE payload ALTER list SET STORAGE external;
INSERT INTO payload SELECT array_agg(jsonb_build_object('n', i)) FROM generate_series(1, 1000) i;
SQL
}

enqueue_once() { # NAME ROUND CONTENDER SCRIPT
  "$1" postgres -c CHECKPOINT
  record enqueue "$3" "$2" rate "$(awk "BEGIN { print 1000 * $(pgbench_in "$1" run -M prepared -c 2 -j 2 -T "$seconds" -f "$(script "$4")") }")"
}

# A million rows by each session; the text is made before.
copy_once() { # ROUND
  local began rows=1000000 session
  if [ ! -e "$raw/copy.2" ]; then
    for session in 1 2; do
      others run -c "COPY (SELECT i, now(), 1, 10, 1, 0, 0, jsonb_build_object('n', i)
                           FROM generate_series($session * $rows, $session * $rows + $rows - 1) i) TO '$raw/copy.$session'"
    done
  fi
  others postgres -c CHECKPOINT
  began=$EPOCHREALTIME
  for session in 1 2; do others run -c "COPY plain_row FROM '$raw/copy.$session'" & done
  wait
  record enqueue 'bound COPY' "$1" rate "$(awk "BEGIN { print 2 * $rows / ($EPOCHREALTIME - $began) }")"
}
