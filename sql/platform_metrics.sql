-- The functions under the names that applications already call: for a view that appears after the
-- extension, with and without an index, broken, and gone again.
\set SHOW_CONTEXT never
SELECT metrics_refresh.alter_job('refresh-platform-metrics', schedule => '@yearly', active => true);

-- It does not exist yet: the job waits and says so; a refresh by hand is logged as an error, not raised.
CALL tools.run('refresh-platform-metrics');
SELECT refresh_platform_metrics_with_logging();
SELECT trigger_platform_metrics_refresh() - 'duration_ms' AS triggered;
SELECT job_name, view, owner, triggered_by, initiated_by, status, sqlstate, error_message, error_hint FROM tools.log ORDER BY n;
SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'view_missing';
SELECT total_refreshes, failed_refreshes, success_rate, last_error FROM get_metrics_refresh_stats();

-- It appears.
CREATE TABLE accounts AS SELECT g AS id, 100 / g AS worth FROM generate_series(1, 5) g;
CREATE MATERIALIZED VIEW platform_metrics AS SELECT count(*) AS accounts, sum(worth) AS worth FROM accounts;
CALL tools.run('refresh-platform-metrics');
SELECT refresh_platform_metrics_with_logging();
SELECT create_index FROM metrics_refresh.explain_refresh('platform_metrics') \gexec
INSERT INTO accounts VALUES (6, 1);
SELECT refresh_platform_metrics_with_logging();
SELECT r - 'duration_ms' AS triggered, jsonb_typeof(r -> 'duration_ms') AS duration, (r ->> 'duration_ms')::numeric >= 0 AS passed
FROM trigger_platform_metrics_refresh() r;
SELECT * FROM platform_metrics;
SELECT job_name, triggered_by, initiated_by, status, strategy, rows_total FROM tools.log ORDER BY n DESC LIMIT 4;
SELECT total_refreshes, successful_refreshes, failed_refreshes, success_rate, last_error, avg_duration_ms BETWEEN min_duration_ms AND max_duration_ms AS bounded
FROM get_metrics_refresh_stats();
SELECT view_name, status, completed_at >= started_at AS ended, created_at = started_at AS created FROM metrics_refresh_log ORDER BY id DESC LIMIT 1;

-- It is broken: nothing is raised, everything is told.
CREATE OR REPLACE FUNCTION broken(bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken' USING HINT = 'Mend it.'; END $$;
DROP MATERIALIZED VIEW platform_metrics;
CREATE MATERIALIZED VIEW platform_metrics AS SELECT public.broken(count(*)) AS accounts FROM accounts WITH NO DATA;
SELECT refresh_platform_metrics_with_logging();
SELECT trigger_platform_metrics_refresh() - 'duration_ms' AS triggered;
CALL tools.run('refresh-platform-metrics');
SELECT status, sqlstate, error_message, error_hint FROM tools.log ORDER BY n DESC LIMIT 3;
SELECT failed_refreshes, last_error FROM get_metrics_refresh_stats();

-- A plain view or a table of this name is no materialized view.
DROP MATERIALIZED VIEW platform_metrics;
CREATE VIEW platform_metrics AS SELECT 1 AS one;
CALL tools.run('refresh-platform-metrics');
SELECT trigger_platform_metrics_refresh() ->> 'message' AS message;
DROP VIEW platform_metrics;

-- By roles: the owner may refresh, but only an admin may trigger; and others not even log an attempt.
CREATE MATERIALIZED VIEW platform_metrics AS SELECT 1 AS one;
ALTER MATERIALIZED VIEW platform_metrics OWNER TO regress_owner;
SET ROLE regress_owner;
SELECT refresh_platform_metrics_with_logging();
SELECT tools.try('SELECT trigger_platform_metrics_refresh()');
CALL tools.run('refresh-platform-metrics');
SELECT job_name FROM metrics_refresh.job;
SET ROLE regress_stranger;
SELECT tools.try('SELECT refresh_platform_metrics_with_logging()');
SELECT tools.try('SELECT trigger_platform_metrics_refresh()');
RESET ROLE;
SELECT owner, initiated_by, status FROM tools.log ORDER BY n DESC LIMIT 2;
-- The caller's search_path does not decide which view is meant.
CREATE SCHEMA shadow;
CREATE MATERIALIZED VIEW shadow.platform_metrics AS SELECT 2 AS two;
SET search_path = shadow, public;
SELECT refresh_platform_metrics_with_logging();
RESET search_path;
SELECT view FROM tools.log ORDER BY n DESC LIMIT 1;

-- A default job can be removed, and does not come back by itself; it can be made anew.
SELECT metrics_refresh.unschedule('refresh-platform-metrics');
SELECT * FROM metrics_refresh_internal.removed_default_job;
SELECT job_name FROM metrics_refresh.job;
SELECT metrics_refresh.schedule('platform_metrics', '*/5 * * * *', job_name => 'refresh-platform-metrics', active => false) IS NOT NULL AS scheduled;
CALL tools.run('refresh-platform-metrics');
SELECT job_name, schedule, is_default FROM metrics_refresh.job ORDER BY job_name;

-- A restored dump writes over the default jobs that CREATE EXTENSION has just made: the same job
-- changed, one of the same name that is no longer the default, none at all.
BEGIN;
INSERT INTO metrics_refresh_internal.job (job_id, job_name, command, schedule, owner, is_default)
SELECT job_id, job_name, command, '0 3 * * *', owner, true FROM metrics_refresh.job WHERE job_name = 'cleanup-metrics-logs';
SELECT job_name, schedule, is_default FROM metrics_refresh.job ORDER BY job_name;
ROLLBACK;
BEGIN;
INSERT INTO metrics_refresh_internal.job (job_id, job_name, command, schedule, owner) VALUES (4711, 'cleanup-metrics-logs', 'SELECT 1', '0 4 * * *', 'postgres');
INSERT INTO metrics_refresh_internal.removed_default_job VALUES ('cleanup-metrics-logs');
SELECT job_name, schedule, is_default FROM metrics_refresh.job ORDER BY job_name;
ROLLBACK;
BEGIN;
INSERT INTO metrics_refresh_internal.removed_default_job VALUES ('cleanup-metrics-logs');
SELECT job_name, schedule, is_default FROM metrics_refresh.job ORDER BY job_name;
ROLLBACK;
-- Nothing else is written over: not by a job of another owner that has the name.
BEGIN;
INSERT INTO metrics_refresh_internal.job (job_id, job_name, command, schedule, owner) VALUES (4711, 'cleanup-metrics-logs', 'SELECT 1', '0 4 * * *', 'regress_stranger');
SELECT job_name, owner, is_default FROM metrics_refresh.job ORDER BY job_name, job_id;
ROLLBACK;
\set VERBOSITY terse
INSERT INTO metrics_refresh_internal.job (job_name, command, owner) VALUES ('refresh-platform-metrics', 'SELECT 1', 'postgres');
UPDATE metrics_refresh_internal.job SET is_default = true WHERE job_name = 'refresh-platform-metrics';
TRUNCATE metrics_refresh_internal.removed_default_job;

DROP SCHEMA shadow CASCADE;
DROP MATERIALIZED VIEW platform_metrics;
DROP TABLE accounts;
DROP FUNCTION broken(bigint);
TRUNCATE metrics_refresh_internal.run_log;
