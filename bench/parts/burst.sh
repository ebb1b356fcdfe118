# Jobs that are due together, `SELECT 1` each. pg_cron's run at a minute; ours would wait for it as well,
# but an eighth of the seconds since 1970 is an interval too, and is due once, at a multiple of 8 s.

burst() {
  local round count
  : >"$raw/burst.csv"
  for round in $(seq "$rounds"); do
    for count in $running; do burst_of_cron "pg_cron, $count background workers" on "$count" "$round"; done
    for count in $workers; do burst_of_ours "$count" "$round"; done
    for count in $running; do burst_of_cron "pg_cron, $count connections" off "$count" "$round"; done
  done
  up ours
  report_burst
}

burst_of_cron() { # NAME cron.use_background_workers cron.max_running_jobs ROUND
  local due
  up cron "cron.use_background_workers=$2" "cron.max_running_jobs=$3"
  # Long enough before for a thousand jobs to be scheduled and read.
  due=$(cron -At -c "SELECT date_trunc('minute', now() + interval '68 s')")
  cron -v due="$due" -v jobs="$jobs" <<'SQL' >/dev/null
SELECT cron.schedule('burst ' || i, to_char(:'due'::timestamptz AT TIME ZONE 'UTC', 'FMMI FMHH24 * * *'), 'SELECT 1')
FROM generate_series(1, :jobs) i;
CHECKPOINT;
SQL
  local of_burst="cron.job_run_details WHERE start_time >= '$due' AND status IN ('succeeded', 'failed')"
  wait_in cron postgres 300 "SELECT count(*) >= $jobs FROM $of_burst"
  cron -c "COPY (SELECT '$1', $4, extract(epoch FROM start_time - '$due') * 1000,
                        extract(epoch FROM end_time - '$due') * 1000, status = 'succeeded' FROM $of_burst)
           TO STDOUT CSV" >>"$raw/burst.csv"
  cron -c 'SELECT cron.unschedule(jobid) FROM cron.job' >/dev/null
  down cron
}

burst_of_ours() { # max_workers ROUND
  local due
  up ours "metrics_refresh.max_workers=$1"
  of_base burst
  due=$(ours burst -At -c "SELECT to_timestamp(ceil(extract(epoch FROM now() + interval '4 s') / 8) * 8)")
  ours burst -v due="$due" -v jobs="$jobs" <<'SQL' >/dev/null
SELECT metrics_refresh.schedule_command('burst ' || i, extract(epoch FROM :'due'::timestamptz)::bigint / 8 || ' seconds',
                                        'SELECT 1')
FROM generate_series(1, :jobs) i;
CHECKPOINT;
SQL
  wait_in ours burst 300 "SELECT count(*) >= $jobs FROM metrics_refresh.run_log WHERE finished_at IS NOT NULL"
  ours burst -c "COPY (SELECT 'ours, $1 workers', $2, extract(epoch FROM started_at - '$due') * 1000,
                              extract(epoch FROM finished_at - '$due') * 1000, status = 'success' AND due_at = '$due'
                       FROM metrics_refresh.run_log) TO STDOUT CSV" >>"$raw/burst.csv"
  ours postgres -c 'DROP DATABASE burst WITH (FORCE)'
  down ours
}

report_burst() {
  load burst 'system text, round int, late float8, ended float8, good boolean'
  ours report <<SQL
CREATE OR REPLACE VIEW of_burst AS
  SELECT system, round, count(*) FILTER (WHERE good) AS logged, count(*) / max(ended) * 1000 AS per_second,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY late) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY late) AS p95,
         max(late) AS most
  FROM burst GROUP BY system, round;
CREATE OR REPLACE VIEW of_system AS
  SELECT system, min(logged) AS logged, percentile_cont(0.5) WITHIN GROUP (ORDER BY per_second) AS per_second,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY b.p50) AS p50, percentile_cont(0.5) WITHIN GROUP (ORDER BY b.p95) AS p95,
         max(most) AS most,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY per_second / other.speed) AS faster,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY other.p95 / b.p95) AS earlier
  FROM of_burst b JOIN (SELECT DISTINCT ON (round) round, per_second AS speed, p95 FROM of_burst
                        WHERE system LIKE 'pg_cron%' ORDER BY round, per_second DESC) other USING (round)
  GROUP BY system;
\qecho $jobs jobs due together, medians of $rounds round(s); late, p95, max: ms; times: the better mode of pg_cron in the round
SELECT system, logged AS "logged, at least", round(per_second::numeric, 1) AS "runs/s", round(p50) AS "late p50", round(p95) AS p95,
       round(most) AS max, round(faster::numeric, 2) AS "times the runs/s", round(earlier::numeric, 2) AS "times earlier (p95)"
FROM of_system ORDER BY system DESC;
INSERT INTO verdict (demand, measured, met)
SELECT format('burst, %s: all logged, 10 times pg_cron''s runs/s, a tenth of its lateness (p95)', system),
       format('%s logged, %s times, 1/%s', logged, round(faster::numeric, 1), round(earlier::numeric, 1)),
       logged = $jobs AND faster >= 10 AND earlier >= 10
FROM of_system WHERE system LIKE 'ours%' ORDER BY substring(system FROM '\d+')::int;
SQL
}
