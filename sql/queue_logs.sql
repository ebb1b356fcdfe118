-- The logs of failures, functions and webhooks: who writes and sees them, that wrong input is refused, that each
-- failed run leaves its row, and that no function of the trigger on_job_failure can prevent that.
\set SHOW_CONTEXT never
SELECT pg_get_functiondef('notify_failed_job()'::regprocedure) AS original \gset
CREATE SCHEMA ql;
GRANT USAGE ON SCHEMA ql TO PUBLIC;
CREATE SCHEMA ql_owner AUTHORIZATION regress_owner;
CREATE ROLE regress_ql_edge LOGIN;
SET metrics_refresh.admin_role = 'regress_admins';
TRUNCATE metrics_refresh_internal.edge_function_log, metrics_refresh_internal.job_failure, metrics_refresh_internal.webhook_log;
-- The log without what differs from one run to the next.
CREATE VIEW ql.log WITH (security_invoker = true) AS
    SELECT row_number() OVER (ORDER BY id) AS n, function_name, level, message, sqlstate,
           context - 'run_id' AS context, job_id IS NOT NULL AS job, attempt, status, duration_ms IS NOT NULL AS timed,
           request_id, owner
    FROM edge_function_logs;
GRANT SELECT ON ql.log TO PUBLIC;

-- Nobody may write but by GRANT, also no super admin.
SET ROLE regress_admin;
SELECT tools.try($$SELECT metrics_refresh.log_function_call('f', 'success')$$);
SELECT tools.try($$SELECT metrics_refresh.record_webhook('stripe', 'paid')$$);
INSERT INTO edge_function_logs (function_name) VALUES ('f');
UPDATE edge_function_logs SET message = '';
DELETE FROM edge_function_logs;
SELECT count(*) FROM metrics_refresh_internal.edge_function_log;
SET ROLE regress_stranger;
INSERT INTO metrics_refresh.webhook_log (source, event) VALUES ('s', 'e');
CREATE TEMP TABLE bait (id bigint);
CREATE TRIGGER t AFTER INSERT ON bait FOR EACH ROW EXECUTE FUNCTION notify_failed_job();
RESET ROLE;
GRANT EXECUTE ON FUNCTION metrics_refresh.log_function_call, metrics_refresh.record_webhook TO regress_ql_edge;
GRANT INSERT ON edge_function_logs TO regress_owner;

-- Each row belongs to the role that writes it.
SET ROLE regress_ql_edge;
SELECT metrics_refresh.log_function_call('score', 'success', 12) > 0 AS logged;
SELECT metrics_refresh.log_function_call('score', 'Timeout', 30000.5, 'no answer', '{"url": "https://example.org"}', request_id => 'r-1') > 0 AS logged;
SELECT metrics_refresh.log_function_call(function_name => 'score', status => '200', level => 'warn', message => repeat('x', 9000)) > 0 AS logged;
SELECT metrics_refresh.record_webhook('stripe', 'invoice.paid', '{"amount": 5}', duration_ms => 3) > 0 AS logged;
SELECT metrics_refresh.record_webhook('github', 'push', error => 'no handler') > 0 AS logged;
SELECT metrics_refresh.record_webhook('github', 'push', NULL, 'ignored') > 0 AS logged;
SET ROLE regress_owner;
INSERT INTO edge_function_logs (function_name, level, message, context) VALUES ('mail', 'error', 'refused', '[1, 2]'), ('mail', NULL, NULL, NULL)
    RETURNING id > 0 AS id, function_name, level, created_at > now() - interval '1 hour' AS created;
