-- Numbers from rows that are known, and the removal of old ones.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never
CREATE SCHEMA st;
CREATE MATERIALIZED VIEW st.a AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW st.b AS SELECT 1 AS one;
ALTER MATERIALIZED VIEW st.b OWNER TO regress_owner;
SELECT metrics_refresh.schedule('st.a', job_name => 'a') AS a \gset
SELECT metrics_refresh.schedule('st.b', job_name => 'b') AS b \gset

-- Nothing has run: counts are zero, everything else is unknown, not zero.
SELECT * FROM get_metrics_refresh_stats() \gx
SELECT * FROM metrics_refresh.get_refresh_stats() WHERE job IN ('a', 'b') ORDER BY job \gx

-- A row of platform_metrics, without or with a job, is counted by view; one of another schema is not.
CREATE FUNCTION st.log(job bigint, view text, age interval, status text, ms float8, error text DEFAULT NULL, schema text DEFAULT 'public')
    RETURNS int LANGUAGE sql AS $$
    INSERT INTO metrics_refresh_internal.run_log (job_id, job_name, view_schema, view_name, owner, triggered_by, started_at,
                                         finished_at, duration_ms, status, error_message)
    VALUES (job, NULL, schema, view, 'postgres', 'schedule', now() - age,
            CASE WHEN status <> 'running' THEN now() - age + coalesce(ms, 0) * interval '1 ms' END, ms, status, error)
    RETURNING 1 $$;
SELECT count(st.log(NULL, 'platform_metrics', n * interval '10 minutes', 'success', n * 100)) FROM generate_series(1, 7) n;
SELECT st.log(1, 'platform_metrics', '15 minutes', 'error', 1000.1234, 'the latest error'),
       st.log(NULL, 'platform_metrics', '25 minutes', 'canceled', 50, 'an earlier one'),
       st.log(NULL, 'platform_metrics', '35 minutes', 'interrupted', NULL, 'a crash'),
       st.log(NULL, 'platform_metrics', '1 minute', 'running', NULL),
       st.log(NULL, 'platform_metrics', '2 minutes', 'skipped', 0, 'no view'),
       st.log(NULL, 'platform_metrics', '30 hours', 'error', 99999, 'long ago'),
       st.log(NULL, 'other', '5 minutes', 'error', 77777, 'of another view'),
       st.log(NULL, 'platform_metrics', '5 minutes', 'error', 88888, 'of another schema', 'st');
SELECT total_refreshes, successful_refreshes, failed_refreshes, success_rate, avg_duration_ms, max_duration_ms,
       min_duration_ms, last_error
FROM get_metrics_refresh_stats() \gx
SELECT total_refreshes, failed_refreshes, success_rate, max_duration_ms FROM get_metrics_refresh_stats(48);
SELECT total_refreshes, success_rate, last_error FROM get_metrics_refresh_stats(1);
SELECT total_refreshes FROM get_metrics_refresh_stats(p_hours => 2147483647);
BEGIN;
SELECT st.log(NULL, 'platform_metrics', '1 second', 'success', 1);
SELECT now() - last_refresh_at AS last_refresh_was_ago FROM get_metrics_refresh_stats();
ROLLBACK;

-- By job: the same rules; running and skipped runs are none.
SELECT count(st.log(:a, 'a', n * interval '1 minute', 'success', n)) FROM generate_series(1, 2) n;
SELECT st.log(:a, 'a', '3 minutes', 'error', 3, 'broken'), st.log(:a, 'a', '4 minutes', 'skipped', 0),
       st.log(:a, 'a', '5 minutes', 'running', NULL), st.log(:b, 'b', '5 minutes', 'success', 0.0004);
SELECT job, total_refreshes, successful_refreshes, failed_refreshes, success_rate, avg_duration_ms, max_duration_ms, min_duration_ms, last_error
FROM metrics_refresh.get_refresh_stats() WHERE job IN ('a', 'b') ORDER BY job \gx
SELECT job, total_refreshes FROM metrics_refresh.get_refresh_stats(job_name => 'a', hours => 1);
SELECT count(*) FROM metrics_refresh.get_refresh_stats(24, 'no such job');
-- The one that may be meant.
SELECT metrics_refresh.schedule_command('of the night', NULL, 'SELECT 1') IS NOT NULL AS made;
SELECT count(*) FROM metrics_refresh.get_refresh_stats(24, 'of the nigth');
SELECT metrics_refresh.unschedule('of the nigth');
SELECT metrics_refresh.unschedule('of the night');
SELECT job, total_refreshes FROM metrics_refresh.get_refresh_stats(2147483647, 'b');
-- Each sees the numbers of what he may see.
SET ROLE regress_owner;
SELECT job, total_refreshes FROM metrics_refresh.get_refresh_stats();
SELECT total_refreshes, last_error FROM get_metrics_refresh_stats();
RESET ROLE;
-- The view under the names that applications read.
SELECT id IS NOT NULL AS has_id, view_name, status, completed_at - started_at AS took, duration_ms, error_message, created_at = started_at AS created
FROM metrics_refresh_log WHERE view_schema = 'public' ORDER BY started_at DESC LIMIT 4;
SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'metrics_refresh_log' ORDER BY ordinal_position;

