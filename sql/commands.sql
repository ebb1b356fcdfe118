-- Jobs that run SQL: as their owner, as a client would, with every error told.
\set SHOW_CONTEXT never
CREATE SCHEMA c;
CREATE TABLE c.seen (n serial, who name, session name, note text);
GRANT USAGE ON SCHEMA c TO PUBLIC;
CREATE VIEW c.log AS SELECT owner, command, status, strategy, sqlstate, error_message, error_detail, error_hint,
    error_context, rows_total, result, notices FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
CREATE PROCEDURE c.try(command text, INOUT status text DEFAULT NULL) LANGUAGE plpgsql AS $$ BEGIN
    PERFORM metrics_refresh.schedule_command('c', NULL, command);
    COMMIT;
    CALL tools.run('c', status);
END $$;

CALL c.try('INSERT INTO c.seen (who, session, note) VALUES (current_user, session_user, current_setting(''search_path''))');
SELECT * FROM c.seen;
SELECT * FROM c.log \gx
-- Several statements; each sees what the one before did. The row count is the last one's.
CALL c.try('CREATE TABLE c.made (n int); INSERT INTO c.made SELECT generate_series(1, 5); ; DELETE FROM c.made WHERE n > 2;');
SELECT status, rows_total, result FROM c.log;
SELECT count(*) FROM c.made;
-- Together or not at all.
CALL c.try('DELETE FROM c.made; SELECT 1 / 0');
SELECT status, sqlstate, error_message, error_context FROM c.log;
SELECT count(*) FROM c.made;
-- Comments, utility statements, CALL, DO, RETURNING, EXPLAIN, and what returns much.
CALL c.try('-- nothing but a comment');
CALL c.try('/* first */ ANALYZE c.made');
CALL c.try('SELECT * FROM generate_series(1, 100000)');
SELECT rows_total FROM c.log;
CALL c.try('UPDATE c.made SET n = n RETURNING n');
SELECT rows_total FROM c.log;
CALL c.try('EXPLAIN SELECT 1');
CALL c.try('SELECT metrics_refresh.refresh(''c.mv'')');
SELECT status, sqlstate, error_message, error_context FROM c.log;

