-- trigger, wait, cancel, running: a run from its request to its end.
\set SHOW_CONTEXT never
CREATE SCHEMA r;
CREATE FUNCTION r.slow() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT pg_sleep(600); SELECT 1';
CREATE MATERIALIZED VIEW r.slow AS SELECT r.slow() WITH NO DATA;
CREATE MATERIALIZED VIEW r.mv AS SELECT 1 AS one;
SELECT metrics_refresh.schedule('r.slow', job_name => 'slow') AS slow \gset
SELECT metrics_refresh.schedule('r.mv', job_name => 'quick') AS quick \gset
CREATE VIEW r.log AS SELECT job_name, triggered_by, initiated_by, status, strategy, sqlstate, error_message, attempt, missed,
    due_at IS NOT NULL AS has_due, worker_pid IS NOT NULL AS has_pid, duration_ms >= 0 AS has_duration,
    wal_bytes >= 0 AS has_wal, buffers_hit >= 0 AS has_hits, buffers_read >= 0 AS has_reads, cpu_ms >= 0 AS has_cpu
    FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;

-- A run of a worker, and one of this session, as the log has them.
CALL tools.run('quick');
SELECT * FROM r.log \gx
SELECT (metrics_refresh.refresh('r.mv') -> 'run_id')::bigint = max(run_id) + 1 AS numbered FROM metrics_refresh.run_log;
SELECT * FROM r.log \gx
SELECT job_id IS NULL AS no_job, owner FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;

-- A paused job runs when it is asked to.
SELECT metrics_refresh.pause('quick');
CALL tools.run('quick');

-- Under way: visible in running, job_status and the log, until it is cancelled.
SELECT metrics_refresh.trigger('slow') AS run \gset
CALL tools.wait_for_begin(:run);
SELECT run_id = :run AS this_run, job_id = :slow AS this_job, job_name, view_schema, view_name, state, triggered_by,
       due_at <= started_at AS has_due, elapsed >= interval '0' AS has_elapsed, worker_pid IS NOT NULL AS has_pid
FROM metrics_refresh.running \gx
SELECT run_id = :run AS this_run, state, missed FROM metrics_refresh.worker_slots();
SELECT last_run_id = :run AS this_run, last_status, last_finished_at FROM metrics_refresh.job_status WHERE job_name = 'slow';
SELECT status, finished_at, duration_ms FROM metrics_refresh.run_log WHERE run_id = :run;
SELECT metrics_refresh.wait(:run, '10 ms'), metrics_refresh.wait(:run, '0'), metrics_refresh.wait(:run, '-1 hour');
-- A second run of the same job waits for it; a third too.
SELECT metrics_refresh.trigger('slow') AS second \gset
SELECT metrics_refresh.trigger('slow') AS third \gset
SELECT metrics_refresh.wait(:second, '10 ms') AS second, metrics_refresh.wait(:third, '10 ms') AS third;
SELECT run_id = :second AS second, run_id = :third AS third, requested_by FROM metrics_refresh.run_request ORDER BY run_id;
SELECT count(*) FROM metrics_refresh.running;
-- One that waits is cancelled without ever running.
SELECT metrics_refresh.cancel(:second);
SELECT metrics_refresh.wait(:second);
SELECT triggered_by, initiated_by, status, sqlstate, error_message, finished_at IS NOT NULL AS has_end
FROM metrics_refresh.run_log WHERE run_id = :second \gx
SELECT metrics_refresh.cancel(:second);
SELECT last_run_id = :run AS first_is_still_the_last, last_status FROM metrics_refresh.job_status WHERE job_name = 'slow';
-- One that runs is cancelled by its worker, and makes way for the third.
SELECT metrics_refresh.cancel(:run);
SELECT metrics_refresh.wait(:run, '60 s');
SELECT triggered_by, initiated_by, status, sqlstate, error_message, finished_at IS NOT NULL AS has_end
FROM metrics_refresh.run_log WHERE run_id = :run \gx
SELECT metrics_refresh.cancel(:run);
CALL tools.wait_for_begin(:third);
-- A cancelled run is no failure of the job.
SELECT consecutive_failures FROM metrics_refresh.job_status WHERE job_name = 'slow';
-- The job may be removed meanwhile; the run goes on, and can still be cancelled.
SELECT metrics_refresh.unschedule('slow');
SELECT metrics_refresh.wait(:third, '10 ms');
SELECT metrics_refresh.cancel(:third);
SELECT metrics_refresh.wait(:third, '60 s');
SELECT status, sqlstate FROM metrics_refresh.run_log WHERE run_id = :third;

-- A request that is not committed is nobody's business, and its own transaction cannot wait for it.
CREATE FUNCTION r.try_wait(run bigint) RETURNS text LANGUAGE sql AS
    $$ SELECT regexp_replace(tools.try(format('SELECT metrics_refresh.wait(%s, ''60 s'')', run)), '\m' || run || '\M', 'N') $$;
BEGIN;
SELECT metrics_refresh.trigger('quick') AS run \gset
SELECT r.try_wait(:run);
ROLLBACK;
SELECT r.try_wait(:run);
BEGIN;
SELECT metrics_refresh.trigger('quick') AS run \gset
SELECT metrics_refresh.cancel(:run);
COMMIT;
SELECT metrics_refresh.wait(:run);
BEGIN;
SAVEPOINT s;
SELECT metrics_refresh.trigger('quick') AS run \gset
RELEASE s;
SELECT r.try_wait(:run);
ROLLBACK;
SELECT r.try_wait(metrics_refresh.trigger('quick'));
-- A frozen snapshot would never show the end.
SELECT metrics_refresh.trigger('quick') AS run \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT metrics_refresh.wait(:run);
ROLLBACK;
SELECT metrics_refresh.wait(:run);
-- wait() can itself be cancelled.
SELECT metrics_refresh.schedule_command('sleeper', NULL, 'SELECT pg_sleep(600)') AS sleeper \gset
SELECT metrics_refresh.trigger('sleeper') AS run \gset
SET statement_timeout = '50 ms';
SELECT metrics_refresh.wait(:run);
RESET statement_timeout;
-- The job's replacement by another leaves the run alone.
CALL tools.wait_for_begin(:run);
SELECT metrics_refresh.schedule('r.mv', job_name => 'sleeper') = :sleeper AS same_job;
SELECT metrics_refresh.cancel(:run);
SELECT metrics_refresh.wait(:run, '60 s');
CALL tools.run('sleeper');
SELECT job_name, view_name, command, status FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 2;

-- Ten requests at once: each is a run, one after another.
CREATE TABLE r.requests AS SELECT metrics_refresh.trigger('quick') AS run FROM generate_series(1, 10);
SELECT metrics_refresh.wait(run, '60 s'), count(*) FROM r.requests GROUP BY 1;
SELECT count(*) AS overlaps FROM metrics_refresh.run_log a JOIN metrics_refresh.run_log b
    ON a.job_id = :quick AND b.job_id = :quick AND a.run_id < b.run_id AND a.finished_at > b.started_at
WHERE a.run_id IN (SELECT run FROM r.requests) AND b.run_id IN (SELECT run FROM r.requests);

-- Wrong input.
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    'wait(NULL)', 'wait(0)', 'wait(-1)', 'wait(9223372036854775807)', 'wait(NULL, ''1 s'')', 'cancel(NULL)', 'cancel(0)',
    'cancel(9223372036854775807)']) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA r CASCADE;
