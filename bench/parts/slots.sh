# A job every second. pg_cron 1.4, which Debian has, knows no seconds.

slots() {
  up ours
  of_base slots
  ours slots -c "SELECT metrics_refresh.schedule_command('each second', '1 second', 'SELECT 1')" >/dev/null
  local runs="metrics_refresh.run_log WHERE job_name = 'each second' AND finished_at IS NOT NULL"
  wait_in ours slots $((slots + 60)) "SELECT max(due_at) - min(due_at) >= interval '$slots s' FROM $runs"
  ours slots -c "COPY (SELECT due_at, extract(epoch FROM started_at - due_at) * 1000, missed
                       FROM $runs ORDER BY due_at, started_at) TO STDOUT CSV" >"$raw/slots.csv"
  ours postgres -c 'DROP DATABASE slots WITH (FORCE)'
  report_slots
  down ours
}

# A drift is a lateness that grows. The first due time opens the window and is not of it: the job's processes started with it.
report_slots() {
  load slots 'due timestamptz, late float8, missed bigint'
  ours report <<SQL
CREATE OR REPLACE VIEW of_slots AS
  WITH place AS (SELECT *, ntile(4) OVER (ORDER BY due) AS quarter FROM slots WHERE due > (SELECT min(due) FROM slots))
  SELECT extract(epoch FROM max(due) - min(due))::int + 1 AS due_times, count(DISTINCT due) AS served,
         count(*) - count(DISTINCT due) AS doubled, sum(missed) AS counted,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY late)::numeric AS p50,
         percentile_cont(0.95) WITHIN GROUP (ORDER BY late)::numeric AS p95, max(late)::numeric AS most,
         (percentile_cont(0.5) WITHIN GROUP (ORDER BY late) FILTER (WHERE quarter = 4)
          - percentile_cont(0.5) WITHIN GROUP (ORDER BY late) FILTER (WHERE quarter = 1))::numeric AS drift
  FROM place;
\qecho a job every second, $log_rows rows in our log before: lateness in ms; drift from the first to the last quarter (medians)
SELECT due_times AS slots, served, counted AS "counted as missed", doubled, round(p50, 2) AS "late p50", round(p95, 2) AS p95,
       round(most, 2) AS max, round(drift, 2) AS drift
FROM of_slots;
SQL
  judge 'slots: none lost, none doubled, no drift (below 1 ms)' \
    "format('%s of %s, %s counted as missed, drift %s ms', served, due_times, counted, round(drift, 2))" \
    'served + counted >= due_times AND doubled = 0 AND drift < 1 FROM of_slots'
}