-- Errors.
CALL c.try('SELEC 1');
SELECT status, sqlstate, error_message, error_context FROM c.log;
CALL c.try('INSERT INTO c.made VALUES (1); SELECT ''unterminated');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('SELECT no_such_column FROM c.made');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('REFRESH MATERIALIZED VIEW CONCURRENTLY c.made');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('COPY c.made TO STDOUT');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('COPY c.made FROM STDIN');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('SELECT $1');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(600)');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(600)');
SELECT status, sqlstate, error_message FROM c.log;
-- Deferred checks belong to the run: their failure is its failure.
CREATE TABLE c.unique_at_end (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CALL c.try('INSERT INTO c.unique_at_end VALUES (1), (1)');
SELECT status, sqlstate, error_message FROM c.log;
SELECT count(*) FROM c.unique_at_end;
-- What it sets does not outlive it.
CALL c.try('SET search_path = nowhere; SET lock_timeout = 1; SET default_transaction_read_only = on; SET statement_timeout = 60000; SELECT pg_sleep(0.05)');
CALL c.try('INSERT INTO c.seen (note) VALUES (concat_ws('' '', current_setting(''search_path''), current_setting(''lock_timeout''), current_setting(''statement_timeout'')))');
SELECT note FROM c.seen ORDER BY n DESC LIMIT 1;
CALL c.try('SET TRANSACTION READ ONLY');
SELECT status, sqlstate, error_message FROM c.log;
-- One statement alone may end its transactions by itself.
CALL c.try('VACUUM c.made');
SELECT status, sqlstate, error_message, rows_total, result FROM c.log;
CALL c.try('DO $$ BEGIN COMMIT; END $$');
SELECT status, sqlstate, error_message, result FROM c.log;
-- (A session that waits for the run in one statement, as tools.run does, would be waited for.)
SELECT metrics_refresh.schedule_command('c', NULL, 'CREATE INDEX CONCURRENTLY made_n ON c.made (n)') IS NOT NULL AS scheduled;
SELECT metrics_refresh.trigger('c') AS run \gset
CALL tools.wait_until(format('SELECT status <> ''running'' FROM metrics_refresh.run_log WHERE run_id = %s', :run));
SELECT status, sqlstate, error_message, result FROM c.log;
SELECT indisvalid FROM pg_index WHERE indexrelid = 'c.made_n'::regclass;
-- Among others it may not.
CALL c.try('DELETE FROM c.made; VACUUM c.made');
SELECT status, sqlstate, error_message, error_context FROM c.log;
CALL c.try('DELETE FROM c.made; DO $$ BEGIN COMMIT; END $$');
SELECT status, sqlstate, error_message FROM c.log;
SELECT count(*) > 0 AS still_there FROM c.made;
-- What a procedure has committed stays, whatever comes after it; and the outcome is logged.
CREATE TABLE c.steps (step text);
CREATE PROCEDURE c.step(step text, what text) LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO c.steps VALUES (step);
    COMMIT;
    INSERT INTO c.steps VALUES (step || ', not committed');
    EXECUTE what;
END $$;
CALL c.try('CALL c.step(''fails'', ''SELECT 1 / 0'')');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('CALL c.step(''is canceled'', ''SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(600)'')');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('CALL c.step(''dies'', ''SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(600)'')');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('CALL c.step(''would read only'', ''SET default_transaction_read_only = on; SET search_path = nowhere; SELECT 1 / 0'')');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('DO $$ BEGIN SET default_transaction_read_only = on; COMMIT; END $$');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('DO $$ BEGIN INSERT INTO c.steps VALUES (''not committed''); ROLLBACK; INSERT INTO c.steps VALUES (current_setting(''lock_timeout'')); END $$');
SELECT status, result FROM c.log;
SELECT step FROM c.steps;
SELECT metrics_refresh.schedule_command('c', NULL, 'CALL c.step(''takes too long'', ''SELECT pg_sleep(600)'')', max_runtime => '2 s', max_retries => 0) IS NOT NULL AS scheduled;
CALL tools.run('c');
SELECT status, sqlstate, error_message FROM c.log;
SELECT metrics_refresh.schedule_command('c', NULL, 'DO $$ BEGIN ROLLBACK; INSERT INTO c.steps VALUES (concat_ws('' '', current_setting(''lock_timeout''), current_setting(''work_mem''))); END $$', lock_timeout => '1234 ms', settings => '{"work_mem": "12MB"}') IS NOT NULL AS scheduled;
CALL tools.run('c');
SELECT status, sqlstate, error_message FROM c.log;
SELECT step FROM c.steps OFFSET 5;
-- Transactions of its own.
TRUNCATE c.steps;
CALL c.try('BEGIN; INSERT INTO c.steps VALUES (''one''); COMMIT');
SELECT status, error_message, result, rows_total, notices FROM c.log;
CALL c.try('BEGIN; INSERT INTO c.steps VALUES (''two''); END; INSERT INTO c.steps VALUES (''not committed''); SELECT 1 / 0');
SELECT status, error_message FROM c.log;
CALL c.try('BEGIN; INSERT INTO c.steps VALUES (''three''); SAVEPOINT s; INSERT INTO c.steps VALUES (''undone''); ROLLBACK TO s; RELEASE s; COMMIT AND CHAIN; INSERT INTO c.steps VALUES (''undone''); ROLLBACK; INSERT INTO c.steps VALUES (''four'')');
SELECT status, error_message, result FROM c.log;
CALL c.try('BEGIN; INSERT INTO c.steps VALUES (''fails''); SELECT 1 / 0; COMMIT');
SELECT status, error_message, error_context FROM c.log;
CALL c.try('BEGIN; SAVEPOINT s; INSERT INTO c.steps VALUES (''fails''); SELECT 1 / 0');
SELECT status, error_message FROM c.log;
CALL c.try('BEGIN; INSERT INTO c.steps VALUES (''left open'')');
SELECT status, sqlstate, error_message, error_hint FROM c.log;
CALL c.try('INSERT INTO c.steps VALUES (''five''); COMMIT AND CHAIN');
SELECT status, sqlstate, error_message FROM c.log;
CALL c.try('COMMIT');
SELECT status, result, notices FROM c.log;
CALL c.try('INSERT INTO c.steps VALUES (''undone''); ROLLBACK; INSERT INTO c.steps VALUES (''six'')');
SELECT status, result, notices FROM c.log;
CALL c.try('SAVEPOINT s');
SELECT status, error_message FROM c.log;
CALL c.try('BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SELECT count(*) FROM c.steps; COMMIT');
SELECT status, error_message, result FROM c.log;
CALL c.try('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1');
SELECT status, error_message, result FROM c.log;
CALL c.try('BEGIN; INSERT INTO c.unique_at_end VALUES (1), (1); COMMIT');
SELECT status, error_message FROM c.log;
CALL c.try('BEGIN; SELECT 1; COMMIT; VACUUM c.made');
SELECT status, error_message FROM c.log;
SELECT step FROM c.steps;
-- What it holds open is closed, at once.
SELECT metrics_refresh.schedule_command('c', NULL, 'DECLARE held CURSOR WITH HOLD FOR SELECT pg_sleep(600)', max_runtime => '2 s') IS NOT NULL AS scheduled;
CALL tools.run('c');
SELECT status, error_message, result FROM c.log;
-- A loop that commits and then fails leaves its worker as it was.
CALL c.try('SELECT 1');
SELECT max(worker_pid) AS worker FROM metrics_refresh.run_log WHERE run_id = (SELECT max(run_id) FROM metrics_refresh.run_log) \gset
CALL c.try('DO $$ DECLARE r record; BEGIN FOR r IN SELECT generate_series(1, 3) LOOP COMMIT; PERFORM 1 / 0; END LOOP; END $$');
SELECT status, error_message FROM c.log;
CALL c.try('SELECT 1');
SELECT worker_pid = :worker AS same_worker FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
-- At whatever level of isolation, the log is written at read committed.
CALL c.try('SET default_transaction_isolation = serializable; SET default_transaction_read_only = on; SET default_transaction_deferrable = on; BEGIN; SELECT count(*) FROM c.steps; COMMIT');
SELECT status, error_message, result FROM c.log;
SELECT metrics_refresh.schedule_command('c', NULL, 'SELECT 1', settings => '{"default_transaction_isolation": "serializable"}');
-- Tags without end, and a statement without end in an error.
CALL c.try(repeat('SELECT 1;', 200) || 'VALUES (1), (2)');
SELECT length(result), left(result, 20), right(result, 30), rows_total FROM c.log;
CALL c.try('SELECT no_such_column, ''' || repeat('ä', 5000) || '''');
SELECT length(error_context), right(error_context, 6) FROM c.log;
-- Its limits are those of the job.
SELECT metrics_refresh.schedule_command('c', NULL, 'SELECT pg_sleep(600)', max_runtime => '20 ms') IS NOT NULL AS scheduled;
CALL tools.run('c');
SELECT status, sqlstate, error_message FROM c.log;
SELECT metrics_refresh.schedule_command('c', NULL, 'INSERT INTO c.seen (note) VALUES (current_setting(''lock_timeout''))', lock_timeout => '1234 ms') IS NOT NULL AS scheduled;
CALL tools.run('c');
SELECT note FROM c.seen ORDER BY n DESC LIMIT 1;

-- What a client would have been told, also before an error; what was caught was not told.
CALL c.try($$DO 'BEGIN RAISE NOTICE ''one''; RAISE WARNING ''two'' USING DETAIL = ''lines'', HINT = ''below it''; RAISE INFO ''three''; RAISE DEBUG ''unheard''; END'; DROP TABLE IF EXISTS c.no_such$$);
SELECT status, notices FROM c.log \gx
CALL c.try($$DO 'BEGIN RAISE NOTICE ''before''; BEGIN RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE ''caught''; END; RAISE EXCEPTION ''failed''; END'$$);
SELECT status, error_message, notices FROM c.log \gx
CALL c.try('SET client_min_messages = warning; DROP TABLE IF EXISTS c.no_such; NOTIFY l');
SELECT status, result, notices FROM c.log \gx
CALL c.try('DROP TABLE IF EXISTS c.no_such');
SELECT notices FROM c.log;
CALL c.try('SELECT 1');
SELECT notices IS NULL AS none FROM c.log;
CALL c.try($$DO 'BEGIN FOR n IN 1 .. 200000 LOOP RAISE NOTICE ''% %'', n, repeat(''x'', 30); END LOOP; END'$$);
SELECT status, octet_length(notices), left(notices, 40), right(notices, 40) FROM c.log \gx
CALL c.try($$DO 'BEGIN RAISE NOTICE ''%'', repeat(''x'', 20000); RAISE NOTICE ''y''; END'$$);
SELECT octet_length(notices), right(notices, 22) FROM c.log \gx
-- Deferred triggers speak too.
CREATE FUNCTION c.speak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'deferred'; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER speak AFTER INSERT ON c.made DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION c.speak();
CALL c.try('INSERT INTO c.made VALUES (1)');
SELECT notices FROM c.log;
DROP TRIGGER speak ON c.made;

-- A command is changed and all else stays; whoever changes it owns it.
SELECT metrics_refresh.schedule_command('changing', '@yearly', 'SELECT 1', max_retries => 2, priority => 3) IS NOT NULL AS scheduled;
SELECT metrics_refresh.alter_job('changing', command => 'SELECT 2');
SELECT schedule, command, owner, max_retries, priority FROM metrics_refresh.job WHERE job_name = 'changing';
CALL tools.run('changing');
UPDATE metrics_refresh_internal.job_state SET suspended_at = now() WHERE job_id = (SELECT job_id FROM metrics_refresh.job WHERE job_name = 'changing');
SELECT state FROM metrics_refresh.job_status WHERE job_name = 'changing';
SELECT metrics_refresh.alter_job('changing', command => 'SELECT 2');
SELECT state FROM metrics_refresh.job_status WHERE job_name = 'changing';
SELECT metrics_refresh.alter_job('changing', command => ' ; ');
CREATE MATERIALIZED VIEW c.seen_by AS SELECT who, count(*) FROM c.seen GROUP BY who;
SELECT metrics_refresh.schedule('c.seen_by', NULL) IS NOT NULL AS scheduled;
SELECT metrics_refresh.alter_job('c.seen_by', command => 'SELECT 1');
SELECT metrics_refresh.unschedule('c.seen_by');
SELECT metrics_refresh.alter_job('changing', command => 'SELECT 3', owner => 'regress_owner');
SELECT command, owner FROM metrics_refresh.job WHERE job_name = 'changing';
SET ROLE regress_owner;
SELECT metrics_refresh.alter_job('changing', command => 'SELECT 4');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION metrics_refresh.schedule_command FROM regress_owner;
SET ROLE regress_owner;
SELECT metrics_refresh.alter_job('changing', command => 'SELECT 5');
SELECT metrics_refresh.alter_job('changing', priority => -4);
RESET ROLE;
GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO regress_owner;
SELECT metrics_refresh.alter_job('changing', command => 'SELECT 6', settings => '{"work_mem": "1MB"}');
SELECT command, owner, priority, settings FROM metrics_refresh.job WHERE job_name = 'changing';
SELECT metrics_refresh.unschedule('changing');

-- As its owner, who is connected: no RESET ROLE gives more.
GRANT INSERT ON c.seen TO regress_owner;
GRANT USAGE ON SEQUENCE c.seen_n_seq TO regress_owner;
GRANT INSERT ON c.seen TO regress_admins;
SET ROLE regress_owner;
SELECT metrics_refresh.schedule_command('own', NULL, 'INSERT INTO c.seen (who, session, note) VALUES (current_user, session_user, current_setting(''is_superuser''))') IS NOT NULL AS scheduled;
CALL tools.run('own');
SELECT metrics_refresh.schedule_command('own', NULL, 'DELETE FROM c.seen') IS NOT NULL AS scheduled;
CALL tools.run('own');
SELECT metrics_refresh.schedule_command('own', NULL, 'RESET ROLE; RESET SESSION AUTHORIZATION; DELETE FROM c.seen') IS NOT NULL AS scheduled;
CALL tools.run('own');
SELECT metrics_refresh.schedule_command('own', NULL, 'SET ROLE postgres') IS NOT NULL AS scheduled;
CALL tools.run('own');
SELECT metrics_refresh.schedule_command('own', NULL, 'SET SESSION AUTHORIZATION postgres') IS NOT NULL AS scheduled;
CALL tools.run('own');
SELECT metrics_refresh.schedule_command('own', NULL, 'UPDATE metrics_refresh.run_log SET status = ''success''') IS NOT NULL AS scheduled;
CALL tools.run('own');
SELECT metrics_refresh.schedule_command('own', NULL, 'DELETE FROM metrics_refresh_internal.active_run') IS NOT NULL AS scheduled;
CALL tools.run('own');
SELECT command, owner, initiated_by, status, sqlstate, error_message FROM metrics_refresh.run_log WHERE job_name = 'own' ORDER BY run_id;
RESET ROLE;
SELECT who, session, note FROM c.seen WHERE who IS NOT NULL ORDER BY n;

-- An owner who may not log in, one who may not connect, one who is renamed (which is followed), one
-- who is gone, and one who has come after him under his name (and does not inherit the job).
CREATE ROLE regress_dummy LOGIN;
SELECT metrics_refresh.schedule_command('of dummy', NULL, 'SELECT 1') IS NOT NULL AS scheduled;
SELECT metrics_refresh.alter_job('of dummy', owner => 'regress_dummy');
CALL tools.run('of dummy');
ALTER ROLE regress_dummy NOLOGIN;
CALL tools.run('of dummy');
SELECT owner, status, sqlstate, error_message, error_hint FROM c.log \gx
ALTER ROLE regress_dummy LOGIN;
REVOKE CONNECT ON DATABASE contrib_regression FROM PUBLIC;
CALL tools.run('of dummy');
SELECT owner, status, sqlstate, error_message, error_hint FROM c.log \gx
GRANT CONNECT ON DATABASE contrib_regression TO PUBLIC;
CALL tools.run('of dummy');
ALTER ROLE regress_dummy RENAME TO regress_dummy2;
CALL tools.run('of dummy');
CALL tools.wait_until($$SELECT owner <> 'regress_dummy' FROM metrics_refresh.job WHERE job_name = 'of dummy'$$);
SELECT owner FROM metrics_refresh.job WHERE job_name = 'of dummy';
DROP ROLE regress_dummy2;
CALL tools.run('of dummy');
SELECT owner, status, sqlstate, error_message, error_hint FROM c.log \gx
CREATE ROLE regress_dummy2 LOGIN;
CALL tools.run('of dummy');
SELECT owner, status, sqlstate, error_message, error_hint FROM c.log \gx
SET ROLE regress_dummy2;
SELECT count(*) FROM metrics_refresh.job;
SELECT count(*) FROM metrics_refresh.run_log;
RESET ROLE;
SELECT metrics_refresh.alter_job('of dummy', owner => 'regress_dummy2');
CALL tools.run('of dummy');
SELECT metrics_refresh.unschedule('of dummy');
DROP ROLE regress_dummy2;

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA c CASCADE;
