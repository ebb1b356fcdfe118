-- The functions of a schema of views: made where there are none, replaced where they were written by hand.
\set SHOW_CONTEXT never
\a
\pset null -
SELECT tools.try('SELECT metrics_refresh.create_schema_api(''missing'')');
SELECT tools.try('SELECT metrics_refresh.create_schema_api(NULL)');
SELECT tools.try('SELECT metrics_refresh.create_schema_api(''public'', NULL)');
GRANT CREATE ON DATABASE contrib_regression TO regress_owner;
SET ROLE regress_owner;
CREATE SCHEMA analytics;
SELECT tools.try('SELECT metrics_refresh.create_schema_api(''analytics'')');
RESET ROLE;
SELECT tools.try('SELECT metrics_refresh.create_schema_api(''analytics'')');
SET ROLE regress_owner;
CREATE TABLE analytics.sale (n int);
INSERT INTO analytics.sale VALUES (1), (2);
CREATE MATERIALIZED VIEW analytics.a_total AS SELECT 0::bigint AS n;
CREATE MATERIALIZED VIEW analytics.z_daily AS SELECT n FROM analytics.sale;
DROP MATERIALIZED VIEW analytics.a_total;
CREATE MATERIALIZED VIEW analytics.a_total AS SELECT count(*) AS n FROM analytics.z_daily;
RESET ROLE;

SELECT object, action, note FROM metrics_refresh.create_schema_api('analytics', dry_run => true) WHERE action <> 'undo';
SELECT count(*) FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace;
SELECT object, action, note FROM metrics_refresh.create_schema_api('analytics');
SELECT object, action FROM metrics_refresh.create_schema_api('analytics');
SELECT proname, pg_get_function_result(oid) AS result, prosecdef, proconfig FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace ORDER BY 1;

-- In the order of their dependencies, with what they hold now.
INSERT INTO analytics.sale VALUES (3);
SELECT view_name, row_count, refreshed_at > now() - interval '1 minute' AS fresh FROM analytics.refresh_all_views();
SELECT n FROM analytics.a_total;
SELECT view_name, row_count FROM analytics.manual_refresh();
SELECT job_name, schedule, command, active FROM analytics.get_cron_job_status();
SELECT view_name, row_count, status, message FROM analytics.health_check();
-- For the owner, and for admins; nobody else.
SET ROLE regress_owner;
SELECT view_name, row_count FROM analytics.manual_refresh();
RESET ROLE;
GRANT USAGE ON SCHEMA analytics TO PUBLIC;
SET ROLE regress_stranger;
SELECT tools.try('SELECT analytics.manual_refresh()');
SELECT tools.try('SELECT analytics.refresh_all_views()');
SELECT tools.try('SELECT analytics.get_cron_job_status()');
SELECT tools.try('SELECT analytics.health_check()');
RESET ROLE;
-- A view that fails is told.
ALTER TABLE analytics.sale RENAME n TO m;
CREATE FUNCTION analytics.broken(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
SET ROLE regress_owner;
CREATE MATERIALIZED VIEW analytics.m_broken AS SELECT analytics.broken(m) FROM analytics.sale WITH NO DATA;
SELECT view_name, row_count FROM analytics.refresh_all_views();
SELECT view_name, status, message FROM analytics.health_check();
DROP MATERIALIZED VIEW analytics.m_broken;
RESET ROLE;

DROP FUNCTION analytics.refresh_all_views(), analytics.manual_refresh(), analytics.get_cron_job_status(), analytics.health_check();
SELECT metrics_refresh.unschedule('analytics');

-- Hand-written ones keep their results, and are the same objects.
SET ROLE regress_owner;
CREATE FUNCTION analytics.refresh_all_views() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    REFRESH MATERIALIZED VIEW analytics.z_daily; REFRESH MATERIALIZED VIEW analytics.a_total; END $$;
CREATE FUNCTION analytics.manual_refresh() RETURNS jsonb LANGUAGE sql AS $$ SELECT analytics.refresh_all_views(); SELECT '{}'::jsonb $$;
CREATE FUNCTION analytics.get_cron_job_status() RETURNS TABLE (jobname text, schedule text, active boolean) LANGUAGE sql AS $$ SELECT '', '', true $$;
CREATE FUNCTION analytics.health_check() RETURNS TABLE (view_name text, row_count bigint, last_refresh timestamptz, is_healthy boolean) LANGUAGE sql
    AS $$ SELECT '', 1::bigint, now(), true $$;
REVOKE ALL ON FUNCTION analytics.manual_refresh() FROM PUBLIC;
RESET ROLE;
CREATE TEMP TABLE before AS SELECT oid, proname, proacl, proowner, pg_get_function_result(oid) AS result, pg_get_functiondef(oid) AS definition
    FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace AND prokind = 'f';
CREATE TEMP TABLE made AS SELECT * FROM metrics_refresh.create_schema_api('analytics');
SELECT object, action, note FROM made WHERE action <> 'undo' ORDER BY step;
SELECT count(*) AS kept FROM pg_proc p JOIN before b USING (oid) WHERE p.proacl IS NOT DISTINCT FROM b.proacl AND p.proowner = b.proowner
    AND pg_get_function_result(p.oid) = b.result;
SELECT analytics.refresh_all_views();
SELECT m ->> 'success' AS success, jsonb_path_query_array(m, '$.views[*].view_name') AS views, jsonb_path_query_array(m, '$.views[*].row_count') AS rows
FROM analytics.manual_refresh() m;
SELECT * FROM analytics.get_cron_job_status();
SELECT view_name, row_count, last_refresh IS NOT NULL AS refreshed, is_healthy FROM analytics.health_check();
DO $$ DECLARE s text; BEGIN FOR s IN SELECT statement FROM made WHERE action = 'undo' ORDER BY step LOOP EXECUTE s; END LOOP; END $$;
SELECT count(*) AS as_before FROM before WHERE definition = pg_get_functiondef(oid);
SELECT job_name FROM metrics_refresh.job WHERE NOT is_default;
-- One that has another shape is in the way.
CREATE FUNCTION analytics.health_check(verbose boolean) RETURNS void LANGUAGE sql AS 'SELECT';
SELECT tools.try('SELECT metrics_refresh.create_schema_api(''analytics'')');

DROP SCHEMA analytics CASCADE;
REVOKE CREATE ON DATABASE contrib_regression FROM regress_owner;
TRUNCATE metrics_refresh_internal.run_log;
