-- Looking at jobs and views: job_status, running, get_cron_job_status, view_status, and what health says
-- of groups, retries and views that were never populated. From facts that are written by hand.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE SCHEMA l;
CREATE MATERIALIZED VIEW l.own AS SELECT n FROM generate_series(1, 3) n;
CREATE UNIQUE INDEX ON l.own (n);
CREATE MATERIALIZED VIEW l.empty AS SELECT 1 AS one WITH NO DATA;
CREATE UNIQUE INDEX ON l.empty (one);
CREATE MATERIALIZED VIEW l.grouped AS SELECT 1 AS one;
CREATE UNIQUE INDEX ON l.grouped (one);
CREATE MATERIALIZED VIEW l.free AS SELECT 1 AS one;
ANALYZE l.own, l.free;
CREATE FUNCTION l.state(name text, VARIADIC facts text[]) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO metrics_refresh_internal.job_state (job_id) SELECT job_id FROM metrics_refresh.job WHERE job_name = name ON CONFLICT DO NOTHING;
    EXECUTE format('UPDATE metrics_refresh_internal.job_state SET %s WHERE job_id = (SELECT job_id FROM metrics_refresh.job WHERE job_name = %L)',
                   array_to_string(facts, ', '), name);
END $$;
CREATE FUNCTION l.log(view text, status text, age interval, total bigint DEFAULT NULL, error text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO metrics_refresh_internal.run_log (view_schema, view_name, triggered_by, started_at, finished_at, status, rows_total, error_message)
    VALUES ('l', view, 'manual', now() - age, now() - age, status, total, error) $$;

-- Each state a job can be in by itself.
SELECT metrics_refresh.schedule('l.own', '0 0 29 2 *') IS NOT NULL AS a, metrics_refresh.schedule('l.own', job_name => 'on demand') IS NOT NULL AS b,
       metrics_refresh.schedule('l.own', '0 0 29 2 *', job_name => 'ended', ends_at => '2020-01-01') IS NOT NULL AS c,
       metrics_refresh.schedule('l.own', '0 0 29 2 *', job_name => 'paused', active => false) IS NOT NULL AS d,
       metrics_refresh.schedule('l.own', '0 0 29 2 *', job_name => 'retrying') IS NOT NULL AS e,
       metrics_refresh.schedule('l.own', '0 0 29 2 *', job_name => 'suspended') IS NOT NULL AS f,
       metrics_refresh.schedule('l.own', '0 0 29 2 *', job_name => 'open', active => false) AS open,
       metrics_refresh.schedule_command('command', '0 0 29 2 *', 'SELECT 1') IS NOT NULL AS g,
       metrics_refresh.schedule_group('group', '{l.empty,l.grouped}', schedule => '0 0 29 2 *', populate => false) IS NOT NULL AS h \gset
INSERT INTO metrics_refresh_internal.job (job_name, view_schema, view_name, schedule, owner) VALUES ('waiting', 'l', 'not yet', '0 0 29 2 *', 'postgres');
SELECT l.state('retrying', 'last_finished_at = clock_timestamp()', $$retry_at = '2090-01-01'$$, 'retry_due = now()', 'retry_attempt = 3');
SELECT l.state('suspended', 'suspended_at = clock_timestamp()', $$suspend_reason = 'for a reason'$$);
INSERT INTO metrics_refresh_internal.group_run_member (group_run_id, member, job_id, view_schema, view_name, view_oid, waits_for)
    VALUES (0, 0, :open, 'l', 'own', 0, '{}');
BEGIN;
SELECT metrics_refresh.trigger('paused') IS NOT NULL AS queued;
SELECT job_name, kind, state, next_due IS NOT NULL AS is_due, retry_at, attempt, suspend_reason
FROM metrics_refresh.job_status WHERE NOT job_name LIKE '%metrics%' ORDER BY job_name COLLATE "C";
ROLLBACK;
SELECT job_name, state FROM metrics_refresh.job_status WHERE job_name = 'paused';
DELETE FROM metrics_refresh_internal.group_run_member;
-- A retry from before somebody rescheduled the job is over.
BEGIN;
SELECT metrics_refresh.alter_job('retrying', schedule => '0 0 28 2 *');
SELECT state, retry_at, attempt FROM metrics_refresh.job_status WHERE job_name = 'retrying';
ROLLBACK;
-- A view that was renamed is there.
ALTER MATERIALIZED VIEW l.own RENAME TO renamed;
SELECT state FROM metrics_refresh.job_status WHERE job_name = 'l.own';
ALTER MATERIALIZED VIEW l.renamed RENAME TO own;

-- As cron's would be listed.
SELECT l.state('l.own', $$last_status = 'success'$$, $$last_started_at = '2026-01-01 00:00:00'$$, $$last_finished_at = '2026-01-01 00:00:01.2345'$$);
SELECT l.state('ended', $$last_status = 'running'$$, $$last_started_at = '2026-01-01 00:00:00'$$, $$last_finished_at = '2025-01-01 00:00:01'$$);
SELECT metrics_refresh.schedule('l.own', job_name => 'concurrently', strategy => 'concurrently') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_group('schema', schema_name => 'l', populate => false) IS NOT NULL AS scheduled;
SELECT job_name, schedule, command, active, last_run, last_status, last_duration_ms, next_run > now() AS is_due
FROM metrics_refresh.get_cron_job_status() WHERE job_name <> 'cleanup-metrics-logs'; -- it may have run
SELECT metrics_refresh.unschedule('schema');

-- view_status: rows as last logged, else estimated; the job of its own before a group; how fresh.
SELECT l.log('own', 'success', '2 hours', 42), l.log('own', 'error', '1 hour', NULL, 'broken');
SELECT view_name, owner, is_populated, row_count, total_bytes > 0 AS has_size, age >= '2 hours' AS is_old, last_refresh_at < now() AS refreshed,
       last_status, last_error, freshness, job_name, next_due > now() AS is_due
FROM metrics_refresh.view_status() WHERE view_schema = 'l' \gx
SELECT total_bytes = pg_total_relation_size(format('%I.%I', view_schema, view_name)::regclass) AS right_size
FROM metrics_refresh.view_status() WHERE view_schema = 'l';
-- Stale: so many due times without a success of the view's, whoever refreshed it.
UPDATE metrics_refresh_internal.job SET schedule = '@yearly', effective_from = '2000-01-01' WHERE job_name IN ('l.own', 'group');
INSERT INTO metrics_refresh_internal.job_state (job_id, handled_until) SELECT job_id, now() FROM metrics_refresh.job WHERE job_name IN ('l.own', 'group')
    ON CONFLICT (job_id) DO UPDATE SET handled_until = EXCLUDED.handled_until;
SELECT view_name, freshness FROM metrics_refresh.view_status() WHERE view_schema = 'l';
SELECT l.log('grouped', 'success', now() - date_trunc('year', now()) + interval '1 s', 7);
SELECT view_name, freshness FROM metrics_refresh.view_status() WHERE view_schema = 'l';
SET metrics_refresh.health_stale_warning = 1;
SELECT view_name, freshness FROM metrics_refresh.view_status() WHERE view_schema = 'l';
RESET metrics_refresh.health_stale_warning;
SELECT metrics_refresh.pause('group');
SELECT view_name, freshness, job_name, next_due FROM metrics_refresh.view_status() WHERE view_name IN ('empty', 'grouped');
SELECT metrics_refresh.resume('group');
UPDATE metrics_refresh_internal.job SET effective_from = '2000-01-01' WHERE job_name = 'group';

-- Health of the group and of each of its views, of retries, and of what was never populated.
SELECT l.state('group', $$last_status = 'error'$$, $$last_finished_at = now()$$, $$last_error = '1 of 2 views failed'$$, 'last_run_id = 1000000');
INSERT INTO metrics_refresh_internal.run_log (run_id, job_id, triggered_by, started_at, finished_at, status, attempt)
    SELECT 1000000, job_id, 'retry', now(), now(), 'error', 4 FROM metrics_refresh.job WHERE job_name = 'group';
SELECT l.log('empty', 'error', '5 min', NULL, 'no space left');
SELECT check_name, severity, regexp_replace(detail, '\d+ days', 'N days') AS detail, hint FROM metrics_refresh.health_check()
WHERE check_name IN ('populated', 'retries', 'freshness') AND (detail LIKE '%group%' OR check_name <> 'freshness');
SELECT metrics_refresh.alter_job('group', max_retries => 4);
SELECT check_name, severity FROM metrics_refresh.health_check() WHERE check_name = 'retries';
INSERT INTO metrics_refresh_internal.job_member SELECT job_id, 'l', 'not yet' FROM metrics_refresh.job WHERE job_name = 'group';
SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'view_missing';
SELECT job, total_refreshes, failed_refreshes FROM metrics_refresh.get_refresh_stats(job_name => 'group');

-- Each sees his own: the owner of a view, the owner of the group, the stranger nothing.
ALTER MATERIALIZED VIEW l.free OWNER TO regress_owner;
SET ROLE regress_owner;
SELECT view_name, owner, freshness, job_name FROM metrics_refresh.view_status();
SELECT job_name, state FROM metrics_refresh.job_status;
SELECT job_name FROM metrics_refresh.get_cron_job_status();
SELECT count(*) FROM metrics_refresh.waiting_runs();
SET ROLE regress_stranger;
SELECT count(*) FROM metrics_refresh.view_status();
SELECT count(*) FROM metrics_refresh.running;
RESET ROLE;
SET metrics_refresh.admin_role = 'regress_admins';
SET ROLE regress_admin;
SELECT view_name, owner FROM metrics_refresh.view_status() WHERE view_schema = 'l';
RESET ROLE;
RESET metrics_refresh.admin_role;

-- It waits for no lock: not for a view that is being refreshed in full, nor for an index. The other
-- session is a worker, which holds them until the gate opens.
SELECT metrics_refresh.schedule_command('holder', NULL, 'REFRESH MATERIALIZED VIEW l.own; REINDEX INDEX l.grouped_one_idx;
    SELECT pg_advisory_xact_lock(4713)') IS NOT NULL AS scheduled;
SELECT pg_advisory_lock(4713);
SELECT metrics_refresh.trigger('holder') AS run \gset
CALL tools.wait_until('SELECT count(*) = 1 FROM pg_locks WHERE locktype = ''advisory'' AND NOT granted');
SET statement_timeout = '30 s';
SELECT view_name, row_count, total_bytes > 0 AS has_size FROM metrics_refresh.view_status() WHERE view_schema = 'l';
SELECT job_name, state FROM metrics_refresh.job_status WHERE job_name IN ('holder', 'l.own') ORDER BY 1;
SELECT count(*) > 0 AS checked FROM metrics_refresh.health_check();
RESET statement_timeout;
SELECT pg_advisory_unlock(4713);
SELECT metrics_refresh.wait(:run, '60 s');
SELECT status, sqlstate, error_message FROM metrics_refresh.run_log WHERE run_id = :run;

-- What waits for a worker is shown as queued: six runs want four workers.
SELECT metrics_refresh.schedule_command('sleeper ' || n, NULL, 'SELECT pg_sleep(600)', priority => n) IS NOT NULL AS scheduled FROM generate_series(1, 6) n;
CREATE TABLE l.runs AS SELECT n, metrics_refresh.trigger('sleeper ' || n) AS run FROM generate_series(1, 6) n;
CALL tools.wait_until('SELECT count(*) FILTER (WHERE state = ''running'') = 4 AND count(*) FILTER (WHERE state = ''queued'') = 2 FROM metrics_refresh.running');
SELECT state, count(*), count(worker_pid) AS workers, count(elapsed) AS begun FROM metrics_refresh.running GROUP BY 1 ORDER BY 1;
SELECT state, count(*) FROM metrics_refresh.job_status WHERE job_name LIKE 'sleeper%' GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM metrics_refresh.waiting_runs();
SELECT severity, detail FROM metrics_refresh.health_check() WHERE check_name = 'scheduler';
SET ROLE regress_stranger;
SELECT count(*) FROM metrics_refresh.waiting_runs();
RESET ROLE;
SELECT count(metrics_refresh.cancel(run)) FROM l.runs;
CALL tools.wait_until('SELECT count(*) = 0 FROM metrics_refresh_internal.active_run');

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA l CASCADE;
