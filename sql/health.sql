-- health_check: each check, from facts that are known; the limits, each a setting.
\set SHOW_CONTEXT never
CREATE SCHEMA he;
-- All is well.
SELECT check_name, severity, CASE WHEN check_name NOT IN ('scheduler', 'processes') THEN detail END AS detail, hint FROM metrics_refresh.health_check();
SELECT * FROM metrics_refresh.health_summary();

CREATE MATERIALIZED VIEW he.mv AS SELECT 1 AS one;
CREATE UNIQUE INDEX ON he.mv (one);
CREATE FUNCTION he.job(name text, schedule text DEFAULT '0 0 29 2 *') RETURNS bigint LANGUAGE sql AS
    $$ SELECT metrics_refresh.schedule('he.mv', schedule, job_name => name) $$;
CREATE FUNCTION he.log(job bigint, n bigint, status text, ms float8 DEFAULT 1, age interval DEFAULT '1 hour') RETURNS void LANGUAGE sql AS $$
    INSERT INTO metrics_refresh_internal.run_log (job_id, triggered_by, started_at, finished_at, duration_ms, status)
    SELECT job, 'schedule', now() - age, now() - age, ms, status FROM generate_series(1, n) $$;
CREATE FUNCTION he.found(wanted text) RETURNS TABLE (severity text, detail text, hint text) LANGUAGE sql VOLATILE AS
    $$ SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = wanted $$;

-- success_rate: 95 % is well, below it is a warning, below 80 % critical; running and skipped runs
-- and those before the window do not count.
SELECT he.log(he.job('r95'), 19, 'success'), he.log(he.job('r95'), 1, 'error'),
       he.log(he.job('r94'), 94, 'success'), he.log(he.job('r94'), 6, 'interrupted'),
       he.log(he.job('r80'), 4, 'success'), he.log(he.job('r80'), 1, 'canceled'),
       he.log(he.job('r79'), 79, 'success'), he.log(he.job('r79'), 21, 'error'),
       he.log(he.job('r0'), 1, 'error'), he.log(he.job('old'), 9, 'error', 1, '25 hours'),
       he.log(he.job('none'), 5, 'skipped');
SELECT * FROM he.found('success_rate');
INSERT INTO metrics_refresh_internal.job_state (job_id, last_error) SELECT job_id, 'division by zero' FROM metrics_refresh.job WHERE job_name = 'r0'
    ON CONFLICT (job_id) DO UPDATE SET last_error = EXCLUDED.last_error;
SET metrics_refresh.health_success_rate_warning = 80;
SET metrics_refresh.health_success_rate_critical = 10;
SELECT * FROM he.found('success_rate');
SET metrics_refresh.health_success_rate_warning = 0;
SET metrics_refresh.health_success_rate_critical = 0;
SELECT * FROM he.found('success_rate');
SET metrics_refresh.health_window = 48;
SET metrics_refresh.health_success_rate_warning = 50;
SELECT * FROM he.found('success_rate');
RESET metrics_refresh.health_window;
RESET metrics_refresh.health_success_rate_warning;
RESET metrics_refresh.health_success_rate_critical;
-- A paused job is nobody's worry.
SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job WHERE job_name LIKE 'r%';
SELECT * FROM he.found('success_rate');
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;

-- duration: the mean of the successful ones.
SELECT he.log(he.job('slow'), 1, 'success', 4000), he.log(he.job('slow'), 1, 'success', 6002), he.log(he.job('slow'), 9, 'error', 1),
       he.log(he.job('limit'), 2, 'success', 5000), he.log(he.job('failing'), 1, 'success', 1), he.log(he.job('failing'), 9, 'error', 99999);
SELECT * FROM he.found('duration');
SET metrics_refresh.health_duration_warning = '4999 ms';
SELECT * FROM he.found('duration');
RESET metrics_refresh.health_duration_warning;
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;

-- freshness: due times since the last success, or since the job is what it is. A yearly job has known
-- ones. What has been handled keeps the scheduler from making up for them.
SELECT he.job('j', '@yearly') AS j \gset
CREATE FUNCTION he.fresh(times int) RETURNS TABLE (severity text, detail text, hint text) LANGUAGE sql VOLATILE AS $$
    INSERT INTO metrics_refresh_internal.job_state (job_id, handled_until, last_success_at)
    SELECT job_id, clock_timestamp(), date_trunc('year', now(), 'UTC') - times * interval '1 year' + interval '1 s'
    FROM metrics_refresh.job WHERE job_name = 'j'
    ON CONFLICT (job_id) DO UPDATE SET handled_until = EXCLUDED.handled_until, last_success_at = EXCLUDED.last_success_at;
    UPDATE metrics_refresh_internal.job SET effective_from = '2000-01-01 00:00:00+00' WHERE job_name = 'j';
    SELECT severity, regexp_replace(detail, '\d+ days', 'N days'), hint FROM he.found('freshness') $$;
