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

-- An installation of his. All that a table can run is his: it runs as he, in a restricted operation, or not at all. The
-- sequences count even what is rolled back.
SELECT current_user AS me \gset
\c - regress_trap
CREATE SEQUENCE trap.as_him;
CREATE SEQUENCE trap.as_other;
CREATE TABLE trap.ran (what text);
CREATE FUNCTION trap.attempt(what text) RETURNS int LANGUAGE plpgsql AS $$ DECLARE s text; BEGIN
    IF current_user = 'regress_trap' THEN PERFORM nextval('trap.as_him'); ELSE PERFORM nextval('trap.as_other'); END IF;
    INSERT INTO trap.ran VALUES (what);
    FOREACH s IN ARRAY ARRAY['RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET ROLE ' || session_user, 'ALTER ROLE regress_trap SUPERUSER'] LOOP
      BEGIN EXECUTE s; EXECUTE 'ALTER ROLE regress_trap SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
    PERFORM set_config('trap.sprung', current_user, false), set_config('search_path', 'trap', false), set_config('check_function_bodies', 'off', false);
    RETURN 1; END $$;
CREATE FUNCTION trap.evil(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM trap.attempt(what); RETURN 1; END $$;
CREATE FUNCTION trap.on_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.attempt('trigger'); RETURN coalesce(NEW, OLD); END $$;
CREATE DOMAIN trap.checked AS int CHECK (trap.evil('domain') = 1);
CREATE TYPE trap.pair AS (a trap.checked, b text);
CREATE FUNCTION trap.to_pair(text) RETURNS trap.pair LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.attempt('cast'); RETURN NULL; END $$;
CREATE CAST (text AS trap.pair) WITH FUNCTION trap.to_pair(text) AS IMPLICIT;
CREATE FUNCTION trap.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT trap.evil('format')::text $$;
CREATE FUNCTION trap.jsonb_object(text[], text[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb(trap.evil('jsonb_object')) $$;
CREATE FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT trap.evil('operator') = 1 $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);
CREATE MATERIALIZED VIEW trap.platform_metrics AS SELECT 1 AS id;
CREATE TABLE trap.metrics_refresh_log (id bigint DEFAULT trap.evil('default'), started_at timestamptz, status text, kind trap.checked, pair trap.pair,
    computed int GENERATED ALWAYS AS (trap.evil('generated')) STORED, CHECK (trap.evil('check') = 1));
CREATE TABLE trap.child (more int) INHERITS (trap.metrics_refresh_log);
INSERT INTO trap.metrics_refresh_log VALUES (1, '2026-01-01', 'success', 7, (8, 'x')), (2, '2026-01-02', 'error', NULL, NULL);
INSERT INTO trap.child VALUES (3, '2026-01-03', 'success', 9, NULL);
CREATE TRIGGER fires BEFORE INSERT OR UPDATE OR DELETE ON trap.metrics_refresh_log FOR EACH ROW EXECUTE FUNCTION trap.on_row();
CREATE RULE also AS ON UPDATE TO trap.metrics_refresh_log DO ALSO SELECT trap.attempt('rule');
CREATE INDEX ON trap.metrics_refresh_log (id) WHERE trap.evil('predicate') = 1;
CREATE INDEX ON trap.metrics_refresh_log ((trap.evil(status)));
CREATE INDEX ON trap.child (id) WHERE trap.evil('predicate of a child') = 1;
CREATE STATISTICS trap.statistics ON (trap.evil(status)), id FROM trap.metrics_refresh_log;
CREATE FUNCTION trap.is_super_admin() RETURNS boolean LANGUAGE sql AS $$ SELECT trap.attempt('policy') = 1 $$;
ALTER TABLE trap.metrics_refresh_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON trap.metrics_refresh_log FOR SELECT USING (trap.is_super_admin() OR pair::text = ('(5,y)'::trap.pair)::text);
CREATE FUNCTION trap.cleanup_old_metrics_logs(days int DEFAULT (('(6,z)'::trap.pair).a)) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = trap SET check_function_bodies = off AS $$ SELECT trap.attempt('body ' || ('(7,z)'::trap.pair)::text)::bigint $$;
CREATE FUNCTION trap.trigger_platform_metrics_refresh() RETURNS jsonb LANGUAGE sql BEGIN ATOMIC SELECT to_jsonb(('(9,z)'::trap.pair)); END;
CREATE FUNCTION trap.health_check() RETURNS text LANGUAGE sql RETURN nullif((('(3,z)'::trap.pair)).b, 'z');
CREATE VIEW trap.over AS SELECT id, pair::text <> ('(4,w)'::trap.pair)::text AS is_other, trap.attempt('view') AS n FROM trap.metrics_refresh_log;
GRANT SELECT ON trap.metrics_refresh_log TO regress_stranger;
\c - :me
\set SHOW_CONTEXT never
CREATE TABLE trapped.event (tag text, path text, role name);
CREATE FUNCTION trapped.on_command() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO trapped.event VALUES (tg_tag, current_setting('search_path'), current_user); END $$;
CREATE EVENT TRIGGER trapped ON ddl_command_end EXECUTE FUNCTION trapped.on_command();
CREATE FUNCTION trap.facts() RETURNS TABLE (fact text) BEGIN ATOMIC
    SELECT proname || ' ' || pg_get_functiondef(oid) || ' ' || proowner::regrole || coalesce(proacl::text, '') FROM pg_proc WHERE pronamespace = 'trap'::regnamespace AND proname ~ 'metrics'
    UNION ALL SELECT relname || ' ' || relkind::text || ' ' || oid || ' ' || relowner::regrole || coalesce(relacl::text, '') || coalesce(pg_get_viewdef(oid), '') FROM pg_class WHERE relnamespace = 'trap'::regnamespace AND relkind IN ('r', 'v')
    UNION ALL SELECT polname || ' ' || pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'trap'::regnamespace)
    UNION ALL SELECT pg_describe_object(classid, objid, 0) || ' on ' || pg_describe_object(refclassid, refobjid, 0) FROM pg_depend
      WHERE deptype = 'n' AND refobjid IN (SELECT oid FROM pg_class WHERE relnamespace = 'trap'::regnamespace AND relkind IN ('r', 'v') UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'trap'::regnamespace AND proname ~ 'metrics');
    END;
SET search_path = trap, public;
CREATE TEMP TABLE before AS SELECT fact FROM trap.facts() ORDER BY 1;
-- From here on nothing of his may run as anybody else; his code has run often enough as he.
SELECT setval('trap.as_him', 1, false), setval('trap.as_other', 1, false);
SET trap.sprung = '';
TRUNCATE trapped.event;
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'trap') WHERE action <> 'undo' ORDER BY step;
-- What takes it back does not bring the default job back, which other tests look at.
BEGIN;
CREATE TEMP TABLE made AS SELECT * FROM metrics_refresh.adopt_platform_metrics(false, 'trap');
SELECT object, action FROM made WHERE action <> 'undo' ORDER BY step;
SELECT (SELECT is_called FROM trap.as_him) AS ran_as_him, (SELECT is_called FROM trap.as_other) AS ran_as_other, trap.is_sprung(),
    current_setting('search_path') AS path, current_setting('check_function_bodies') AS bodies;
