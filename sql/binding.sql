-- Jobs are bound to their views by name: they survive DROP and CREATE, follow a rename, and wait
-- for a view that is missing.
\set SHOW_CONTEXT never
CREATE SCHEMA b;
CREATE TABLE b.base AS SELECT g AS id FROM generate_series(1, 3) g;
CREATE MATERIALIZED VIEW b.mv AS SELECT id FROM b.base;
CREATE UNIQUE INDEX ON b.mv (id);
CREATE VIEW b.found AS SELECT job_name, view_schema, view_name FROM metrics_refresh.job WHERE NOT is_default ORDER BY job_name;
SELECT metrics_refresh.schedule('b.mv', job_name => 'job') IS NOT NULL AS scheduled;

-- A rename is followed, also before the first run.
ALTER MATERIALIZED VIEW b.mv RENAME TO renamed;
CALL tools.run('job');
SELECT * FROM b.found;
-- Also one that is taken back while it is being noted.
CREATE FUNCTION b.rename_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('ALTER MATERIALIZED VIEW b.%I RENAME TO %I', NEW.view_name, OLD.view_name);
    RETURN NEW;
END $$;
CREATE TRIGGER b_rename_back BEFORE UPDATE ON metrics_refresh_internal.job FOR EACH ROW
    WHEN (NEW.view_name <> OLD.view_name AND NEW.view_name <> 'mv') EXECUTE FUNCTION b.rename_back();
CREATE TRIGGER b_rename_back BEFORE UPDATE ON metrics_refresh_internal.job_member FOR EACH ROW
    WHEN (NEW.view_name <> OLD.view_name AND NEW.view_name <> 'mv') EXECUTE FUNCTION b.rename_back();
SELECT metrics_refresh.schedule_group('pair', ARRAY['b.renamed']::regclass[], populate => false) IS NOT NULL AS scheduled;
ALTER MATERIALIZED VIEW b.renamed RENAME TO again;
CALL tools.run('job');
SELECT * FROM b.found;
SELECT relname FROM pg_class WHERE oid = (SELECT view_oid FROM metrics_refresh.job WHERE job_name = 'job');
ALTER MATERIALIZED VIEW b.renamed RENAME TO again;
CALL tools.run('pair');
SELECT view_name FROM metrics_refresh.job_member;
SELECT relname FROM pg_class WHERE oid = (SELECT view_oid FROM metrics_refresh.job_member);
DROP TRIGGER b_rename_back ON metrics_refresh_internal.job;
DROP TRIGGER b_rename_back ON metrics_refresh_internal.job_member;
CALL tools.run('job');
CALL tools.run('pair');
SELECT * FROM b.found;
SELECT view_name FROM metrics_refresh.job_member;
SELECT metrics_refresh.unschedule('pair');
-- So is one into another schema, and one of the schema.
CREATE SCHEMA elsewhere;
ALTER MATERIALIZED VIEW b.renamed SET SCHEMA elsewhere;
CALL tools.run('job');
SELECT * FROM b.found;
ALTER SCHEMA elsewhere RENAME TO "Elsewhere";
CALL tools.run('job');
SELECT * FROM b.found;

-- Dropped and made anew, as migrations do, with another definition and another owner.
DROP MATERIALIZED VIEW "Elsewhere".renamed;
CREATE MATERIALIZED VIEW "Elsewhere".renamed AS SELECT id, id * 2 AS twice FROM b.base;
CALL tools.run('job');
INSERT INTO b.base VALUES (4);
SELECT job_name, view, status, strategy, rows_total FROM tools.log ORDER BY n;

