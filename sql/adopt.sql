-- Moving in from functions and a log that were written by hand, in shapes of many kinds. The whole way
-- of one such installation, with its policies and with pg_cron, is test/t/047_adopt.pl.
\set SHOW_CONTEXT never
\a
\pset null -
-- Everything in this file is rolled back, so the settings of the database stay.
\set adopt 'SELECT step, object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => ''app'', dry_run => '

-- Nothing there, not this one, not the extension's own, no NULL, not for everybody.
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(schema_name => ''missing'')');
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics()');
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(NULL)');
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(schema_name => NULL)');
CREATE SCHEMA app;
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(schema_name => ''app'')');
CREATE MATERIALIZED VIEW app.platform_metrics AS SELECT 1 AS one;
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(schema_name => ''app'')');
SET ROLE regress_owner;
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(schema_name => ''app'')');
SELECT tools.try('SELECT metrics_refresh.forget_adopted_runs(''app'')');
SELECT tools.try('SELECT metrics_refresh.refresh_by_name(''app'', ''platform_metrics'', true)');
RESET ROLE;
SELECT tools.try('SELECT metrics_refresh.refresh_by_name(NULL, ''platform_metrics'')');
SELECT metrics_refresh.refresh_by_name('nowhere', 'missing') - 'duration_ms' AS missing;

-- A log with bigint ids, an enum, names of its own, times without zone, a column of each odd type.
BEGIN;
CREATE TYPE app.outcome AS ENUM ('STARTED', 'completed', 'failed');
CREATE DOMAIN app.short AS varchar(5) CHECK (VALUE <> 'x');
CREATE TYPE app.pair AS (a int, b text);
CREATE TABLE app.metrics_refresh_log (
    id bigserial PRIMARY KEY, view_name text, status app.outcome, refresh_started_at timestamp, end_time timestamptz,
    duration_seconds numeric, "error" varchar(10) COLLATE "C", took interval, amount money, bits bytea, word app.short,
    pair app.pair, list text[], "quote""d" float8, row_count int, gone int);
ALTER TABLE app.metrics_refresh_log DROP COLUMN gone;
INSERT INTO app.metrics_refresh_log (view_name, status, refresh_started_at, end_time, duration_seconds, "error", took, amount, bits, word, pair, list, "quote""d", row_count) VALUES
    ('platform_metrics', 'completed', '2026-01-05 10:00', '2026-01-05 10:00:02+00', 2.5, NULL, '1 mon -2 days 03:00', '-1.50', '\x00ff', 'abc', (1, 'a,"b'), '{a,"b c",NULL}', 0.1, 7),
    ('other', 'failed', '2026-01-05 11:00', NULL, NULL, 'broken', NULL, NULL, '', NULL, NULL, '{}', 'NaN', NULL),
    (NULL, 'STARTED', NULL, NULL, NULL, NULL, '-1 us', NULL, NULL, NULL, ROW(NULL, NULL), NULL, '-Infinity', NULL),
    ('platform_metrics', NULL, 'infinity', '-infinity', 'NaN', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
SELECT setval('app.metrics_refresh_log_id_seq', 1000000);
INSERT INTO app.metrics_refresh_log (view_name, status, refresh_started_at) VALUES ('platform_metrics', 'completed', '2026-01-06 10:00');
CREATE TABLE app.before AS SELECT * FROM app.metrics_refresh_log;
SET LOCAL DateStyle = 'SQL, DMY'; SET LOCAL IntervalStyle = sql_standard; SET LOCAL extra_float_digits = -5;
:adopt false) WHERE action <> 'undo';
RESET DateStyle; RESET IntervalStyle; RESET extra_float_digits;
SELECT count(*) AS differs FROM (
    (SELECT t::text FROM app.before t EXCEPT ALL
     SELECT v::text FROM (SELECT id, view_name, status, refresh_started_at, end_time, duration_seconds, "error", took, amount, bits, word, pair, list, "quote""d", row_count
                          FROM app.metrics_refresh_log) v)
    UNION ALL
    (SELECT v::text FROM (SELECT id, view_name, status, refresh_started_at, end_time, duration_seconds, "error", took, amount, bits, word, pair, list, "quote""d", row_count
                          FROM app.metrics_refresh_log) v EXCEPT ALL SELECT t::text FROM app.before t)) d;
SELECT a.attname, format_type(a.atttypid, a.atttypmod) = format_type(b.atttypid, b.atttypmod) AND a.attcollation = b.attcollation AS same_type
FROM pg_attribute a LEFT JOIN pg_attribute b ON b.attrelid = 'app.before'::regclass AND b.attname = a.attname
WHERE a.attrelid = 'app.metrics_refresh_log'::regclass AND a.attnum > 0 ORDER BY a.attnum;
SELECT view_schema, view_name, status, CASE WHEN started_at <> transaction_timestamp() THEN started_at END AS started_at,
    CASE WHEN finished_at <> transaction_timestamp() THEN finished_at END AS finished_at, duration_ms, error_message, rows_total, strategy_reason, owner
