# Very many jobs that are due in half a year: what the scheduler's processes do meanwhile, and what one
# more schedule() costs them. The jobs are added a second apart, for pg_cron reads its jobs once a second.

added=20
idle_seconds=60

dormant() {
  up cron
  up ours
  of_base dormant
  : >"$raw/dormant.csv"
  many_of_cron 1 10000
  many_of_ours 1 10000
  adding cron 10000 &
  adding ours 10000
  wait $!
  many_of_ours 10001 100000
  adding ours 100000

  # Ours stays in a database of so many jobs, asleep.
  settle ours
  idle cron 10000 &
  idle ours 100000
  wait $!
  returning
  cron -c 'SELECT cron.unschedule(jobid) FROM cron.job' >/dev/null
  ours postgres -c 'DROP DATABASE dormant WITH (FORCE)'
  down cron
  report_dormant
  down ours
}

note() { echo "$1,$2,$3,$4" >>"$raw/dormant.csv"; } # NAME JOBS WHAT VALUE

# i is the job's name.
in_half_a_year="to_char(now() + interval '6 months', '\"0 0 1\" FMMM \"*\"'), 'SELECT 1'"
schedule_ours="metrics_refresh.schedule_command(i, $in_half_a_year)"
schedule_cron="cron.schedule(i, $in_half_a_year)"

many_of_ours() { ours dormant -c "SELECT count($schedule_ours) FROM (SELECT 'dormant ' || generate_series($1, $2) AS i) n" >/dev/null; }
many_of_cron() { cron -c "SELECT count($schedule_cron) FROM (SELECT 'dormant ' || generate_series($1, $2) AS i) n" >/dev/null; }

# Waits until the scheduler has read what there is to read: until its processes, of which new ones may
# have come, rest for four seconds.
settle() {
  local before now=0
  while
    before=$now
    sleep 4
    now=$(cpu_ms $(processes "$1"))
    awk "BEGIN { exit !($now - $before > 20) }"
  do :; done
}

has_scheduler="EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler')"

adding() { # NAME JOBS
  local pid database=postgres call=$schedule_cron began i used=0
  local -A before=()
  if [ "$1" = ours ]; then
    database=dormant call=$schedule_ours
    wait_in ours postgres 10 "SELECT $has_scheduler"
  fi
  settle "$1"
  for pid in $(processes "$1"); do before[$pid]=$(cpu_ms "$pid"); done
  began=$EPOCHREALTIME
  for i in $(seq "$added"); do echo "SELECT ${call/(i,/(\'one more of $2: $i\',}; SELECT pg_sleep(1.1);"; done |
    socket=$scratch/$1 sql -d "$database" -f - >/dev/null
  for pid in "${!before[@]}"; do # another database's scheduler may have left
    if [ -e "/proc/$pid" ]; then used="$used + $(cpu_ms "$pid") - ${before[$pid]}"; fi
  done
  note "$1" "$2" added_cpu_ms "$(awk "BEGIN { print $used }")"
  note "$1" "$2" added_seconds "$(awk "BEGIN { print $EPOCHREALTIME - $began }")"
}

idle() { # NAME JOBS
  local pids cpu wakes
  mapfile -t pids < <(processes "$1")
  cpu=$(cpu_ms "${pids[@]}") wakes=$(wakeups "${pids[@]}")
  sleep "$idle_seconds"
  note "$1" "$2" idle_wakeups "$(($(wakeups "${pids[@]}") - wakes))"
  note "$1" "$2" idle_cpu_ms "$(awk "BEGIN { print $(cpu_ms "${pids[@]}") - $cpu }")"
  note "$1" "$2" idle_processes "${#pids[@]}"
}

# Another scheduler starts, and reads all jobs.
returning() {
  local ended
  ended=$(ours postgres -At -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'")
  ours postgres -c "SELECT pg_terminate_backend($ended)" >/dev/null
  wait_in ours postgres 20 "SELECT ${has_scheduler/%)/ AND pid <> $ended)}"
  settle ours
  note ours 100000 returning_cpu_ms "$(cpu_ms $(ours postgres -At -c \
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'"))"
}

report_dormant() {
  load dormant 'system text, jobs int, what text, value float8'
  ours report <<SQL
CREATE OR REPLACE VIEW of_dormant AS
  WITH d AS (
    SELECT system, jobs, max(value) FILTER (WHERE what = 'idle_wakeups') * 60 / $idle_seconds AS wakeups,
           max(value) FILTER (WHERE what = 'idle_cpu_ms') * 60 / $idle_seconds AS cpu,
           max(value) FILTER (WHERE what = 'idle_processes') AS processes,
           max(value) FILTER (WHERE what = 'added_cpu_ms') AS added_cpu,
           max(value) FILTER (WHERE what = 'added_seconds') AS added_seconds,
           max(value) FILTER (WHERE what = 'returning_cpu_ms') AS reading
    FROM dormant GROUP BY system, jobs)
  SELECT system, jobs, processes, wakeups, cpu::numeric, reading::numeric,
         -- What the processes would have used all the same is not the calls'.
         ((added_cpu - coalesce(cpu, 0) / 60 * added_seconds) / $added)::numeric AS per_call
  FROM d;
\qecho dormant jobs, over $idle_seconds s; a call: one more schedule(), $added a second apart; CPU in ms, of the scheduler alone
SELECT CASE system WHEN 'cron' THEN 'pg_cron' ELSE system END AS system, jobs, processes, wakeups AS "wake-ups a minute",
       round(cpu, 2) AS "CPU a minute", round(per_call, 3) AS "CPU a call", round(reading, 1) AS "to read all again"
FROM of_dormant ORDER BY system, jobs;
SQL
  judge 'dormant: no wake-up a minute with 100,000 jobs' "wakeups::text" \
    "wakeups = 0 FROM of_dormant WHERE system = 'ours' AND jobs = 100000"
  judge 'dormant: schedule() costs the scheduler less than 1 ms of CPU at 100,000 jobs' "round(per_call, 3) || ' ms'" \
    "per_call < 1 FROM of_dormant WHERE system = 'ours' AND jobs = 100000"
}