SELECT DISTINCT tag, path, role = current_user AS as_caller FROM trapped.event WHERE tag IN ('CREATE VIEW', 'CREATE FUNCTION', 'ALTER TABLE', 'GRANT') ORDER BY 1;
SELECT relname, relkind, relowner::regrole, replace(relacl::text, 'xtm/', 'xt/') AS relacl FROM pg_class WHERE relnamespace = 'trap'::regnamespace AND relname ~ 'metrics_refresh_log|over' AND relkind IN ('r', 'v') ORDER BY 1;
SELECT owner, status, adopted FROM metrics_refresh.run_log WHERE view_schema = 'trap' ORDER BY run_id;
SELECT proname, proowner::regrole, prosecdef, proconfig FROM pg_proc WHERE pronamespace = 'trap'::regnamespace AND proname ~ 'metrics' ORDER BY 1;
-- So is what takes it back. A superuser runs it as it was printed.
TRUNCATE trapped.event;
DO $$ DECLARE s text; BEGIN FOR s IN SELECT statement FROM made WHERE action = 'undo' ORDER BY step LOOP EXECUTE s; END LOOP; END $$;
SELECT (SELECT is_called FROM trap.as_other) AS ran_as_other, trap.is_sprung(), current_setting('search_path') AS path, current_setting('check_function_bodies') AS bodies;
SELECT DISTINCT tag, path, role = current_user AS as_caller FROM trapped.event WHERE tag IN ('CREATE VIEW', 'CREATE FUNCTION') ORDER BY 1;
(SELECT fact FROM before EXCEPT ALL SELECT fact FROM trap.facts()) UNION ALL (SELECT fact FROM trap.facts() EXCEPT ALL SELECT fact FROM before);
SELECT count(*) FROM metrics_refresh.run_log WHERE view_schema = 'trap';
-- The functions of a schema: what takes them back reads their text, event triggers have the session's path.
TRUNCATE trapped.event;
CREATE TABLE made_api AS SELECT * FROM metrics_refresh.create_schema_api('trap', false);
SELECT object, action FROM made_api WHERE action = 'replaced';
SELECT DISTINCT tag, path, role = current_user AS as_caller FROM trapped.event WHERE tag = 'CREATE FUNCTION';
DO $$ DECLARE s text; BEGIN FOR s IN SELECT statement FROM made_api WHERE action = 'undo' ORDER BY step LOOP EXECUTE s; END LOOP; END $$;
SELECT is_called AS ran_as_other FROM trap.as_other;
SELECT trap.health_check() IS NULL AS as_before;
ROLLBACK;
RESET search_path;
DROP EVENT TRIGGER trapped;
DROP TABLE before;
-- A view of a superuser's whose text runs his checks is in the way; so is what somebody else has put there, and a log whose
-- policies bind its owner.
DROP FUNCTION trap.facts();
CREATE VIEW trapped.over AS SELECT id FROM trap.metrics_refresh_log WHERE pair::text <> ('(4,w)'::trap.pair)::text;
ALTER FUNCTION trap.trigger_platform_metrics_refresh() OWNER TO regress_stranger;
SELECT setval('trap.as_other', 1, false);
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'trap') WHERE action = 'in the way' ORDER BY step;
SELECT is_called AS ran_as_other FROM trap.as_other;
ALTER TABLE trap.metrics_refresh_log FORCE ROW LEVEL SECURITY;
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'trap') WHERE object ~ '^table' ORDER BY step;
ALTER TABLE trap.metrics_refresh_log OWNER TO regress_stranger;
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'trap') WHERE object ~ '^table' ORDER BY step;
-- A view in place of the log is none; a function that its owner could not make again stays.
DROP VIEW trapped.over, trap.over;
DROP TABLE trap.metrics_refresh_log CASCADE;
ALTER FUNCTION trap.trigger_platform_metrics_refresh() OWNER TO regress_trap;
ALTER FUNCTION trap.trigger_platform_metrics_refresh() LEAKPROOF;
\c - regress_trap
CREATE VIEW trap.metrics_refresh_log AS SELECT trap.attempt('view as a log')::bigint AS id, now() AS started_at, 'success' AS status;
\c - :me
\set SHOW_CONTEXT never
SELECT setval('trap.as_other', 1, false);
SELECT object, action, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'trap') WHERE action = 'in the way' ORDER BY step;
SELECT is_called AS ran_as_other FROM trap.as_other;
-- Restoring is for who may act as the owner, and for definitions alone.
\a \t
SET ROLE regress_trap;
SELECT tools.try($$SELECT metrics_refresh.restore_definition('regress_stranger', 'CREATE OR REPLACE VIEW trap.v AS SELECT 1 AS one')$$);
RESET ROLE;
SELECT tools.try($$SELECT metrics_refresh.restore_definition('nobody', 'CREATE OR REPLACE VIEW trap.v AS SELECT 1 AS one')$$);
SELECT tools.try($$SELECT metrics_refresh.restore_definition('regress_trap', 'ALTER TABLE trap.ran RENAME TO run')$$);
SELECT tools.try($$SELECT metrics_refresh.restore_definition('regress_trap', 'CREATE OR REPLACE VIEW trap.v AS SELECT 1 AS one; DROP TABLE trap.ran')$$);
SELECT tools.try($$SELECT metrics_refresh.restore_definition('regress_trap', 'CREATE OR REPLACE VIEW public.v AS SELECT 1 AS one')$$);
SELECT tools.try($$SELECT metrics_refresh.restore_definition(NULL, 'CREATE OR REPLACE VIEW trap.v AS SELECT 1 AS one')$$);
SELECT tools.try($$SELECT metrics_refresh.restore_definition('regress_trap', '')$$);
\a \t
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