COPY edge_function_logs (function_name, status, duration_ms, job_id, attempt, sqlstate, request_id) FROM stdin (FORMAT csv);
copied,failed,1.5,17,2,22012,r-2
\.
SELECT n, function_name, level, left(message, 10) AS message, sqlstate, context, job, attempt, status, timed, request_id, owner FROM ql.log;
SET ROLE regress_ql_edge;
SELECT n, function_name, level, left(message, 12) AS message, length(message), context, status, timed, request_id, owner FROM ql.log;
SELECT source, event, payload, status, duration_ms, error, owner FROM metrics_refresh.webhook_log ORDER BY id;
SET ROLE regress_stranger;
SELECT (SELECT count(*) FROM edge_function_logs) AS calls, (SELECT count(*) FROM metrics_refresh.webhook_log) AS webhooks;
SET ROLE regress_admin;
SELECT (SELECT count(*) FROM edge_function_logs) AS calls, (SELECT count(*) FROM metrics_refresh.webhook_log) AS webhooks;
-- A member of the role sees its rows.
RESET ROLE;
GRANT regress_ql_edge TO regress_stranger;
SET ROLE regress_stranger;
SELECT (SELECT count(*) FROM edge_function_logs) AS calls, (SELECT count(*) FROM metrics_refresh.webhook_log) AS webhooks;
RESET ROLE;
REVOKE regress_ql_edge FROM regress_stranger;

-- Wrong input.
SET ROLE regress_ql_edge;
SELECT tools.try(format('SELECT metrics_refresh.%s', call)) FROM unnest(ARRAY[
    $$log_function_call(NULL, 'success')$$, $$log_function_call('f', NULL)$$, $$log_function_call('', 'success')$$,
    $$log_function_call('f', '')$$, $$log_function_call(repeat('f', 501), 'success')$$, $$log_function_call('f', 'success', -1)$$,
    $$log_function_call('f', 'success', 'NaN')$$, $$log_function_call('f', 'success', 'Infinity')$$,
    $$log_function_call('f', 'success', level => 'fatal')$$, $$log_function_call('f', 'success', level => '')$$,
    $$log_function_call('f', 'success', request_id => repeat('r', 501))$$,
    $$log_function_call('f', 'success', context => to_jsonb(repeat('x', 1048577)))$$,
    $$record_webhook(NULL, 'e')$$, $$record_webhook('s', NULL)$$, $$record_webhook('', 'e')$$, $$record_webhook('s', '')$$,
    $$record_webhook('s', 'e', status => '')$$, $$record_webhook('s', 'e', duration_ms => -0.1)$$,
    $$record_webhook('s', repeat('e', 501))$$, $$record_webhook('s', 'e', to_jsonb(repeat('x', 1048577)))$$]) WITH ORDINALITY c (call, n) ORDER BY n;
SET ROLE regress_owner;
SELECT tools.try('INSERT INTO edge_function_logs ' || row) FROM unnest(ARRAY[
    $$(message) VALUES ('without a name')$$, $$(id, function_name) VALUES (1, 'f')$$, $$(function_name, created_at) VALUES ('f', 'infinity')$$,
    $$(function_name, owner) VALUES ('f', 'regress_stranger')$$, $$(function_name, level) VALUES ('f', 'FATAL')$$,
    $$(function_name, duration_ms) VALUES ('f', -1)$$]) WITH ORDINALITY r (row, n) ORDER BY n;
-- Nothing of this was logged, and nothing is in a transaction that may not write.
BEGIN READ ONLY;
INSERT INTO edge_function_logs (function_name) VALUES ('f');
ROLLBACK;
SELECT count(*) FROM edge_function_logs;
RESET ROLE;
TRUNCATE metrics_refresh_internal.edge_function_log, metrics_refresh_internal.webhook_log;

