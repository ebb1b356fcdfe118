# A job alone on its server: by the minute beside pg_cron, and every 5 seconds in a database of its own.
# All are due at the full minute, and so share the machine's cores at that moment.

lone() {
  up cron cron.use_background_workers=on
  up ours
  of_base by_minute
  of_base by_seconds
  cron -c "SELECT cron.schedule('lone', '* * * * *', 'SELECT 1')" >/dev/null
  ours by_minute -c "SELECT metrics_refresh.schedule_command('lone', '* * * * *', 'SELECT 1')" >/dev/null
  ours by_seconds -c "SELECT metrics_refresh.schedule_command('lone', '5 seconds', 'SELECT 1')" >/dev/null
  wait_in cron postgres $((minutes * 60 + 120)) "SELECT count(*) >= $minutes FROM cron.job_run_details r
    JOIN cron.job j USING (jobid) WHERE j.jobname = 'lone' AND r.end_time IS NOT NULL"
  wait_in ours by_minute 60 "SELECT count(*) >= $minutes FROM metrics_refresh.run_log
    WHERE job_name = 'lone' AND finished_at IS NOT NULL"
  {
    cron -c "COPY (SELECT 'pg_cron, every minute', extract(epoch FROM start_time - date_trunc('minute', start_time)) * 1000
             FROM cron.job_run_details r JOIN cron.job j USING (jobid) WHERE j.jobname = 'lone') TO STDOUT CSV"
    lateness by_minute 'ours, every minute'
    lateness by_seconds 'ours, every 5 seconds'
  } >"$raw/lone.csv"
  cron -c 'SELECT cron.unschedule(jobid) FROM cron.job' >/dev/null
  ours postgres -c 'DROP DATABASE by_minute WITH (FORCE)' -c 'DROP DATABASE by_seconds WITH (FORCE)'
  down cron
  report_lone
  down ours
}

lateness() { # DATABASE NAME
  ours "$1" -c "COPY (SELECT '$2', extract(epoch FROM started_at - due_at) * 1000 FROM metrics_refresh.run_log
                      WHERE job_name = 'lone') TO STDOUT CSV"
}

report_lone() {
  load lone 'system text, late float8'
  ours report <<SQL
CREATE OR REPLACE VIEW of_lone AS
  SELECT system, count(*) AS runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY late)::numeric AS p50,
         percentile_cont(0.95) WITHIN GROUP (ORDER BY late)::numeric AS p95, max(late)::numeric AS most
  FROM lone GROUP BY system;
\qecho a job alone, $minutes minutes, $log_rows rows in our log before: lateness in ms
SELECT l.system, l.runs, round(l.p50, 2) AS p50, round(l.p95, 2) AS p95, round(l.most, 2) AS max,
       round(c.p50 / l.p50, 2) AS "times earlier (p50)", round(c.p95 / l.p95, 2) AS "(p95)"
FROM of_lone l, of_lone c WHERE c.system LIKE 'pg_cron%' ORDER BY l.system DESC;
INSERT INTO verdict (demand, measured, met)
SELECT format('lone, %s: late by at most 2 ms (p50), 10 ms (p95)', system),
       format('%s and %s ms of %s runs', round(p50, 2), round(p95, 2), runs), p50 <= 2 AND p95 <= 10
FROM of_lone WHERE system LIKE 'ours%' ORDER BY system DESC;
SQL
}
