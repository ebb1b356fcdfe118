-- What goes wrong in a refresh: it is logged whole, returned and not raised, leaves the view as it
-- was, and stops nothing.
\set SHOW_CONTEXT never
CREATE SCHEMA e;
CREATE TABLE e.base (id int, num int);
INSERT INTO e.base VALUES (1, 10), (2, 20);
CREATE FUNCTION e.fail(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    RAISE 'it failed for %', $1 USING ERRCODE = 'MR001', DETAIL = 'The whole truth.',
        HINT = 'Do not call it.';
END $$;
CREATE VIEW e.log AS SELECT job_name, status, strategy, sqlstate, error_message, error_detail, error_hint,
    error_context, finished_at >= started_at AS has_end, duration_ms >= 0 AS has_duration, rows_total
    FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;

-- Everything that the error says: SQLSTATE, message, detail, hint, context; in this session…
CREATE MATERIALIZED VIEW e.failing AS SELECT e.fail(id) FROM e.base WITH NO DATA;
SELECT metrics_refresh.refresh('e.failing') - 'run_id' - 'duration_ms' AS refresh;
SELECT * FROM e.log \gx
-- … and in a worker.
SELECT metrics_refresh.schedule('e.failing', job_name => 'failing') IS NOT NULL AS scheduled;
CALL tools.run('failing');
SELECT * FROM e.log \gx
SELECT last_status, last_error, last_success_at IS NULL AS no_success, consecutive_failures
FROM metrics_refresh.job_status WHERE job_name = 'failing';
CALL tools.run('failing');
SELECT consecutive_failures FROM metrics_refresh.job_status WHERE job_name = 'failing';

-- Duplicates where the refresh is CONCURRENTLY: the view keeps what it had.
CREATE MATERIALIZED VIEW e.mv AS SELECT id, 100 / num AS ratio FROM e.base;
CREATE UNIQUE INDEX ON e.mv (id);
SELECT metrics_refresh.schedule('e.mv', job_name => 'mv') IS NOT NULL AS scheduled;
INSERT INTO e.base VALUES (2, 20), (2, 50);
CALL tools.run('mv');
SELECT status, strategy, sqlstate, error_message, error_hint FROM e.log \gx
SELECT * FROM e.mv ORDER BY id;
-- A division by zero in the definition, and the way back.
UPDATE e.base SET id = id + num * 10, num = num - 10;
CALL tools.run('mv');
SELECT status, sqlstate, error_message FROM e.log;
SELECT consecutive_failures, last_error FROM metrics_refresh.job_status WHERE job_name = 'mv';
UPDATE e.base SET id = num, num = num + 1;
DELETE FROM e.base a USING e.base b WHERE a.id = b.id AND a.ctid > b.ctid;
CALL tools.run('mv');
SELECT status, strategy, sqlstate, error_message, rows_total FROM e.log;
SELECT consecutive_failures, last_error, last_success_at = last_finished_at AS at_the_end
FROM metrics_refresh.job_status WHERE job_name = 'mv';

-- Too long: ended by max_runtime, told so, and transient, for it may be shorter the next time.
CREATE FUNCTION e.slow() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT pg_sleep(600); SELECT 1';
CREATE MATERIALIZED VIEW e.slow AS SELECT e.slow() WITH NO DATA;
SELECT metrics_refresh.schedule('e.slow', job_name => 'slow', max_runtime => '20 ms') IS NOT NULL AS scheduled;
CALL tools.run('slow');
SELECT status, sqlstate, error_message, error_hint FROM e.log \gx
-- In this session its statement_timeout ends it, and a cancelled statement is raised.
SET statement_timeout = '20 ms';
SELECT metrics_refresh.refresh('e.slow');
RESET statement_timeout;

-- What is caught leaves nothing behind: not what the definition wrote, not its settings, and the
-- transaction goes on.
CREATE TABLE e.written (n int);
CREATE FUNCTION e.writes_and_fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO e.written VALUES (1);
    PERFORM set_config('work_mem', '1MB', false), set_config('search_path', 'e', false);
    RETURN 1 / 0;
END $$;
CREATE MATERIALIZED VIEW e.writer AS SELECT e.writes_and_fails() WITH NO DATA;
BEGIN;
SELECT metrics_refresh.refresh('e.writer') ->> 'message' AS message;
SELECT count(*) AS written, current_setting('search_path') AS search_path, current_setting('work_mem') AS work_mem FROM e.written;
SELECT metrics_refresh.refresh('e.mv') ->> 'success' AS success;
COMMIT;
-- A transaction that is rolled back takes its log with it; one that is read-only has none.
SELECT count(*) AS before FROM metrics_refresh.run_log \gset
BEGIN;
SELECT metrics_refresh.refresh('e.mv') ->> 'success' AS success;
ROLLBACK;
BEGIN READ ONLY;
SELECT metrics_refresh.refresh('e.mv') ->> 'success' AS success;
ROLLBACK;
SELECT count(*) - :before AS added FROM metrics_refresh.run_log;
-- Where this session is reading the view itself.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM e.mv;
FETCH 1 FROM c \g (format=unaligned tuples_only=on)
SELECT metrics_refresh.refresh('e.mv', 'diff') - 'run_id' - 'duration_ms' AS refresh;
COMMIT;
-- Inside a function, a DO block, and at other isolation levels.
DO $$ BEGIN ASSERT (metrics_refresh.refresh('e.mv') ->> 'success')::bool; END $$;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT metrics_refresh.refresh('e.mv') ->> 'success' AS success;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT metrics_refresh.refresh('e.mv') ->> 'success' AS success;
COMMIT;

-- A worker's refresh has a fixed search_path: what the definition's functions do not qualify is not
-- found, whatever the database's own path is.
ALTER DATABASE contrib_regression SET search_path = e, public;
CREATE FUNCTION e.unqualified() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM base); END $$;
CREATE MATERIALIZED VIEW e.path AS SELECT e.unqualified(), current_setting('search_path') WITH NO DATA;
SELECT metrics_refresh.schedule('e.path', job_name => 'path') IS NOT NULL AS scheduled;
CALL tools.run('path');
SELECT status, sqlstate, error_message, error_context FROM e.log \gx
ALTER FUNCTION e.unqualified() SET search_path = e;
CALL tools.run('path');
SELECT * FROM e.path;
ALTER DATABASE contrib_regression RESET search_path;