FROM metrics_refresh.run_log WHERE adopted IS NOT NULL AND view_schema = 'app' ORDER BY adopted ->> 'id';
-- New ones: in its words, with numbers of their own.
SELECT metrics_refresh.refresh('app.platform_metrics') ->> 'success' AS refreshed;
SELECT id > 1000000 AS is_new, view_name, status, "error", word FROM app.metrics_refresh_log ORDER BY id DESC LIMIT 2;
SELECT metrics_refresh.forget_adopted_runs('app');
SELECT count(*) FROM app.metrics_refresh_log;
ROLLBACK;

-- Other results, arguments and languages of the functions.
CREATE TABLE app.metrics_refresh_log (id int, success boolean, created_at timestamptz NOT NULL, error_message text);
BEGIN;
CREATE FUNCTION app.refresh_platform_metrics_with_logging() RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION app.trigger_platform_metrics_refresh(OUT success boolean, OUT msg varchar(40), OUT duration_ms int) LANGUAGE sql AS $$ SELECT true, '', 1 $$;
CREATE FUNCTION app.cleanup_old_metrics_logs(retention_days integer DEFAULT 90) RETURNS TABLE (deleted_count numeric) LANGUAGE sql AS 'SELECT 1::numeric';
CREATE FUNCTION app.get_metrics_refresh_stats(hours_back bigint DEFAULT (2 * 12)) RETURNS json LANGUAGE sql STABLE AS $$ SELECT '{}'::json $$;
CREATE VIEW app.stats AS SELECT app.get_metrics_refresh_stats(5) AS s;
:adopt false) WHERE action <> 'undo';
SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result, provolatile, prosecdef, prosrc
FROM pg_proc WHERE pronamespace = 'app'::regnamespace ORDER BY 1;
SELECT app.refresh_platform_metrics_with_logging(), success, msg, duration_ms >= 0 AS took FROM app.trigger_platform_metrics_refresh();
SELECT * FROM app.cleanup_old_metrics_logs(30000);
SELECT app.get_metrics_refresh_stats() ->> 'total_refreshes' AS total, s ->> 'failed_refreshes' AS failed FROM app.stats;
SELECT DISTINCT success, error_message FROM app.metrics_refresh_log;
:adopt false);
ROLLBACK;

-- What cannot be kept is in the way, and is all said at once.
BEGIN;
CREATE FUNCTION app.refresh_platform_metrics_with_logging(force boolean) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE PROCEDURE app.trigger_platform_metrics_refresh() LANGUAGE sql AS 'SELECT';
CREATE FUNCTION app.cleanup_old_metrics_logs() RETURNS date LANGUAGE sql AS 'SELECT current_date';
CREATE FUNCTION app.get_metrics_refresh_stats() RETURNS TABLE (total_refreshes int, p95_ms numeric) LANGUAGE sql AS 'SELECT 1, 1.0';
CREATE VIEW app.stats AS SELECT * FROM app.get_metrics_refresh_stats();
ALTER TABLE app.metrics_refresh_log DROP COLUMN success;
:adopt true);
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(false, ''app'')');
SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r';
ROLLBACK;

-- By one who is no superuser, has the owner's rights, and is an admin: refused, for what he owns would run code with
-- the extension's rights. Rights to columns are carried over. An admin check of somebody who is none is not proposed.
BEGIN;
CREATE ROLE regress_mover IN ROLE regress_owner, regress_admins;
SET LOCAL metrics_refresh.admin_role = 'regress_admins';
ALTER SCHEMA app OWNER TO regress_owner;
ALTER MATERIALIZED VIEW app.platform_metrics OWNER TO regress_owner;
INSERT INTO app.metrics_refresh_log VALUES (1, true, now(), NULL), (2, NULL, now(), 'why');
GRANT SELECT (id, success) ON app.metrics_refresh_log TO regress_stranger WITH GRANT OPTION;
CREATE FUNCTION app.is_admin() RETURNS boolean LANGUAGE sql AS 'SELECT true';
ALTER FUNCTION app.is_admin() OWNER TO regress_owner;
SET LOCAL ROLE regress_mover;
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(true, ''app'')');
RESET ROLE;
SELECT step, object, action, statement, note FROM metrics_refresh.adopt_platform_metrics(false, 'app') WHERE action <> 'made';
SELECT relname, relkind, relowner::regrole FROM pg_class WHERE relnamespace = 'app'::regnamespace ORDER BY 1;
SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'app.metrics_refresh_log'::regclass AND attacl IS NOT NULL;
SELECT owner, status, error_message FROM metrics_refresh.run_log WHERE adopted IS NOT NULL ORDER BY run_id;
ROLLBACK;
-- Nor one that does not work with a fixed search_path, nor another one's objects.
BEGIN;
CREATE TABLE public.admins (name text);
CREATE FUNCTION app.is_super_admin() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN EXISTS (SELECT FROM admins WHERE name = current_user); END $$;
:adopt true) WHERE object ~ 'setting';
SET LOCAL metrics_refresh.admin_role = 'regress_admins';
SET LOCAL ROLE regress_admin;
SELECT tools.try('SELECT metrics_refresh.adopt_platform_metrics(schema_name => ''app'')');
ROLLBACK;

