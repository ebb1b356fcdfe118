# A backend is killed so that the server is down while minute jobs are due. How long, from when both the
# server takes connections again and the job is due, until it runs? Where the run was faster than the
# kill, there is no telling.

crash() {
  local i
  up cron cron.use_background_workers=on
  up ours
  of_base crash
  : >"$raw/crash.csv"
  cron -c "SELECT cron.schedule('minutely', '* * * * *', 'SELECT 1')" >/dev/null
  ours crash -c "SELECT metrics_refresh.schedule_command('minutely', '* * * * *', 'SELECT 1')" >/dev/null
  for i in $(seq "$crashes"); do crash_once; done
  cron -c 'SELECT cron.unschedule(jobid) FROM cron.job' >/dev/null
  ours postgres -c 'DROP DATABASE crash WITH (FORCE)'
  down cron
  report_crash
  down ours
}

crash_once() {
  local due victims=()
  victim ours
  victim cron
  due=$((($(date +%s) + 62) / 60 * 60))
  sleep "$(awk "BEGIN { print $due - 0.4 - $EPOCHREALTIME }")"
  local before_ours before_cron
  before_ours=$(starts ours) before_cron=$(starts cron)
  kill -9 "${victims[@]}"
  is_back ours "$before_ours"
  is_back cron "$before_cron"
  first_run ours crash "$due" 'ours, every minute' started_at "metrics_refresh.run_log WHERE job_name = 'minutely'"
  first_run cron postgres "$due" 'pg_cron, every minute' start_time 'cron.job_run_details WHERE true'
}

# A session that does nothing, to be killed; its pid goes into victims.
victim() {
  socket=$scratch/$1 sql -d postgres -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 &
  wait_in "$1" postgres 10 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)')"
  victims+=("$(socket=$scratch/$1 sql -d postgres -At -c \
    "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")")
}

ready='database system is ready to accept connections'
starts() { grep -c "$ready" "$scratch/$1/server.log"; }
is_back() { # NAME STARTS-BEFORE
  local end=$((SECONDS + 60))
  until [ "$(starts "$1")" -gt "$2" ]; do
    [ "$SECONDS" -lt "$end" ] || die "$1 did not come back"
    sleep 0.1
  done
}

first_run() { # NAME DATABASE DUE SYSTEM COLUMN RUNS
  local name=$1 database=$2 due=$3 system=$4 column=$5 runs=$6 ready_at
  ready_at=$(grep "$ready" "$scratch/$name/server.log" | tail -1 | cut -d' ' -f1-3)
  wait_in "$name" "$database" 130 "SELECT EXISTS (SELECT FROM $runs AND $column >= '$ready_at')"
  socket=$scratch/$name sql -d "$database" -c "COPY (
    SELECT '$system', CASE WHEN bool_or($column BETWEEN moment.due AND moment.ready) THEN NULL
                      ELSE extract(epoch FROM min($column) FILTER (WHERE $column >= moment.ready)
                                              - greatest(moment.due, moment.ready)) * 1000 END,
           bool_or($column BETWEEN moment.due AND moment.due + interval '30 s')
    FROM (SELECT to_timestamp($due), timestamptz '$ready_at') moment (due, ready), $runs
    GROUP BY moment.due, moment.ready) TO STDOUT CSV" >>"$raw/crash.csv"
}

report_crash() {
  load crash 'system text, delay float8, served boolean'
  ours report <<SQL
\qecho after a crash over the due time: ms until the first run, from when the server is ready and the job is due
SELECT system, count(*) AS crashes, count(delay) AS told, count(*) FILTER (WHERE NOT served) AS "due times lost",
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY delay)::numeric) AS p50, round(max(delay)::numeric) AS max
FROM crash GROUP BY system ORDER BY system DESC;
SQL
  judge 'crash: no due time lost, the first run within 1.1 s' \
    "format('%s ms at most, %s lost', round(max(delay)), count(*) FILTER (WHERE NOT served))" \
    "bool_and(served) AND max(delay) <= 1100 FROM crash WHERE system LIKE 'ours%'"
}
