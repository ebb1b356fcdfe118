# Sourced by bench/scheduler: the two servers and how to talk to them.
#
#   make_servers                 one with metrics_refresh, one with pg_cron; both are left stopped
#   up NAME [SETTING=VALUE...]   starts ours or cron, unless it is up, with settings of this time
#   down NAME
#   ours DATABASE ARGUMENTS      psql;  cron ARGUMENTS, in pg_cron's database
#   wait_in NAME DATABASE SECONDS CONDITION   waits inside the server: a new psql every time would
#                                             cost what is measured
#   of_base DATABASE             our extension in a database of its own, with the log that was asked for
#   load TABLE COLUMNS           the raw numbers of TABLE.csv as a table of the database report
#   judge DEMAND MEASURED MET    the last two are SQL expressions, and may be followed by FROM
#   processes NAME               the scheduler's processes there: their pids
#   cpu_ms PID..., wakeups PID...   of these processes together, so far

both_settings="
max_worker_processes = 64
max_connections = 100
autovacuum_naptime = 1h         # for both: its workers would come in between
"

make_servers() {
  start_server ours
  as_user tee -a "$scratch/ours/data/postgresql.conf" >/dev/null <<<"$both_settings"
  stop_server ours
  start_server cron
  as_user tee -a "$scratch/cron/data/postgresql.conf" >/dev/null <<<"$both_settings
shared_preload_libraries = 'pg_cron'
cron.max_running_jobs = 32
cron.host = '$scratch/cron'     # in the mode of connections: the socket"
  stop_server cron

  up cron
  cron -c 'CREATE EXTENSION pg_cron'
  # The library's may be a later one.
  cron_version=$(dpkg-query -W -f '${Version}' "postgresql-$(server_major)-cron" 2>/dev/null ||
    cron -At -c "SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'")
  down cron
  up ours
  ours postgres -c 'CREATE DATABASE report' -c 'CREATE DATABASE base'
  ours report -c 'CREATE TABLE verdict (nr serial, demand text, measured text, met boolean)'
  ours base -c 'CREATE EXTENSION metrics_refresh' \
    -c 'SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job' >/dev/null
  if [ "$log_rows" -gt 0 ]; then fill_log; fi
  down ours
}

# Rows as they would be after as many runs of a hundred commands, one a second.
fill_log() {
  say "$log_rows rows for the log"
  ours base -v rows="$log_rows" <<'SQL'
SET synchronous_commit = off;
INSERT INTO metrics_refresh_internal.run_log (job_id, job_name, command, owner, owner_oid, triggered_by, due_at,
    started_at, finished_at, duration_ms, status, strategy, rows_total, wal_bytes, buffers_hit, buffers_read, cpu_ms, worker_pid)
SELECT 1 + i % 100, 'command ' || i % 100, 'SELECT 1', 'postgres', 10, 'schedule', due, due + '1 ms', due + '2 ms', 1,
    'success', 'command', 1, 900, 30, 0, 0.7, 1 + i % 30000
FROM generate_series(1, :rows) i, LATERAL (SELECT now() - (:rows - i) * interval '1 second' AS due) d;
VACUUM ANALYZE metrics_refresh_internal.run_log;
CHECKPOINT;
SQL
}

up() {
  local name=$1 setting options=''
  shift
  [ ! -f "$scratch/$name/data/postmaster.pid" ] || return 0
  for setting; do options+=" -c $setting"; done
  as_user "$bindir/pg_ctl" -D "$scratch/$name/data" -l "$scratch/$name/server.log" -o "$options" -s -w start
}

down() { stop_server "$1"; }

ours() { local database=$1; shift; socket=$scratch/ours sql -d "$database" "$@"; }
cron() { socket=$scratch/cron sql -d postgres "$@"; }

server_major() { "$pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'; }

wait_in() {
  local name=$1 database=$2 seconds=$3 condition=$4
  socket=$scratch/$name sql -d "$database" <<SQL
DO \$\$
BEGIN
  FOR i IN 1 .. 2 * $seconds LOOP
    IF ($condition) THEN RETURN; END IF;
    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.5);
  END LOOP;
  RAISE 'in vain, for $seconds s: %', \$condition\$$condition\$condition\$;
END \$\$;
SQL
}

of_base() { ours postgres -c "CREATE DATABASE $1 TEMPLATE base STRATEGY file_copy"; }

load() {
  ours report -c 'SET client_min_messages = warning' -c "DROP TABLE IF EXISTS $1 CASCADE" -c "CREATE TABLE $1 ($2)"
  ours report -c "COPY $1 FROM STDIN CSV" <"$raw/$1.csv"
}

judge() { ours report -c "INSERT INTO verdict (demand, measured, met) SELECT '$1', $2, $3"; }

processes() {
  socket=$scratch/$1 sql -d postgres -At -c \
    "SELECT pid FROM pg_stat_activity WHERE backend_type ~ '^(pg_cron|metrics_refresh) (launcher|scheduler)$'"
}

# A process that has left is not there to be read.
of_processes() { # FILE AWK-PROGRAM PID...
  local file=$1 program=$2 pid
  shift 2
  for pid; do cat "/proc/$pid/$file" 2>/dev/null || true; done | awk "$program"
}
# Nanoseconds on a CPU; /proc/PID/stat counts in ticks of 10 ms.
cpu_ms() { of_processes schedstat '{ ns += $1 } END { printf "%.3f\n", ns / 1e6 }' "$@"; }
wakeups() { of_processes status '$1 == "voluntary_ctxt_switches:" { n += $2 } END { print n + 0 }' "$@"; }

conditions() {
  echo "conditions: PostgreSQL $(ours report -At -c "SHOW server_version"), pg_cron $cron_version," \
    "fsync $(ours report -At -c "SHOW fsync"), max_worker_processes 64, else as initdb leaves it"
  echo "            $cores cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load now $(cut -d' ' -f1-3 /proc/loadavg)"
}