-- A failed refresh, command and group leave their rows, whoever runs them; a skipped or canceled run does not.
SET ROLE regress_owner;
CREATE FUNCTION ql_owner.divide(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / n; END $$;
CREATE TABLE ql_owner.t (n int);
INSERT INTO ql_owner.t VALUES (1);
CREATE MATERIALIZED VIEW ql_owner.v AS SELECT ql_owner.divide(n) AS share FROM ql_owner.t;
UPDATE ql_owner.t SET n = 0;
SELECT metrics_refresh.refresh('ql_owner.v') ->> 'sqlstate' AS refreshed;
SELECT metrics_refresh.schedule('ql_owner.v', NULL, job_name => 'view job', max_retries => 0) > 0 AS made;
SELECT metrics_refresh.schedule_command('command job', NULL, 'SELECT no_such_column', max_retries => 0) > 0 AS made;
SELECT metrics_refresh.schedule_group('group job', '{ql_owner.v}', max_retries => 0) > 0 AS made;
CALL tools.run('view job');
CALL tools.run('command job');
CALL tools.run('group job');
SELECT * FROM ql.log \gx
-- The worker of a run ends.
SELECT metrics_refresh.schedule_command('sleeper', NULL, 'SELECT pg_sleep(600)', max_retries => 0) > 0 AS made;
SELECT metrics_refresh.trigger('sleeper') AS run \gset
RESET ROLE;
CALL tools.wait_for_begin(:run);
SELECT pg_terminate_backend(worker_pid) FROM metrics_refresh.running WHERE run_id = :run;
SELECT metrics_refresh.wait(:run, '60 seconds');
SELECT function_name, level, message, sqlstate, context - 'run_id' AS context, (context ->> 'run_id')::bigint = :run AS run, status, owner
FROM edge_function_logs ORDER BY id DESC LIMIT 1 \gx
SELECT metrics_refresh.trigger('sleeper') AS run \gset
CALL tools.wait_for_begin(:run);
SELECT metrics_refresh.cancel(:run);
SELECT metrics_refresh.wait(:run, '60 seconds');
-- One row for each row of run_log with a failure, and both have the same owner.
SELECT count(*) AS failures, count(l.id) AS logged, count(f.id) AS kept,
       bool_and(l.function_name = coalesce(r.job_name, r.view_schema || '.' || r.view_name) AND l.owner = r.owner
                AND l.message = r.error_message AND l.sqlstate IS NOT DISTINCT FROM r.sqlstate AND l.attempt = r.attempt
                AND l.job_id IS NOT DISTINCT FROM r.job_id AND l.status = r.status) AS same
FROM metrics_refresh.run_log r
LEFT JOIN edge_function_logs l ON l.context ->> 'run_id' = r.run_id::text
LEFT JOIN metrics_refresh_internal.job_failure f ON f.context ->> 'run_id' = r.run_id::text
WHERE r.status IN ('error', 'interrupted') AND r.owner = 'regress_owner' AND coalesce(r.view_schema, 'ql_owner') = 'ql_owner'
  AND (r.job_name IN ('view job', 'command job', 'group job', 'sleeper') OR r.view_name = 'v');
SELECT count(*) AS of_other_runs FROM edge_function_logs l
LEFT JOIN metrics_refresh.run_log r ON r.run_id::text = l.context ->> 'run_id'
WHERE r.status IS NULL OR r.status NOT IN ('error', 'interrupted');
SET ROLE regress_stranger;
SELECT count(*) FROM edge_function_logs;
RESET ROLE;
TRUNCATE metrics_refresh_internal.edge_function_log, metrics_refresh_internal.job_failure;

-- The function of the trigger fails, writes nothing, or writes something else. Each time there is exactly one row of the
-- failure, and it belongs to the owner of the view.
CREATE PROCEDURE ql.fail_with(body text) LANGUAGE plpgsql SET check_function_bodies = off AS $$ BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql AS %L',
                   'BEGIN ' || body || ' RETURN NULL; END');
    SET LOCAL ROLE regress_owner;
    PERFORM metrics_refresh.refresh('ql_owner.v');
    RESET ROLE;
END $$;
CREATE FUNCTION ql.outcome(OUT kept bigint, OUT log text) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM metrics_refresh_internal.job_failure),
           (SELECT string_agg(concat_ws(', ', function_name, level, message, sqlstate, context ->> 'kind', attempt, owner), E'\n' ORDER BY id)
            FROM edge_function_logs) $$;
