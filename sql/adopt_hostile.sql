-- Adopting, and the functions of a schema, where strangers have left objects for the superuser who calls: none of
-- their code runs with his rights.
\set SHOW_CONTEXT never
CREATE ROLE regress_trap LOGIN;
CREATE SCHEMA trap AUTHORIZATION regress_trap;
CREATE SCHEMA trapped;
GRANT USAGE, CREATE ON SCHEMA trapped TO regress_trap;
CREATE FUNCTION trap.is_sprung() RETURNS boolean LANGUAGE sql AS
    $$ SELECT coalesce(current_setting('trap.sprung', true), '') <> '' OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'regress_trap' AND rolsuper) $$;

-- The name of a group ends no quotes.
SET ROLE regress_trap;
CREATE MATERIALIZED VIEW trapped.mv AS SELECT 1 AS one;
SELECT metrics_refresh.schedule_group('x$metrics_refresh$ SET check_function_bodies = off; ALTER ROLE regress_trap SUPERUSER; SELECT $metrics_refresh$',
                                      schema_name => 'trapped', populate => false) IS NOT NULL AS scheduled;
-- Nor is a function of his called by those who call the schema's.
CREATE FUNCTION trapped.manual_refresh() RETURNS void LANGUAGE sql AS 'SELECT';
RESET ROLE;
SELECT object, action, note FROM metrics_refresh.create_schema_api('trapped', true) WHERE action <> 'undo' ORDER BY step;
\a \t
SELECT tools.try($$SELECT metrics_refresh.create_schema_api('trapped', false)$$);
\a \t
DROP FUNCTION trapped.manual_refresh();
SELECT object, action FROM metrics_refresh.create_schema_api('trapped', false) WHERE action <> 'undo' ORDER BY step;
SELECT prosrc ~ 'ALTER ROLE' AS has_his_name FROM pg_proc WHERE pronamespace = 'trapped'::regnamespace AND proname = 'refresh_all_views';
-- The owner of the schema may name his group as he likes.
ALTER SCHEMA trapped OWNER TO regress_trap;
DROP FUNCTION trapped.refresh_all_views(), trapped.manual_refresh(), trapped.get_cron_job_status(), trapped.health_check();
SELECT object, action FROM metrics_refresh.create_schema_api('trapped', false) WHERE action <> 'undo' AND object ~ 'refresh_all_views' ORDER BY step;
SELECT prosrc ~ 'ALTER ROLE' AS has_his_name FROM pg_proc WHERE pronamespace = 'trapped'::regnamespace AND proname = 'refresh_all_views';
SELECT trap.is_sprung();

-- A log of his, with an index whose predicate the planner would run, is in the way.
SET ROLE regress_trap;
CREATE FUNCTION trap.evil() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM set_config('trap.sprung', current_user, false); RETURN 1; END $$;
CREATE MATERIALIZED VIEW trap.platform_metrics AS SELECT 1 AS id;
CREATE TABLE trap.metrics_refresh_log (id bigint, started_at timestamptz, status text);
CREATE FUNCTION trap.cleanup_old_metrics_logs() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION trap.is_super_admin() RETURNS boolean LANGUAGE sql AS 'SELECT true';
ALTER TABLE trap.metrics_refresh_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON trap.metrics_refresh_log FOR SELECT USING (trap.is_super_admin());
CREATE INDEX ON trap.metrics_refresh_log (id) WHERE trap.evil() = 1;
RESET ROLE;
SET trap.sprung = '';
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'trap') WHERE action <> 'undo' ORDER BY step;
\a \t
SELECT tools.try($$SELECT metrics_refresh.adopt_platform_metrics(false, 'trap')$$);
\a \t
SELECT trap.is_sprung();
-- So is a view of his over a log that is not.
ALTER TABLE trap.metrics_refresh_log OWNER TO CURRENT_USER;
DROP INDEX trap.metrics_refresh_log_id_idx;
ALTER FUNCTION trap.cleanup_old_metrics_logs() OWNER TO CURRENT_USER;
GRANT SELECT ON trap.metrics_refresh_log TO regress_trap;
SET ROLE regress_trap;
CREATE VIEW trap.over AS SELECT id FROM trap.metrics_refresh_log;
RESET ROLE;
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'trap') WHERE action IN ('in the way', 'left') ORDER BY step;
-- A super admin who is no superuser reads no table with the extension's rights.
CREATE ROLE regress_trap_admin LOGIN IN ROLE regress_trap;
SET metrics_refresh.admin_role = 'regress_trap_admin';
SET ROLE regress_trap_admin;
\a \t
SELECT tools.try($$SELECT metrics_refresh.adopt_platform_metrics(schema_name => 'trap')$$);
\a \t
RESET ROLE;
RESET metrics_refresh.admin_role;
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE group_schema = 'trapped';
SET client_min_messages = warning;
DROP SCHEMA trap, trapped CASCADE;
DROP ROLE regress_trap_admin, regress_trap;