-- Repeated permanent failure suspends a job, and says so; a transient one never does. A worker that
-- starts from now on has the setting.
ALTER DATABASE contrib_regression SET metrics_refresh.suspend_after = 2;
SET client_min_messages = error;  -- one that has just gone is warned of
SELECT count(pg_terminate_backend(pid, 30000)) >= 0 AS sent_away FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker';
RESET client_min_messages;
SELECT metrics_refresh.schedule_command('bad', '@yearly', 'SELECT 1 / 0') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_command('transient', '@yearly',
    'DO $$ BEGIN RAISE serialization_failure; END $$') IS NOT NULL AS scheduled;
CALL tools.run('bad');
CALL tools.run('transient');
CALL tools.run('bad');
CALL tools.run('transient');
CALL tools.run('transient');
SELECT job_name, active, next_due IS NULL AS not_due, last_status, consecutive_failures,
       suspended_at IS NOT NULL AS suspended, suspend_reason
FROM metrics_refresh.job_status WHERE job_name IN ('bad', 'transient') ORDER BY 1;
SELECT * FROM metrics_refresh.health_check() WHERE check_name = 'suspended';
-- It still runs when asked to; resume() ends the suspension and forgets the failures.
CALL tools.run('bad');
SELECT metrics_refresh.resume('bad');
SELECT active, next_due IS NULL AS not_due, consecutive_failures, suspended_at, suspend_reason
FROM metrics_refresh.job_status WHERE job_name = 'bad';
CALL tools.run('bad');
SELECT consecutive_failures, suspended_at FROM metrics_refresh.job_status WHERE job_name = 'bad';
-- A success in between starts the count anew.
CREATE TABLE e.switch (broken boolean);
INSERT INTO e.switch VALUES (false);
SELECT metrics_refresh.schedule_command('bad', NULL, 'SELECT 1 / CASE WHEN broken THEN 0 ELSE 1 END FROM e.switch') IS NOT NULL AS scheduled;
SELECT consecutive_failures FROM metrics_refresh.job_status WHERE job_name = 'bad';
UPDATE e.switch SET broken = true;
CALL tools.run('bad');
UPDATE e.switch SET broken = false;
CALL tools.run('bad');
UPDATE e.switch SET broken = true;
CALL tools.run('bad');
SELECT consecutive_failures, suspended_at FROM metrics_refresh.job_status WHERE job_name = 'bad';
CALL tools.run('bad');
SELECT consecutive_failures, suspended_at IS NOT NULL AS suspended FROM metrics_refresh.job_status WHERE job_name = 'bad';
ALTER DATABASE contrib_regression RESET metrics_refresh.suspend_after;

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA e CASCADE;
