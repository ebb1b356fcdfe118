-- Event triggers: a refresh by core's command fires them as the session's own user and with its own
-- search_path, as a client's REFRESH does; what metrics_refresh does itself fires none.
\set SHOW_CONTEXT never
CREATE SCHEMA watch;
GRANT USAGE ON SCHEMA watch TO PUBLIC;
CREATE TABLE watch.seen (n serial, event text, tag text, who text, session text, path text, commands text);
GRANT ALL ON watch.seen, watch.seen_n_seq TO PUBLIC;
CREATE TABLE watch.base AS SELECT g AS id FROM generate_series(1, 3) g;
GRANT ALL ON SCHEMA watch TO regress_owner;
GRANT ALL ON watch.base TO regress_owner;
ALTER ROLE regress_owner SET search_path = watch, public;
-- Found by the path of those who have the schema in it, and by nobody else.
CREATE FUNCTION watch.note(event text, tag text, commands text) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO watch.seen (event, tag, who, session, path, commands)
       VALUES (event, tag, current_user, session_user, current_setting('search_path'), commands) $$;
-- From version 17 on core fixes the path itself for the temporary table of a concurrent refresh.
CREATE FUNCTION watch.on_event() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN IF tg_tag = 'REFRESH MATERIALIZED VIEW' THEN PERFORM note(tg_event, tg_tag, NULL);
             ELSE PERFORM watch.note(tg_event, tg_tag, NULL); END IF; END $$;
CREATE FUNCTION watch.on_end() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ DECLARE commands text := (SELECT string_agg(command_tag || ' ' || coalesce(object_identity, ''), ', ')
                                 FROM pg_event_trigger_ddl_commands() WHERE object_identity NOT LIKE 'pg_temp%');
       BEGIN IF tg_tag = 'REFRESH MATERIALIZED VIEW' THEN PERFORM note(tg_event, tg_tag, commands);
             ELSE PERFORM watch.note(tg_event, tg_tag, commands); END IF; END $$;
CREATE FUNCTION watch.on_drop() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM watch.note(tg_event, tg_tag, (SELECT string_agg(object_identity, ', ') FROM pg_event_trigger_dropped_objects()
                                                   WHERE NOT is_temporary)); END $$;
SET ROLE regress_owner;
CREATE MATERIALIZED VIEW watch.mv AS SELECT id FROM watch.base;
CREATE UNIQUE INDEX ON watch.mv (id);
CREATE TABLE watch.kept (id int PRIMARY KEY, n int);
CREATE MATERIALIZED VIEW watch.sums AS SELECT n, count(*) FROM watch.kept GROUP BY n;
SELECT metrics_refresh.schedule('watch.mv', job_name => 'watched', strategy => 'full') IS NOT NULL AS scheduled;
RESET ROLE;
SET search_path = watch, public;
CREATE EVENT TRIGGER watch_start ON ddl_command_start EXECUTE FUNCTION watch.on_event();
CREATE EVENT TRIGGER watch_rewrite ON table_rewrite EXECUTE FUNCTION watch.on_event();
CREATE EVENT TRIGGER watch_end ON ddl_command_end EXECUTE FUNCTION watch.on_end();
CREATE EVENT TRIGGER watch_drop ON sql_drop EXECUTE FUNCTION watch.on_drop();
TRUNCATE watch.seen;

-- In a worker, and in the sessions of the owner and of a superuser.
CALL tools.run('watched');
SELECT event, tag, who, session, path, commands FROM watch.seen ORDER BY n;
TRUNCATE watch.seen;
\c - regress_owner
SELECT metrics_refresh.refresh('watch.mv', 'full') ->> 'message' AS message;
\c - postgres
SET search_path = watch, pg_catalog;
SELECT metrics_refresh.refresh('watch.mv', 'full') ->> 'message' AS message;
SELECT event, tag, who, session, path, commands FROM watch.seen ORDER BY n;
TRUNCATE watch.seen;
-- The same of core's command, for a client.
REFRESH MATERIALIZED VIEW watch.mv;
SELECT event, tag, who, session, path, commands FROM watch.seen ORDER BY n;
TRUNCATE watch.seen;