-- Wrong input.
\a \t
SELECT q || ' -> ' || tools.try('SELECT ' || q) FROM unnest(ARRAY[
    'get_metrics_refresh_stats(0)', 'get_metrics_refresh_stats(-1)', 'get_metrics_refresh_stats(NULL)',
    'metrics_refresh.get_refresh_stats(0)', 'metrics_refresh.get_refresh_stats(NULL)', 'metrics_refresh.get_refresh_stats(-24, ''a'')',
    'metrics_refresh.cleanup_logs(''-1 day'')', 'metrics_refresh.cleanup_logs(''1 month -31 days'')', 'metrics_refresh.cleanup_logs(''yesterday'')'])
    WITH ORDINALITY v (q, n) ORDER BY n;
\a \t

-- What the statistics and the clean-up read, they read through indexes.
TRUNCATE metrics_refresh_internal.run_log;
INSERT INTO metrics_refresh_internal.run_log (job_id, job_name, view_schema, view_name, owner, owner_oid, triggered_by,
    started_at, finished_at, duration_ms, status)
SELECT 1 + i % 200, 'job ' || i % 200, 'public', 'view_' || i % 200, 'postgres', 10, 'schedule',
       now() - i * interval '2 minutes', now() - i * interval '2 minutes', 1, 'success'
FROM generate_series(1, 20000) i;
VACUUM ANALYZE metrics_refresh_internal.run_log;
EXPLAIN (COSTS OFF) SELECT * FROM metrics_refresh.run_log WHERE view_schema = 'public' AND view_name = 'view_7' AND started_at >= now() - interval '24 hours';
EXPLAIN (COSTS OFF) SELECT * FROM metrics_refresh.run_log WHERE job_id = 1 AND started_at >= now() - interval '24 hours';
EXPLAIN (COSTS OFF) SELECT * FROM metrics_refresh.run_log ORDER BY started_at DESC LIMIT 50;
EXPLAIN (COSTS OFF) SELECT * FROM metrics_refresh.run_log WHERE job_id = 1 ORDER BY started_at DESC LIMIT 1;

-- Clean-up: by age of the start; what is running stays; more than two batches of 5000, one of them of
-- rows that all began at one moment.
TRUNCATE metrics_refresh_internal.run_log;
SELECT cleanup_old_metrics_logs();
SELECT count(st.log(NULL, 'old', interval '40 days', 'success', 1)) FROM generate_series(1, 7000) n;
SELECT count(st.log(NULL, 'old', interval '31 days' + n * interval '1 s', 'error', 1)) FROM generate_series(1, 6001) n;
SELECT st.log(NULL, 'old but running', '50 days', 'running', NULL), st.log(NULL, 'young', '29 days', 'success', 1),
       st.log(NULL, 'new', '1 day', 'success', 1);
SELECT * FROM metrics_refresh.health_check() WHERE check_name = 'log_retention';
SELECT cleanup_old_metrics_logs();
SELECT view_name, status FROM metrics_refresh.run_log ORDER BY started_at;
SELECT cleanup_old_metrics_logs();
SELECT metrics_refresh.cleanup_logs('28 days');
SELECT metrics_refresh.cleanup_logs(older_than => '100000 years');
SET metrics_refresh.log_retention = '12 h';
SELECT metrics_refresh.cleanup_logs();
SELECT st.log(NULL, 'new', '11 hours', 'success', 1), st.log(NULL, 'new', '13 hours', 'success', 1);
SELECT cleanup_old_metrics_logs();
SELECT metrics_refresh.cleanup_logs(NULL);
RESET metrics_refresh.log_retention;
SELECT metrics_refresh.cleanup_logs('0');
SELECT view_name, status FROM metrics_refresh.run_log ORDER BY started_at;
-- Rows that somebody else has locked are left for the next time: it waits for nobody. The other one
-- is a worker, which holds the row until the gate opens.
TRUNCATE metrics_refresh_internal.run_log;
SELECT st.log(NULL, 'held', '40 days', 'success', 1), st.log(NULL, 'free', '41 days', 'success', 1);
SELECT metrics_refresh.schedule_command('holder', NULL, 'SELECT FROM metrics_refresh.run_log WHERE view_name = ''held'' FOR UPDATE;
    SELECT pg_advisory_xact_lock(4712)') IS NOT NULL AS scheduled;
SELECT pg_advisory_lock(4712);
SELECT metrics_refresh.trigger('holder') AS run \gset
CALL tools.wait_until('SELECT count(*) = 1 FROM pg_locks WHERE locktype = ''advisory'' AND NOT granted');
SELECT cleanup_old_metrics_logs();
SELECT pg_advisory_unlock(4712);
SELECT metrics_refresh.wait(:run, '60 s');
SELECT cleanup_old_metrics_logs();
-- The job of the clean-up is a job like others.
SELECT st.log(NULL, 'old', '31 days', 'success', 1);
CALL tools.run('cleanup-metrics-logs');
SELECT status, command, strategy, rows_total FROM metrics_refresh.run_log WHERE job_name = 'cleanup-metrics-logs';
SELECT count(*) FROM metrics_refresh.run_log WHERE view_name = 'old';

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA st CASCADE;