CREATE TABLE ql.alert (text text, run_by text, as_user text, path text);
BEGIN; CALL ql.fail_with('RAISE ''broken'';'); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN; CALL ql.fail_with('RAISE query_canceled;'); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN; CALL ql.fail_with('RAISE lock_not_available;'); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN; CALL ql.fail_with('PERFORM no_such_function();'); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN; CALL ql.fail_with('syntax error'); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN; CALL ql.fail_with(''); SELECT * FROM ql.outcome(); ROLLBACK;
-- A row that is rolled back in the function, and one that is written in the old way.
BEGIN; CALL ql.fail_with('BEGIN PERFORM metrics_refresh.log_function_call(''x'', ''y''); RAISE ''back''; EXCEPTION WHEN others THEN END;'); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN; CALL ql.fail_with('INSERT INTO public.edge_function_logs (function_name, level, message) VALUES (NEW.name, ''error'', ''of mine: '' || NEW.message);'); SELECT * FROM ql.outcome(); ROLLBACK;
-- An alert beside the row; the code of a superuser has its rights, a fixed path, and leaves nothing in the session.
BEGIN; CALL ql.fail_with('INSERT INTO ql.alert VALUES (NEW.message, session_user, current_user, current_setting(''search_path'')); SET search_path = ql; SET work_mem = ''1GB'';');
SELECT * FROM ql.outcome(); SELECT text, as_user = session_user AS superuser, path FROM ql.alert; SHOW search_path; SELECT current_setting('work_mem') = '1GB' AS changed; ROLLBACK;
BEGIN; CALL ql.fail_with('CREATE TEMP TABLE left_behind ();'); SELECT * FROM ql.outcome(); SELECT to_regclass('left_behind'); ROLLBACK;
BEGIN; CALL ql.fail_with('SET ROLE regress_stranger;'); SELECT * FROM ql.outcome(); ROLLBACK;
-- A function that takes too long is ended after a second.
BEGIN; CALL ql.fail_with('INSERT INTO ql.alert DEFAULT VALUES; PERFORM pg_sleep(600);'); SELECT * FROM ql.outcome(); SELECT count(*) FROM ql.alert; ROLLBACK;
-- Then this session does not call it for a minute.
BEGIN; CALL ql.fail_with('INSERT INTO ql.alert DEFAULT VALUES;'); SELECT * FROM ql.outcome(); SELECT count(*) FROM ql.alert; ROLLBACK;
\c
\set SHOW_CONTEXT never
-- A failure in the function has its own row, and does not call it again.
BEGIN; CALL ql.fail_with('PERFORM metrics_refresh.refresh(''ql_owner.v'');');
SELECT kept, array_length(string_to_array(log, E'\n'), 1) AS rows FROM ql.outcome(); ROLLBACK;
-- A cancel of the caller is none of the function.
BEGIN;
SET LOCAL statement_timeout = 200;
CALL ql.fail_with('PERFORM pg_sleep(600);');
ROLLBACK;

-- Without the trigger, or with one that swallows the row.
BEGIN; ALTER TABLE metrics_refresh_internal.job_failure DISABLE TRIGGER on_job_failure;
CALL ql.fail_with(''); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN; DROP TRIGGER on_job_failure ON metrics_refresh_internal.job_failure;
CALL ql.fail_with(''); SELECT * FROM ql.outcome(); ROLLBACK;
BEGIN;
CREATE FUNCTION ql.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER swallow BEFORE INSERT ON metrics_refresh_internal.job_failure FOR EACH ROW EXECUTE FUNCTION ql.swallow();
CALL ql.fail_with(''); SELECT * FROM ql.outcome(); ROLLBACK;

-- A function that belongs to another role is not executed: neither in the session of a caller nor in a worker.
CREATE ROLE regress_ql_author LOGIN;
GRANT CREATE ON SCHEMA public, ql TO regress_ql_author;
ALTER FUNCTION notify_failed_job() OWNER TO regress_ql_author;
SET ROLE regress_ql_author;
CREATE OR REPLACE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('CREATE TABLE ql.sprung_by_%s ()', current_user);
    RETURN NULL;