-- Swapped by rename: the job means whatever has the name.
CREATE MATERIALIZED VIEW "Elsewhere".next AS SELECT id FROM b.base WHERE id > 3 WITH NO DATA;
BEGIN;
ALTER MATERIALIZED VIEW "Elsewhere".renamed RENAME TO previous;
ALTER MATERIALIZED VIEW "Elsewhere".next RENAME TO renamed;
COMMIT;
CALL tools.run('job');
SELECT job_name, view, status, strategy, strategy_reason, rows_total FROM tools.log ORDER BY n DESC LIMIT 1;
SELECT (SELECT count(*) FROM "Elsewhere".previous) AS previous, (SELECT count(*) FROM "Elsewhere".renamed) AS renamed;
-- Where a table takes the view's name, the job stays with the view.
ALTER MATERIALIZED VIEW "Elsewhere".renamed RENAME TO moved_aside;
CREATE TABLE "Elsewhere".renamed (id int);
CALL tools.run('job');
SELECT * FROM b.found;

-- Missing: noted once as skipped, however often it comes around; only who asks for a run gets a row
-- for each. Health warns all the time.
DROP MATERIALIZED VIEW "Elsewhere".moved_aside;
TRUNCATE metrics_refresh_internal.run_log;
SELECT metrics_refresh.alter_job('job', schedule => '1 second');
CALL tools.wait_until($$SELECT handled_until > j.effective_from + interval '1.5 seconds'
    FROM metrics_refresh.job_state s JOIN metrics_refresh.job j USING (job_id) WHERE job_name = 'job'$$);
SELECT metrics_refresh.pause('job');
SELECT view, triggered_by, status, strategy, sqlstate, error_message FROM tools.log ORDER BY n;
CALL tools.run('job');
CALL tools.run('job');
SELECT view, triggered_by, status, error_message FROM tools.log ORDER BY n;
SELECT last_status, last_error, consecutive_failures FROM metrics_refresh.job_status WHERE job_name = 'job';
SELECT metrics_refresh.resume('job'), metrics_refresh.alter_job('job', schedule => '@yearly');
SELECT * FROM metrics_refresh.health_check() WHERE check_name = 'view_missing';
SELECT tools.try('SELECT metrics_refresh.explain_refresh(''"Elsewhere".moved_aside'')');
-- It comes back by itself.
CREATE MATERIALIZED VIEW "Elsewhere".moved_aside AS SELECT id FROM b.base;
CALL tools.run('job');
SELECT last_status, last_error FROM metrics_refresh.job_status WHERE job_name = 'job';
SELECT * FROM metrics_refresh.health_check() WHERE check_name = 'view_missing';

-- A job that is given another view forgets the first one: where the second is gone, it does not
-- go back.
CREATE MATERIALIZED VIEW b.first AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW b.second AS SELECT 2 AS two;
SELECT metrics_refresh.schedule('b.first', job_name => 'job') IS NOT NULL AS scheduled;
CALL tools.run('job');
SELECT metrics_refresh.schedule('b.second', job_name => 'job') IS NOT NULL AS scheduled;
DROP MATERIALIZED VIEW b.second;
CALL tools.run('job');
SELECT * FROM b.found;

-- Two jobs may refresh one view. The owner of a job who lost the view's rights is told.
SELECT metrics_refresh.schedule('b.first', job_name => 'other') IS NOT NULL AS scheduled;
SELECT metrics_refresh.alter_job('other', owner => 'regress_stranger');
TRUNCATE metrics_refresh_internal.run_log;
CALL tools.run('other');
SELECT status, sqlstate, error_message, error_detail, error_hint FROM tools.log \gx
-- A role that is gone is told by the log and by health; the job may be given to somebody else.
CREATE ROLE regress_leaver;
SELECT metrics_refresh.alter_job('other', owner => 'regress_leaver');
DROP ROLE regress_leaver;
TRUNCATE metrics_refresh_internal.run_log;
CALL tools.run('other');
SELECT status, sqlstate, error_message, error_hint FROM tools.log \gx
SELECT * FROM metrics_refresh.health_check() WHERE check_name = 'owner';
SELECT metrics_refresh.alter_job('other', owner => 'postgres');
CALL tools.run('other');

SELECT metrics_refresh.unschedule(job_name) FROM b.found;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA b, "Elsewhere" CASCADE;
