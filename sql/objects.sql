-- The extension as a whole: what it contains, that all of it is commented, who may touch what, and
-- that it can be made in any schema and removed without a trace.
\set SHOW_CONTEXT never

-- The contract: every function with its arguments.
\a \t
SELECT format(E'%s.%s(%s)\n    returns %s, %s', pronamespace::regnamespace, proname,
              pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
              CASE provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END)
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
     AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
ORDER BY p.oid::regprocedure::text COLLATE "C";
\a \t

-- Tables, views and sequences.
SELECT c.oid::regclass AS relation, c.relkind, c.relrowsecurity AS row_security, c.reloptions
FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass
     AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
ORDER BY c.oid::regclass::text COLLATE "C";

-- All of it is commented, but for sequences.
SELECT d.classid::regclass, pg_describe_object(d.classid, d.objid, 0) AS without_comment
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
  AND obj_description(d.objid, d.classid::regclass::name) IS NULL
  AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass, 'pg_type'::regclass)
  AND (d.classid <> 'pg_type'::regclass OR EXISTS (SELECT FROM pg_type t WHERE t.oid = d.objid AND t.typtype = 'd'))
  AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind = 'S');
SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'metrics_refresh';

-- No SECURITY DEFINER; whatever is written in SQL pins its search_path; views run as the caller,
-- but for those that show catalogs only.
SELECT p.oid::regprocedure AS definer FROM pg_proc p
JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
WHERE p.prosecdef;
SELECT p.oid::regprocedure AS not_pinned FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
WHERE l.lanname <> 'c' AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);

-- What PUBLIC may do with each relation, and which functions it may not call.
SELECT c.oid::regclass AS relation, string_agg(a.privilege_type, ', ' ORDER BY 1) AS public_may
FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass
     AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee = 0
GROUP BY c.oid ORDER BY c.oid::regclass::text COLLATE "C";
SELECT p.oid::regprocedure AS not_for_public
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
     AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
WHERE NOT has_function_privilege('regress_stranger', p.oid, 'EXECUTE')
ORDER BY p.oid::regprocedure::text COLLATE "C";
-- No other role may use the domains, and no view has a column of one: a table that is made from it would depend on the extension.
SELECT t.oid::regtype AS domain, has_type_privilege('regress_stranger', t.oid, 'USAGE') AS usage,
       (SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.atttypid = t.oid AND c.relkind = 'v') AS in_views,
       (SELECT count(*) FROM pg_proc p WHERE t.oid = ANY (p.proargtypes || coalesce(p.proallargtypes, '{}') || p.prorettype)) AS in_functions
FROM pg_type t WHERE t.typtype = 'd' AND t.typnamespace = 'metrics_refresh_internal'::regnamespace ORDER BY t.oid::regtype::text COLLATE "C";
SELECT nspname, has_schema_privilege('regress_stranger', oid, 'USAGE') AS usage,
       has_schema_privilege('regress_stranger', oid, 'CREATE') AS create
FROM pg_namespace WHERE nspname LIKE 'metrics\_refresh%' ORDER BY nspname;

-- pg_dump takes the configuration and leaves the state.
SELECT unnest(extconfig)::regclass AS dumped FROM pg_extension WHERE extname = 'metrics_refresh';

-- The settings; those that decide about rights are not the user's to set.
SELECT name, setting, unit, context FROM metrics_refresh.settings ORDER BY name COLLATE "C";
SELECT count(*) AS undescribed FROM metrics_refresh.settings WHERE coalesce(description, '') = '';
SET ROLE regress_stranger;
SET metrics_refresh.admin_role = 'regress_stranger';
SET metrics_refresh.admin_check = 'public.yes';
SET metrics_refresh.timezone = 'Asia/Tokyo';
SET metrics_refresh.log_retention = '1 min';
SET metrics_refresh.suspend_after = 0;
SET metrics_refresh.enabled = off;
SET metrics_refresh.health_window = 1;
SET metrics_refresh.no_such_setting = 1;
SELECT count(*) FROM metrics_refresh.settings;
RESET ROLE;
RESET metrics_refresh.health_window;
SET metrics_refresh.timezone = 'Mars/Olympus';
SET metrics_refresh.admin_check = 'is_super_admin';
SET metrics_refresh.admin_check = 'public.';
SET metrics_refresh.admin_check = 'other.public.is_super_admin';
SET metrics_refresh.health_success_rate_warning = 101;
-- Later versions give the unit with the range.
\set VERBOSITY sqlstate
SET metrics_refresh.log_retention = 0;
\set VERBOSITY default
SET metrics_refresh.max_workers = 2;

-- The trigger functions cannot be used on a table of somebody else's, nor for a statement, which
-- has no row.
SET ROLE regress_stranger;
CREATE TEMP TABLE bait (job_id bigint, job_name text, schedule text, timezone text);
CREATE TRIGGER t AFTER INSERT ON bait EXECUTE FUNCTION metrics_refresh_internal.job_after_write();
CREATE TRIGGER t BEFORE INSERT ON bait FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_before_write();
CREATE TRIGGER t BEFORE INSERT ON bait FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.replace_default_job();
RESET ROLE;
CREATE TRIGGER t AFTER INSERT ON bait EXECUTE FUNCTION metrics_refresh_internal.job_after_write();
INSERT INTO bait VALUES (1);
DROP TRIGGER t ON bait;
CREATE TRIGGER t BEFORE INSERT ON bait EXECUTE FUNCTION metrics_refresh_internal.job_before_write();
INSERT INTO bait VALUES (1);
DROP TRIGGER t ON bait;
CREATE TRIGGER t AFTER INSERT ON bait FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_before_write();
INSERT INTO bait VALUES (1);
DROP TRIGGER t ON bait;
-- Nor does the capture of keys write into a table that is none of its own.
CREATE TRIGGER t AFTER INSERT ON bait REFERENCING NEW TABLE AS n FOR EACH STATEMENT
    EXECUTE FUNCTION metrics_refresh_internal.capture_keys('removed_default_job');
