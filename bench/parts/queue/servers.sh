# Sourced by bench/queue: the two servers, and the numbers.
#
#   make_servers               ours, and one without the extension for all others; both are left stopped
#   turn NAME                  starts this server and stops the other one
#   ours DATABASE ARGUMENTS…   psql;  others DATABASE ARGUMENTS…
#   ours_wait, others_wait DATABASE SECONDS CONDITION   waits inside the server
#   fresh NAME DATABASE TEMPLATE   a new copy
#   fresh_ours DATABASE        with its types of jobs
#   set_ours SETTING VALUE     reloads
#   record PART CONTENDER ROUND METRIC VALUE
#   cpu_us NAME                CPU time of all processes of a server so far, also of those that have ended
#   cpu_of_pids PID…           of these processes
#   cpu_of NAME COMMAND…       runs it; sets $cpu_used (µs)
#   wal_at NAME                its WAL position in bytes
#   drain_ours DATABASE TYPE JOBS
#   in_turn ROUND WORD…        the words, begun with another one each round

settings="
fsync = on
synchronous_commit = on
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 30min      # each measurement begins behind a checkpoint of its own
max_worker_processes = 32
max_connections = 100
"

make_servers() {
  start_server ours
  as_user tee -a "$scratch/ours/data/postgresql.conf" >/dev/null <<<"$settings
metrics_refresh.max_workers = 8"
  stop_server ours
  start_server others
  as_user tee -a "$scratch/others/data/postgresql.conf" >/dev/null <<<"$settings
shared_preload_libraries = ''"
  stop_server others
  make_templates
}

turn() {
  local other=others
  [ "$1" != others ] || other=ours
  stop_server "$other"
  [ ! -f "$scratch/$1/data/postmaster.pid" ] || return 0
  as_user "$bindir/pg_ctl" -D "$scratch/$1/data" -l "$scratch/$1/server.log" -s -w start
}

ours() { local database=$1; shift; socket=$scratch/ours sql -d "$database" "$@"; }
others() { local database=$1; shift; socket=$scratch/others sql -d "$database" "$@"; }

# Each look is a transaction of its own, so that no snapshot is held meanwhile.
wait_inside() { # NAME DATABASE SECONDS CONDITION
  "$1" "$2" <<SQL
DO \$\$
BEGIN
  FOR i IN 1 .. 50 * $3 LOOP
    IF ($4) THEN RETURN; END IF;
    COMMIT;
    PERFORM pg_sleep(0.02);
  END LOOP;
  RAISE 'in vain, for $3 s: %', \$condition\$$4\$condition\$;
END \$\$;
SQL
}
ours_wait() { wait_inside ours "$@"; }
others_wait() { wait_inside others "$@"; }

fresh() { # NAME DATABASE TEMPLATE
  "$1" postgres -c 'SET client_min_messages = warning' -c "DROP DATABASE IF EXISTS $2 WITH (FORCE)"
  "$1" postgres -c "CREATE DATABASE $2 TEMPLATE $3 STRATEGY file_copy"
}

fresh_ours() {
  fresh ours "$1" ours_base
  ours "$1" -c "CALL register_types($workers)"
}

set_ours() {
  ours postgres -c "ALTER SYSTEM SET $1 = $2"
  ours postgres -c 'SELECT pg_reload_conf()' >/dev/null
}

record() {
  [ -n "$5" ] || die "no $4 of $2"
  echo "$1,$2,$3,$4,$5" >>"$raw/queue.csv"
}

# Nanoseconds from schedstat for those that live; clock ticks in the postmaster's stat for the others.
cpu_us() {
  local postmaster live ended
  postmaster=$(head -n 1 "$scratch/$1/data/postmaster.pid")
  live=$(cpu_of_pids "$postmaster" $(cat "/proc/$postmaster/task/$postmaster/children"))
  ended=$(awk '{ sub(/.*\) /, ""); print $14 + $15 }' "/proc/$postmaster/stat")
  echo $((live + ended * 1000000 / $(getconf CLK_TCK)))
}
cpu_of_pids() {
  local pid ns sum=0
  for pid; do
    { read -r ns _ <"/proc/$pid/schedstat"; } 2>/dev/null || continue
    sum=$((sum + ns / 1000))
  done
  echo "$sum"
}

cpu_of() {
  local name=$1 before
  shift
  before=$(cpu_us "$name")
  "$@"
  cpu_used=$(($(cpu_us "$name") - before))
}

wal_at() { "$1" postgres -At -c "SELECT pg_current_wal_insert_lsn() - '0/0'"; }

# The queue fills while its type is paused. Sets $rate, $cpu_used and $wal_used, of all these jobs.
drain_ours() { # DATABASE TYPE JOBS
  local wal
  ours "$1" -c "SELECT metrics_refresh.pause_job_type('$2')" -c "CALL fill('$2', $3)" -c CHECKPOINT >/dev/null
  wal=$(wal_at ours)
  cpu_of ours resume_and_wait "$1" "$2"
  wal_used=$(($(wal_at ours) - wal))
  rate=$(ours "$1" -At -v ON_ERROR_STOP=1 -c "SELECT drained('$2', $3)")
}
resume_and_wait() {
  ours "$1" -c "SELECT metrics_refresh.resume_job_type('$2')" >/dev/null
  ours_wait "$1" 120 "open_jobs('$2') = 0"
}

in_turn() {
  local round=$1 i words
  shift
  words=("$@")
  for ((i = 0; i < ${#words[@]}; ++i)); do echo "${words[$(((i + round) % ${#words[@]}))]}"; done
}