SELECT * FROM he.fresh(0);
SELECT * FROM he.fresh(1);
SELECT * FROM he.fresh(2);
SELECT * FROM he.fresh(3);
UPDATE metrics_refresh_internal.job_state SET last_error = 'the last one failed' WHERE job_id = :j;
SELECT * FROM he.fresh(10);
SET metrics_refresh.health_stale_warning = 5;
SET metrics_refresh.health_stale_critical = 8;
SELECT * FROM he.fresh(4);
SELECT * FROM he.fresh(5);
SELECT * FROM he.fresh(8);
RESET metrics_refresh.health_stale_warning;
RESET metrics_refresh.health_stale_critical;
UPDATE metrics_refresh_internal.job_state SET last_success_at = NULL, last_error = NULL WHERE job_id = :j;
SELECT * FROM he.found('freshness');
-- Not where it is paused, only triggered, suspended, or without its view, which has a finding of its own.
BEGIN;
SELECT metrics_refresh.pause('j');
SELECT * FROM he.found('freshness');
ROLLBACK;
BEGIN;
UPDATE metrics_refresh_internal.job SET schedule = NULL WHERE job_name = 'j';
SELECT * FROM he.found('freshness');
ROLLBACK;
BEGIN;
UPDATE metrics_refresh_internal.job_state SET suspended_at = now(), suspend_reason = 'for a reason' WHERE job_id = :j;
SELECT check_name, severity, detail FROM metrics_refresh.health_check() WHERE check_name IN ('freshness', 'suspended');
ROLLBACK;
BEGIN;
DROP MATERIALIZED VIEW he.mv;
SELECT check_name, severity, detail FROM metrics_refresh.health_check() WHERE check_name IN ('freshness', 'view_missing', 'unique_index');
ROLLBACK;
-- resume() counts from now on.
BEGIN;
SELECT metrics_refresh.resume('j');
SELECT * FROM he.found('freshness');
ROLLBACK;
SELECT metrics_refresh.unschedule('j');

-- unique_index: only where one is wanted; with the statement where there is a safe one.
CREATE MATERIALIZED VIEW he.none AS SELECT 1 AS one UNION ALL SELECT 1;
CREATE MATERIALIZED VIEW he.some AS SELECT count(*) AS "The Count" FROM pg_class;
SELECT metrics_refresh.schedule('he.none', strategy => 'concurrently') IS NOT NULL AS scheduled,
       metrics_refresh.schedule('he.some', strategy => 'concurrently') IS NOT NULL AS scheduled,
       metrics_refresh.schedule('he.some', job_name => 'full', strategy => 'full') IS NOT NULL AS scheduled;
SELECT * FROM he.found('unique_index');
-- One row of all: the worst, the numbers, every reason.
INSERT INTO metrics_refresh_internal.job (job_name, view_schema, view_name, owner) VALUES ('it''s nobody''s', 'he', 'gone', 'nobody');
SELECT * FROM metrics_refresh.health_summary() \gx
SELECT * FROM he.found('owner');
SELECT * FROM he.found('view_missing');
-- Others are told of what is theirs.
ALTER MATERIALIZED VIEW he.some OWNER TO regress_owner;
SET ROLE regress_owner;
SELECT check_name, severity, detail FROM metrics_refresh.health_check() WHERE severity <> 'ok';
SET ROLE regress_stranger;
SELECT check_name, severity, detail FROM metrics_refresh.health_check() WHERE severity <> 'ok';
SELECT status, warnings, criticals, reasons FROM metrics_refresh.health_summary();
RESET ROLE;
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;

-- log_retention, after a day and a half of grace for the clean-up.
SELECT he.log(NULL, 1, 'success', 1, '31 days');
SELECT * FROM he.found('log_retention');
SELECT he.log(NULL, 1, 'success', 1, '32 days');
SELECT * FROM he.found('log_retention');
SET metrics_refresh.log_retention = '40 d';
SELECT * FROM he.found('log_retention');
RESET metrics_refresh.log_retention;
TRUNCATE metrics_refresh_internal.run_log;

-- scheduler: five jobs want four workers.
SELECT metrics_refresh.schedule_command('sleeper ' || n, NULL, 'SELECT pg_sleep(600)') IS NOT NULL AS scheduled FROM generate_series(1, 5) n;
CREATE TABLE he.runs AS SELECT n, metrics_refresh.trigger('sleeper ' || n) AS run FROM generate_series(1, 5) n;
CALL tools.wait_until('SELECT count(*) = 4 FROM metrics_refresh.run_log WHERE status = ''running''');
CALL tools.wait_until('SELECT count(*) = 1 FROM he.found(''scheduler'') WHERE severity = ''warning''');
SELECT * FROM he.found('scheduler');
SELECT metrics_refresh.wait(run, '0') AS status, count(*) FROM he.runs GROUP BY 1 ORDER BY 1;
-- The fifth begins when one has ended.
SELECT metrics_refresh.cancel(min(run)) FROM he.runs WHERE metrics_refresh.wait(run, '0') = 'running';
CALL tools.wait_until('SELECT count(*) = 0 FROM he.runs WHERE metrics_refresh.wait(run, ''0'') = ''queued''');
CALL tools.wait_until('SELECT count(*) = 0 FROM he.found(''scheduler'') WHERE severity = ''warning''');
SELECT count(metrics_refresh.cancel(run)) FROM he.runs;
SELECT metrics_refresh.wait(run, '60 s') AS status, count(*) FROM he.runs GROUP BY 1;
-- Switched off. The reload reaches this session sooner or later.
ALTER SYSTEM SET metrics_refresh.enabled = off;
SELECT pg_reload_conf();
SELECT pg_sleep(0.1) AS slept \gset
SELECT current_setting('metrics_refresh.enabled') = 'off' AS done \gset
\if :done
\else
SELECT pg_sleep(5) AS slept \gset
\endif
SELECT * FROM he.found('scheduler');
ALTER SYSTEM RESET metrics_refresh.enabled;
SELECT pg_reload_conf();
SELECT pg_sleep(0.1) AS slept \gset
SELECT current_setting('metrics_refresh.enabled') = 'on' AS done \gset
\if :done
\else
SELECT pg_sleep(5) AS slept \gset
\endif
SELECT severity FROM he.found('scheduler');
-- And it goes on.
SELECT metrics_refresh.schedule('he.mv', job_name => 'on') IS NOT NULL AS scheduled;
CALL tools.run('on');

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA he CASCADE;
