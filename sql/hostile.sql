-- What somebody does who means harm: in his own session, in the definition of his view, in the
-- command of his job.
\set SHOW_CONTEXT never
CREATE SCHEMA h AUTHORIZATION regress_stranger;
GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO regress_stranger;
CREATE TABLE public.secret AS SELECT 'the secret' AS secret;
CREATE MATERIALIZED VIEW public.of_super AS SELECT 1 AS one;
SELECT metrics_refresh.schedule('public.of_super', '0 0 1 1 *', job_name => 'of super') IS NOT NULL AS scheduled;

-- A search_path of his own, with traps in it: operators, functions and tables that would be taken for
-- the server's and the extension's. Whoever steps into one says so, and as whom.
SET ROLE regress_stranger;
CREATE FUNCTION h.sprung() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'sprung as %', current_user; RETURN true; END $$;
CREATE FUNCTION h.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT h.sprung()';
CREATE FUNCTION h.eq(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT h.sprung()';
CREATE FUNCTION h.eq(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT h.sprung()';
CREATE FUNCTION h.eq(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT h.sprung()';
CREATE FUNCTION h.eq(interval, interval) RETURNS boolean LANGUAGE sql AS 'SELECT h.sprung()';
CREATE OPERATOR h.= (LEFTARG = text, RIGHTARG = text, FUNCTION = h.eq);
CREATE OPERATOR h.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = h.eq);
CREATE OPERATOR h.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = h.eq);
CREATE OPERATOR h.= (LEFTARG = name, RIGHTARG = name, FUNCTION = h.eq);
CREATE OPERATOR h.> (LEFTARG = interval, RIGHTARG = interval, FUNCTION = h.eq);
CREATE OPERATOR h.< (LEFTARG = interval, RIGHTARG = interval, FUNCTION = h.eq);
CREATE FUNCTION h.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT h.sprung(); SELECT ''2000-01-01''::timestamptz';
CREATE FUNCTION h.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT h.sprung(); SELECT ''2000-01-01''::timestamptz';
CREATE FUNCTION h.count() RETURNS bigint LANGUAGE sql AS 'SELECT h.sprung(); SELECT 1::bigint';
CREATE FUNCTION h.quote_ident(text) RETURNS text LANGUAGE sql AS 'SELECT h.sprung(); SELECT $1';
CREATE FUNCTION h.make_interval(hours int) RETURNS interval LANGUAGE sql AS 'SELECT h.sprung(); SELECT interval ''0''';
CREATE FUNCTION h.nextval(text) RETURNS bigint LANGUAGE sql AS 'SELECT h.sprung(); SELECT 1::bigint';
CREATE FUNCTION h.is_super_admin() RETURNS boolean LANGUAGE sql AS 'SELECT h.sprung()';
CREATE TABLE h.pg_extension AS SELECT * FROM pg_extension;
CREATE TABLE h.pg_roles AS SELECT oid, 'postgres'::name AS rolname FROM pg_roles;
CREATE MATERIALIZED VIEW h.mv AS SELECT 1 AS one;
CREATE UNIQUE INDEX ON h.mv (one);
CREATE TEMP TABLE pg_class AS SELECT * FROM pg_catalog.pg_class;
CREATE TEMP TABLE pg_namespace AS SELECT oid, 'public'::name AS nspname FROM pg_catalog.pg_namespace;
CREATE TEMP TABLE job (n int);
SET search_path = pg_temp, h, metrics_refresh, pg_catalog;
SELECT schedule('h.mv', '@yearly', job_name => 'hostile') IS NOT NULL AS scheduled;
SELECT alter_job('hostile', lock_timeout => '1 s', strategy => 'diff');
SELECT schedule_command('hostile command', '@yearly', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT pause('hostile'), resume('hostile');
SELECT refresh('h.mv')::text LIKE '%"success": true%' AS refreshed;
SELECT strategy, unique_index, depends_on, job_name FROM explain_refresh('h.mv');
SELECT job_name, view_schema, view_name, schedule, last_status FROM job_status ORDER BY job_name;
SELECT job_name FROM metrics_refresh.job ORDER BY job_name;
SELECT job, total_refreshes FROM get_refresh_stats() ORDER BY job;
SELECT status FROM metrics_refresh.run_log;
SELECT pg_catalog.count(*) AS running FROM running;
SELECT check_name, severity FROM health_check() WHERE check_name OPERATOR(pg_catalog.=) 'preload';
SELECT status IS NOT NULL AS answered FROM health_summary();
SELECT pg_catalog.count(*) AS rows FROM view_dependencies WHERE view_schema OPERATOR(pg_catalog.=) 'h';
SELECT pg_catalog.count(*) AS settings FROM metrics_refresh.settings;
SELECT pg_catalog.count(*) AS due FROM next_runs('@daily');
SELECT total_refreshes FROM public.get_metrics_refresh_stats();
SELECT metrics_refresh.is_super_admin();
SELECT metrics_refresh.trigger('hostile') AS run \gset
SELECT wait(:run, '60 s');
SELECT cancel(:run);
SELECT cleanup_logs();
SELECT public.trigger_platform_metrics_refresh();
SELECT unschedule('hostile command');
SELECT metrics_refresh.trigger('of super');
RESET search_path;
DISCARD TEMP;
RESET ROLE;

-- The definition of his view, refreshed by a worker: as him, whatever it tries.
SET ROLE regress_stranger;
CREATE TABLE h.diary (n serial, entry text);
CREATE FUNCTION h.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE answer text; BEGIN
    EXECUTE statement INTO answer;
    RETURN 'did it: ' || coalesce(answer, 'NULL');
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ': ' || SQLERRM; END $$;
CREATE MATERIALIZED VIEW h.evil AS SELECT n, s AS statement, h.attempt(s) AS outcome FROM unnest(ARRAY[
    'SELECT current_user', 'SELECT current_setting(''is_superuser'')', 'SELECT current_setting(''search_path'')',
    'SET ROLE postgres', 'RESET ROLE', 'SET ROLE NONE', 'SET SESSION AUTHORIZATION postgres', 'RESET SESSION AUTHORIZATION', 'SET LOCAL ROLE postgres',
    'SELECT set_config(''role'', ''postgres'', false)', 'SELECT secret FROM public.secret', 'SELECT passwd FROM pg_catalog.pg_shadow LIMIT 1',
    'SELECT pg_read_file(''PG_VERSION'')', 'COPY h.diary (entry) FROM PROGRAM ''id''', 'ALTER ROLE regress_stranger SUPERUSER',
    'CREATE TEMP TABLE t (n int)', 'CREATE EXTENSION hstore', 'SELECT count(*) FROM metrics_refresh.job WHERE job_name = ''of super''',
    'UPDATE metrics_refresh.job SET owner = ''postgres''', 'SELECT metrics_refresh.is_super_admin()', 'SELECT metrics_refresh.cleanup_logs(''0'')',
    'SELECT metrics_refresh.pause(''of super'')', 'SELECT metrics_refresh.schedule_command(''x'', NULL, ''SELECT 1'') IS NOT NULL',
    'SELECT owner FROM metrics_refresh.job WHERE job_name = ''x''', 'SELECT metrics_refresh.refresh(''public.of_super'') ->> ''success''',
    'SET metrics_refresh.admin_role = ''regress_stranger''', 'LISTEN x', 'COMMIT',
    'SELECT set_config(''search_path'', ''h'', false)', 'SET lock_timeout = 0', 'SET session_replication_role = replica']) WITH ORDINALITY u (s, n)
    WITH NO DATA;
SELECT metrics_refresh.schedule('h.evil', job_name => 'hostile') IS NOT NULL AS scheduled;
CALL tools.run('hostile');
SELECT status, sqlstate, error_message FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
\a \t
-- The server's words for this differ from 15 to 16.
SELECT statement || ' -> ' || regexp_replace(outcome, '^42501: (must be superuser|permission denied to (COPY|alter role)).*', '42501: permission denied')
FROM h.evil ORDER BY n;
\a \t
-- Nothing that is put off until after the refresh runs as anybody else.
CREATE FUNCTION h.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM metrics_refresh.is_super_admin();
    RAISE WARNING 'deferred trigger ran as %', current_user;
    EXECUTE 'ALTER ROLE regress_stranger SUPERUSER';
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON h.diary DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION h.later();
CREATE FUNCTION h.write() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO h.diary (entry) VALUES (''x''); SELECT 1';
CREATE MATERIALIZED VIEW h.deferring AS SELECT h.write() AS w WITH NO DATA;
SELECT metrics_refresh.schedule('h.deferring', job_name => 'hostile') IS NOT NULL AS scheduled;
CALL tools.run('hostile');
SELECT status, sqlstate, error_message FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
-- Nor is it, where the superuser refreshes it himself: in his session too it is the owner's.
RESET ROLE;
SELECT metrics_refresh.refresh('h.deferring') ->> 'message' AS message;
SELECT metrics_refresh.refresh('h.evil') ->> 'success' AS success;
SELECT current_user, session_user, current_setting('search_path') AS search_path;
SELECT count(*) FILTER (WHERE outcome LIKE 'did it%') AS done, max(outcome) FILTER (WHERE n = 1) AS as_whom FROM h.evil;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_stranger';

-- Nor where it is kept by keys: what it calls is said to be immutable, in a language that is not looked into, his
-- table has our triggers.
CREATE TRUSTED LANGUAGE regress_closed HANDLER plpgsql_call_handler;
SET ROLE regress_stranger;
CREATE TABLE h.attempts (n int PRIMARY KEY, statement text);
INSERT INTO h.attempts VALUES (1, 'SELECT current_user'), (2, 'SELECT secret FROM public.secret');
CREATE FUNCTION h.sly(statement text) RETURNS text IMMUTABLE LANGUAGE regress_closed AS 'BEGIN RETURN h.attempt(statement); END';
CREATE MATERIALIZED VIEW h.kept AS SELECT n, h.sly(statement) AS outcome FROM h.attempts;
SELECT metrics_refresh.schedule('h.kept', strategy => 'incremental', job_name => 'hostile') IS NOT NULL AS scheduled;
SELECT metrics_refresh.refresh('h.kept') ->> 'success' AS success;
INSERT INTO h.attempts VALUES (4, 'SELECT current_user || current_setting(''search_path'')'), (5, 'SELECT secret FROM public.secret'), (6, 'SET ROLE postgres'),
    (7, 'SELECT count(*) FROM metrics_refresh.incremental_view'), (8, 'SELECT metrics_refresh.is_super_admin()');
RESET ROLE;
SELECT metrics_refresh.refresh('h.kept') ->> 'strategy' AS strategy;
SELECT * FROM h.kept ORDER BY n;

-- An expression of his index on the view is his as well.
SET ROLE regress_stranger;
CREATE FUNCTION h.indexed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    RAISE EXCEPTION 'indexed as %', current_user; END $$;
CREATE MATERIALIZED VIEW h.indexed AS SELECT 1 AS one WITH NO DATA;
CREATE INDEX ON h.indexed (h.indexed(one));
SELECT metrics_refresh.schedule('h.indexed', job_name => 'hostile') IS NOT NULL AS scheduled;
CALL tools.run('hostile');
SELECT status, error_message FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
-- Concurrently, through the equality of a type of his own.
CREATE TYPE h.pair AS (a int, b int);
CREATE FUNCTION h.eq(h.pair, h.pair) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    IF current_user <> 'regress_stranger' THEN RAISE WARNING 'compared as %', current_user; END IF; RETURN ($1).a = ($2).a; END $$;
CREATE OPERATOR h.= (LEFTARG = h.pair, RIGHTARG = h.pair, FUNCTION = h.eq, MERGES, HASHES);
CREATE MATERIALIZED VIEW h.typed AS SELECT 1 AS one, ROW(1, 2)::h.pair AS p;
CREATE UNIQUE INDEX ON h.typed (one);
RESET ROLE;
SELECT r ->> 'success' AS success, r ->> 'strategy' AS strategy FROM metrics_refresh.refresh('h.typed') r;

-- A command that hangs on, changes its session, or swallows its cancellation once, ends nevertheless.
SET ROLE regress_stranger;
SELECT metrics_refresh.schedule_command('hostile', NULL, 'DO $$ BEGIN BEGIN PERFORM pg_sleep(600);
    EXCEPTION WHEN query_canceled THEN NULL; END; END $$', max_runtime => '20 ms') IS NOT NULL AS scheduled;
CALL tools.run('hostile');
-- A role that changes its own defaults changes its command, and nothing of ours.
ALTER ROLE regress_stranger SET search_path = h;
ALTER ROLE regress_stranger SET row_security = off;
ALTER ROLE regress_stranger SET default_transaction_read_only = on;
ALTER ROLE regress_stranger SET default_transaction_isolation = 'serializable';
ALTER ROLE regress_stranger SET statement_timeout = 1;
ALTER ROLE regress_stranger SET lock_timeout = 1;
ALTER ROLE regress_stranger SET idle_in_transaction_session_timeout = 1;
SELECT metrics_refresh.schedule_command('hostile', NULL, 'SELECT pg_sleep(0.05)') IS NOT NULL AS scheduled;
CALL tools.run('hostile');
RESET ROLE;
ALTER ROLE regress_stranger RESET ALL;
SELECT job_name, owner, status, sqlstate, error_message FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 2;
-- What he calls himself, his schema and his view goes nowhere but into columns.
SET ROLE regress_stranger;
CREATE MATERIALIZED VIEW h."'; DROP TABLE public.secret; --" AS SELECT 1 AS one;
SELECT metrics_refresh.schedule('h."''; DROP TABLE public.secret; --"', job_name => '''); DROP TABLE public.secret; --') IS NOT NULL AS scheduled;
CALL tools.run('''); DROP TABLE public.secret; --');
SELECT check_name, severity, detail FROM metrics_refresh.health_check() WHERE detail LIKE '%DROP%';
RESET ROLE;
SELECT * FROM public.secret;

-- The predicate of an index: who has it simplified runs it.
SET ROLE regress_stranger;
CREATE TABLE h.ran_as (who name);
GRANT INSERT ON h.ran_as TO PUBLIC;
CREATE FUNCTION h.note() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO h.ran_as VALUES (current_user); RETURN true; END $$;
CREATE FUNCTION h.predicate(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN h.note(); END $$;
CREATE TABLE h.base (id int);
CREATE UNIQUE INDEX ON h.base (id) WHERE h.predicate(1);
CREATE MATERIALIZED VIEW h.with_predicate AS SELECT id FROM h.base;
CREATE UNIQUE INDEX ON h.with_predicate (id) WHERE h.predicate(1);
SELECT count(*) > 0 AS ran FROM h.ran_as;
SELECT metrics_refresh.schedule('h.with_predicate', NULL, job_name => 'indexed') IS NOT NULL AS scheduled;
RESET ROLE;
\c -
\set SHOW_CONTEXT never
SELECT incremental FROM metrics_refresh.explain_refresh('h.with_predicate');
SELECT count(*) > 0 AS checked FROM metrics_refresh.health_check();
SELECT metrics_refresh.refresh('h.with_predicate') ->> 'success' AS success;
CALL tools.run('indexed');
SELECT metrics_refresh.alter_job('indexed', strategy => 'incremental');
CALL tools.run('indexed');
CALL tools.run('indexed');
SELECT DISTINCT who FROM h.ran_as;

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
REVOKE EXECUTE ON FUNCTION metrics_refresh.schedule_command FROM regress_stranger;
\set VERBOSITY terse
DROP MATERIALIZED VIEW public.of_super;
DROP TABLE public.secret;
DROP SCHEMA h CASCADE;
DROP LANGUAGE regress_closed;