-- Policies go with it: for whom they are, restrictive ones, and those that read the row.
BEGIN;
ALTER TABLE app.metrics_refresh_log ADD owner_name text DEFAULT 'regress_stranger';
INSERT INTO app.metrics_refresh_log VALUES (1, true, now(), NULL, 'regress_stranger'), (2, false, now(), 'a', 'regress_stranger'), (3, true, now(), NULL, 'regress_owner');
ALTER TABLE app.metrics_refresh_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.metrics_refresh_log FOR SELECT TO regress_stranger, regress_admins
    USING (EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND metrics_refresh_log.owner_name = 'regress_stranger'));
CREATE POLICY clean ON app.metrics_refresh_log AS RESTRICTIVE FOR ALL USING (success);
CREATE POLICY writes ON app.metrics_refresh_log FOR INSERT WITH CHECK (false);
GRANT USAGE ON SCHEMA app TO PUBLIC;
GRANT SELECT ON app.metrics_refresh_log TO PUBLIC;
SET LOCAL metrics_refresh.admin_role = 'regress_admins';
SET LOCAL ROLE regress_admin;
SELECT array_agg(id ORDER BY id) AS admin_saw FROM app.metrics_refresh_log;
RESET ROLE;
:adopt false) WHERE object = 'view app.metrics_refresh_log';
SET LOCAL ROLE regress_admin;
SELECT array_agg(id ORDER BY id) AS admin_sees FROM app.metrics_refresh_log;
SET LOCAL ROLE regress_owner;
SELECT array_agg(id ORDER BY id) AS others_see FROM app.metrics_refresh_log;
RESET ROLE;
SELECT array_agg(id ORDER BY id) AS superuser_sees FROM app.metrics_refresh_log;
ROLLBACK;

-- Numbers of runs stay below 2^53, and within the type of the log's own, whatever ids a row has.
DROP TABLE app.metrics_refresh_log;
SELECT last_value AS last_run FROM metrics_refresh_internal.run_id_seq \gset
BEGIN;
CREATE TABLE app.metrics_refresh_log (id bigint, status text, started_at timestamptz);
INSERT INTO app.metrics_refresh_log VALUES (9007199254740991, 'success', '2026-01-01'), (9223372036854775807, 'success', '2026-01-02'),
    (:last_run + 1000, 'success', '2026-01-03'), (-5, 'success', '2026-01-04'), (NULL, 'success', '2026-01-05');
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(false, 'app') WHERE object ~ '^rows' AND action <> 'undo';
SELECT run_id BETWEEN :last_run + 1001 AND :last_run + 1005 AS goes_on, CASE WHEN l.id = :last_run + 1000 THEN 1000 ELSE l.id END AS id FROM app.metrics_refresh_log l ORDER BY l.run_id;
ROLLBACK;
BEGIN;
CREATE TABLE app.metrics_refresh_log (id smallint, success boolean, started_at timestamptz);
INSERT INTO app.metrics_refresh_log VALUES (32767, true, '2026-01-01');
SELECT setval('metrics_refresh_internal.run_id_seq', 40000 + :last_run) > 0 AS set;
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(false, 'app') WHERE object ~ '^rows' AND action <> 'undo';
SELECT metrics_refresh.refresh('app.platform_metrics') ->> 'success' AS refreshed;
SELECT id, success FROM app.metrics_refresh_log ORDER BY started_at;
ROLLBACK;
SELECT setval('metrics_refresh_internal.run_id_seq', :last_run) > 0 AS set;
-- Names that mean something in a regular expression, and in quotes.
BEGIN;
CREATE SCHEMA "a.b(c""d";
CREATE MATERIALIZED VIEW "a.b(c""d".platform_metrics AS SELECT 1 AS one;
CREATE TABLE "a.b(c""d".metrics_refresh_log (id int, "%s) TO public --" text, success boolean, started_at timestamptz);
GRANT SELECT ("%s) TO public --", id) ON "a.b(c""d".metrics_refresh_log TO regress_stranger;
CREATE FUNCTION public.writes() RETURNS void LANGUAGE sql AS 'DELETE FROM "a.b(c""d".metrics_refresh_log';
CREATE FUNCTION public.reads() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM "a.b(c""d".metrics_refresh_log';
CREATE SCHEMA axb;
CREATE TABLE axb.metrics_refresh_log (id int);
CREATE FUNCTION axb.writes() RETURNS void LANGUAGE sql AS 'DELETE FROM metrics_refresh_log';
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'a.b(c"d') WHERE action = 'in the way';
DROP FUNCTION public.writes();
SELECT object, action, statement FROM metrics_refresh.adopt_platform_metrics(false, 'a.b(c"d') WHERE action LIKE 'granted%';
SELECT attname, attacl FROM pg_attribute WHERE attrelid = '"a.b(c""d".metrics_refresh_log'::regclass AND attacl IS NOT NULL ORDER BY 1;
SELECT public.reads();
ROLLBACK;

DROP SCHEMA app CASCADE;
TRUNCATE metrics_refresh_internal.run_log;