-- Concurrently. The temporary table in between is core's: it is made as the owner.
SELECT metrics_refresh.alter_job('watched', strategy => 'concurrently');
CALL tools.run('watched');
SELECT event, tag, who, session, commands FROM watch.seen WHERE tag = 'REFRESH MATERIALIZED VIEW' ORDER BY n;
SELECT DISTINCT who, session FROM watch.seen WHERE tag <> 'REFRESH MATERIALIZED VIEW';
TRUNCATE watch.seen;
SELECT metrics_refresh.refresh('watch.mv', 'concurrently') ->> 'message' AS message;
SELECT event, tag, who, session, path, commands FROM watch.seen WHERE tag = 'REFRESH MATERIALIZED VIEW' ORDER BY n;
TRUNCATE watch.seen;
SELECT status, strategy, error_message FROM tools.log ORDER BY n;

-- What is no statement of core's fires none: diff, incremental with its set-up, audits and what is taken
-- away afterwards, ANALYZE.
SELECT metrics_refresh.alter_job('watched', strategy => 'diff');
INSERT INTO watch.base VALUES (4);
CALL tools.run('watched');
\c - regress_owner
SELECT metrics_refresh.schedule('watch.sums', job_name => 'sums', strategy => 'incremental') IS NOT NULL AS scheduled;
CALL tools.run('sums');
INSERT INTO watch.kept VALUES (1, 1);
CALL tools.run('sums');
SELECT metrics_refresh.unschedule('sums');
\c - postgres
CALL tools.sweep();
SELECT count(*) FROM watch.seen;
SELECT job_name, status, strategy FROM tools.log ORDER BY n DESC LIMIT 3;

-- With the settings of the session, whatever the owner of the view or the job has chosen.
CREATE FUNCTION watch.on_settings() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM watch.note(tg_event, 'settings', current_setting('transform_null_equals') || ' ' || current_setting('app.guard', true)); END $$;
CREATE EVENT TRIGGER watch_settings_start ON ddl_command_start WHEN tag IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION watch.on_settings();
CREATE EVENT TRIGGER watch_settings_end ON ddl_command_end WHEN tag IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION watch.on_settings();
ALTER ROLE regress_owner SET transform_null_equals = on;
ALTER ROLE regress_owner SET app.guard = 'off';
SET app.guard = 'on';
TRUNCATE watch.seen;
SET search_path = watch, pg_catalog;
SELECT metrics_refresh.refresh('watch.mv', 'full') ->> 'message' AS message;
SELECT event, commands FROM watch.seen WHERE tag = 'settings' ORDER BY n;
SELECT current_setting('transform_null_equals') AS transform_null_equals, current_setting('app.guard') AS guard;
DROP EVENT TRIGGER watch_settings_start;
DROP EVENT TRIGGER watch_settings_end;
ALTER ROLE regress_owner RESET transform_null_equals;
ALTER ROLE regress_owner RESET app.guard;

-- One that refuses the command fails the refresh, and says so; the next statement is heard as before.
SET search_path = watch, public;
CREATE FUNCTION watch.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no % today', tg_tag; END $$;
CREATE EVENT TRIGGER watch_refuse ON ddl_command_start WHEN tag IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION watch.refuse();
SELECT metrics_refresh.refresh('watch.mv', 'full') ->> 'message' AS message;
DROP EVENT TRIGGER watch_refuse;
CREATE EVENT TRIGGER watch_refuse ON ddl_command_end WHEN tag IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION watch.refuse();
SELECT metrics_refresh.refresh('watch.mv', 'full') ->> 'message' AS message;
DROP EVENT TRIGGER watch_refuse;
TRUNCATE watch.seen;
CREATE TABLE watch.after ();
SELECT event, tag, commands FROM watch.seen ORDER BY n;

DROP EVENT TRIGGER watch_start;
DROP EVENT TRIGGER watch_rewrite;
DROP EVENT TRIGGER watch_end;
DROP EVENT TRIGGER watch_drop;
ALTER ROLE regress_owner RESET search_path;
SELECT metrics_refresh.unschedule('watched');
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA watch CASCADE;