END $$;
SET ROLE regress_owner;
SELECT metrics_refresh.refresh('ql_owner.v') ->> 'sqlstate' AS refreshed;
CALL tools.run('command job');
RESET ROLE;
SELECT metrics_refresh.refresh('ql_owner.v') ->> 'sqlstate' AS refreshed;
SELECT * FROM ql.outcome();
SELECT c.oid::regclass AS sprung FROM pg_class c WHERE relname LIKE 'sprung%';
-- The session of its owner is no exception.
ALTER FUNCTION notify_failed_job() OWNER TO regress_owner;
SET ROLE regress_owner;
SELECT metrics_refresh.refresh('ql_owner.v') ->> 'sqlstate' AS refreshed;
RESET ROLE;
SELECT kept FROM ql.outcome();
SELECT c.oid::regclass AS sprung FROM pg_class c WHERE relname LIKE 'sprung%';
DO $$ BEGIN EXECUTE format('ALTER FUNCTION notify_failed_job() OWNER TO %I', session_user); END $$;
CREATE OR REPLACE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ql.alert VALUES (NEW.message, session_user, current_user);
    PERFORM metrics_refresh.log_function_call(NEW.name, NEW.status, NEW.duration_ms, NEW.message, NEW.context, 'error');
    RETURN NULL;
END $$;
-- In a worker it is executed in the session of the command's owner, as the extension's superuser.
TRUNCATE metrics_refresh_internal.edge_function_log, metrics_refresh_internal.job_failure;
SET ROLE regress_owner;
CALL tools.run('command job');
RESET ROLE;
SELECT text, run_by, (SELECT rolsuper FROM pg_roles WHERE rolname = as_user) AS superuser FROM ql.alert;
SELECT * FROM ql.outcome();

-- The scheduler logs the run of a dead worker, and does not wait for a function that takes too long.
CREATE OR REPLACE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';
SELECT metrics_refresh.trigger('sleeper') AS run \gset
CALL tools.wait_for_begin(:run);
SELECT pg_terminate_backend(worker_pid) FROM metrics_refresh.running WHERE run_id = :run;
SELECT metrics_refresh.wait(:run, '60 seconds');
SELECT kept, split_part(log, E'\n', 2) AS log FROM ql.outcome();

-- The rows are removed with the log of runs.
SELECT metrics_refresh.log_function_call('old', 'success'), metrics_refresh.record_webhook('old', 'event') \gset
UPDATE metrics_refresh_internal.edge_function_log SET created_at = now() - interval '31 days' WHERE function_name = 'old';
UPDATE metrics_refresh_internal.webhook_log SET created_at = now() - interval '31 days';
UPDATE metrics_refresh_internal.job_failure SET created_at = now() - interval '31 days';
SELECT metrics_refresh.record_webhook('new', 'event') > 0 AS logged;
SELECT cleanup_old_metrics_logs();
SELECT (SELECT count(*) FROM metrics_refresh_internal.job_failure) AS failures,
       (SELECT string_agg(function_name, ', ') FROM edge_function_logs) AS calls,
       (SELECT string_agg(source, ', ') FROM metrics_refresh.webhook_log) AS webhooks;

-- Beside hand-written objects of these names the extension is refused.
CREATE DATABASE regress_ql_other TEMPLATE template0;
\c regress_ql_other
\set SHOW_CONTEXT never
CREATE TABLE edge_function_logs (id bigint);
CREATE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE EXTENSION metrics_refresh;
\c contrib_regression
DROP DATABASE regress_ql_other;

:original;
SET client_min_messages = warning;
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE owner = 'regress_owner' ORDER BY job_name;
DROP SCHEMA ql, ql_owner CASCADE;
TRUNCATE metrics_refresh_internal.edge_function_log, metrics_refresh_internal.job_failure, metrics_refresh_internal.webhook_log;
REVOKE EXECUTE ON FUNCTION metrics_refresh.log_function_call, metrics_refresh.record_webhook FROM regress_ql_edge;
REVOKE INSERT ON edge_function_logs FROM regress_owner;
REVOKE CREATE ON SCHEMA public FROM regress_ql_author;
DROP ROLE regress_ql_author, regress_ql_edge;