INSERT INTO bait VALUES (2);
SELECT count(*) FROM metrics_refresh_internal.removed_default_job;
-- GRANT … ON ALL FUNCTIONS of the schema that people use gives none of them away.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA metrics_refresh TO regress_stranger;
SELECT count(*) FROM pg_proc WHERE prorettype = 'trigger'::regtype AND probin LIKE '%metrics_refresh%'
    AND has_function_privilege('regress_stranger', oid, 'EXECUTE');
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA metrics_refresh FROM regress_stranger;
DROP TABLE bait;
SELECT metrics_refresh_internal.job_before_write();

-- In another database, in a schema whose name needs quotes, beside objects that somebody who may
-- create there has laid out to be taken for the server's own.
CREATE DATABASE regress_metrics_refresh_other TEMPLATE template0;
\c regress_metrics_refresh_other
\set SHOW_CONTEXT never
SET ROLE regress_stranger;
CREATE EXTENSION metrics_refresh;
RESET ROLE;

CREATE SCHEMA "Ünusual Schema" AUTHORIZATION regress_stranger;
SET ROLE regress_stranger;
SET search_path = "Ünusual Schema";
CREATE FUNCTION sprung() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trap was sprung by %', current_user; END $$;
CREATE FUNCTION nextval(text) RETURNS bigint LANGUAGE sql AS 'SELECT sprung(); SELECT 1::bigint';
CREATE FUNCTION num_nonnulls(name, name) RETURNS int LANGUAGE sql AS 'SELECT sprung(); SELECT 0';
CREATE FUNCTION num_nonnulls(name, text) RETURNS int LANGUAGE sql AS 'SELECT sprung(); SELECT 1';
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql AS 'SELECT sprung(); SELECT current_timestamp';
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT sprung(); SELECT current_timestamp';
CREATE FUNCTION same(oid, regclass) RETURNS boolean LANGUAGE sql AS 'SELECT sprung(); SELECT true';
CREATE FUNCTION same(oid, regnamespace) RETURNS boolean LANGUAGE sql AS 'SELECT sprung(); SELECT true';
CREATE FUNCTION same(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT sprung(); SELECT true';
CREATE FUNCTION same("char", text) RETURNS boolean LANGUAGE sql AS 'SELECT sprung(); SELECT true';
CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = regnamespace, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = name, RIGHTARG = text, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = "char", RIGHTARG = text, FUNCTION = same);
RESET ROLE;
RESET search_path;
BEGIN;
CREATE EXTENSION metrics_refresh SCHEMA "Ünusual Schema";
SELECT metrics_refresh.pause('refresh-platform-metrics');
COMMIT;
SELECT pg_describe_object(d.refclassid, d.refobjid, 0) AS a_trap,
       pg_describe_object(d.classid, d.objid, 0) AS fell_into_it
FROM pg_depend d
LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
WHERE coalesce(p.proowner, o.oprowner) = 'regress_stranger'::regrole
  AND d.classid <> 'pg_operator'::regclass;
SELECT job_name, view_schema, view_name, command FROM metrics_refresh.job ORDER BY 1;

-- Everything there works under its full name.
CREATE MATERIALIZED VIEW "Ünusual Schema".platform_metrics AS SELECT 1 AS one;
SELECT "Ünusual Schema".refresh_platform_metrics_with_logging();
SELECT "Ünusual Schema".trigger_platform_metrics_refresh() - 'duration_ms' AS triggered;
SELECT total_refreshes, successful_refreshes FROM "Ünusual Schema".get_metrics_refresh_stats();
SELECT view_schema, view_name, status FROM "Ünusual Schema".metrics_refresh_log ORDER BY id;
SELECT "Ünusual Schema".cleanup_old_metrics_logs();
SELECT create_index, depends_on FROM metrics_refresh.explain_refresh('"Ünusual Schema".platform_metrics');
SELECT metrics_refresh.trigger('refresh-platform-metrics') AS run \gset
SELECT metrics_refresh.wait(:run, '60 seconds');
ALTER EXTENSION metrics_refresh SET SCHEMA public;

-- DROP EXTENSION takes everything with it, also while a run is under way, and the name is free for
-- another beginning.
SELECT metrics_refresh.schedule_command('sleeper', NULL, 'SELECT pg_sleep(600)');
SELECT metrics_refresh.trigger('sleeper') AS run \gset
DO $$ BEGIN
    FOR i IN 1 .. 6000 LOOP
        EXIT WHEN EXISTS (SELECT FROM metrics_refresh.run_log WHERE status = 'running');
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
DROP EXTENSION metrics_refresh;
SELECT count(*) AS schemas_left FROM pg_namespace WHERE nspname LIKE 'metrics\_refresh%';
SELECT proname AS left_behind FROM pg_proc WHERE probin LIKE '%metrics_refresh%' OR prosrc LIKE 'mr\_%';
DO $$ BEGIN
    FOR i IN 1 .. 6000 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                              AND backend_type LIKE 'metrics_refresh%');
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
    END LOOP;
END $$;
SELECT backend_type AS still_there FROM pg_stat_activity
WHERE datname = current_database() AND backend_type LIKE 'metrics_refresh%';
CREATE EXTENSION metrics_refresh;
SELECT count(*) AS default_jobs FROM metrics_refresh.job;
CREATE EXTENSION metrics_refresh;
\c contrib_regression
-- The scheduler that has just started there makes way.
DROP DATABASE regress_metrics_refresh_other;
SELECT metrics_refresh.is_super_admin();
