-- Super admins who are no superusers: by metrics_refresh.admin_role and by metrics_refresh.admin_check.
\set SHOW_CONTEXT never
CREATE SCHEMA a;
GRANT USAGE ON SCHEMA a TO PUBLIC;
CREATE MATERIALIZED VIEW a.mv AS SELECT current_user AS computed_as;
SELECT metrics_refresh.schedule('a.mv', '0 0 1 1 *', job_name => 'of super') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_command('command of super', NULL, 'SELECT 1') IS NOT NULL AS scheduled;
CREATE FUNCTION a.is_admin(OUT regress_admin bool, OUT regress_jwt bool, OUT regress_stranger bool) LANGUAGE plpgsql AS $$ BEGIN
    SET LOCAL ROLE regress_admin; regress_admin := metrics_refresh.is_super_admin();
    SET LOCAL ROLE regress_jwt; regress_jwt := metrics_refresh.is_super_admin();
    SET LOCAL ROLE regress_stranger; regress_stranger := metrics_refresh.is_super_admin();
    RESET ROLE;
END $$;
SELECT * FROM a.is_admin();

-- By role: its members, inherited or not, and the role itself.
SET metrics_refresh.admin_role = 'regress_admins';
SELECT * FROM a.is_admin();
CREATE ROLE regress_deep NOINHERIT IN ROLE regress_admin;
SET ROLE regress_deep;
SELECT metrics_refresh.is_super_admin();
SET ROLE regress_admins;
SELECT metrics_refresh.is_super_admin();
RESET ROLE;
DROP ROLE regress_deep;
-- A role that does not exist makes nobody an admin, and health says so; nor does the name public.
SET metrics_refresh.admin_role = 'no such role';
SELECT * FROM a.is_admin();
SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'admin_settings';
SET metrics_refresh.admin_role = 'public';
SELECT * FROM a.is_admin();
SELECT severity, detail FROM metrics_refresh.health_check() WHERE check_name = 'admin_settings';
SET metrics_refresh.admin_role = '';

-- By a function, as hosted platforms have it: a claim of the request's token.
CREATE FUNCTION a."Is Admin"() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
    $$ SELECT coalesce(nullif(current_setting('request.jwt.claims', true), '')::json ->> 'role' = 'super_admin', false) $$;
SET metrics_refresh.admin_check = 'a."Is Admin"';
SELECT * FROM a.is_admin();
SET request.jwt.claims = '{"role": "super_admin"}';
SELECT * FROM a.is_admin();
SET request.jwt.claims = '{"role": "user"}';
SELECT * FROM a.is_admin();
SET request.jwt.claims = '';
SELECT * FROM a.is_admin();
-- Called as the current user, so that it can tell one from another; NULL is no; an error is no answer.
CREATE FUNCTION a.by_name() RETURNS boolean LANGUAGE sql AS $$ SELECT CASE current_user WHEN 'regress_jwt' THEN true END $$;
SET metrics_refresh.admin_check = 'a.by_name';
SELECT * FROM a.is_admin();
CREATE FUNCTION a.fails() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'no token' USING ERRCODE = '28000'; END $$;
SET metrics_refresh.admin_check = 'a.fails';
SELECT metrics_refresh.is_super_admin();
SET ROLE regress_jwt;
SELECT metrics_refresh.is_super_admin();
SELECT count(*) FROM metrics_refresh.job;
SELECT metrics_refresh.pause('of super');
RESET ROLE;
-- Who may not call the function is not admitted by it.
REVOKE EXECUTE ON FUNCTION a.by_name() FROM PUBLIC;
SET metrics_refresh.admin_check = 'a.by_name';
SELECT * FROM a.is_admin();
GRANT EXECUTE ON FUNCTION a.by_name() TO PUBLIC;
-- A SECURITY DEFINER function looks up what its callers may not see.
CREATE TABLE a.profiles (name text PRIMARY KEY, admin boolean);
INSERT INTO a.profiles VALUES ('alice', true), ('bob', false);
CREATE FUNCTION a.by_profile() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
    $$ SELECT admin FROM a.profiles WHERE name = current_setting('request.jwt.claim.sub', true) $$;
SET metrics_refresh.admin_check = 'a.by_profile';
SELECT * FROM a.is_admin();
SET request.jwt.claim.sub = 'bob';
SELECT * FROM a.is_admin();
SET request.jwt.claim.sub = 'alice';
SELECT * FROM a.is_admin();
RESET request.jwt.claim.sub;

-- Misconfigured: refused or warned, nobody is an admin by it, and everything else goes on.
CREATE FUNCTION a.gives_text() RETURNS text LANGUAGE sql AS $$ SELECT 'true' $$;
CREATE FUNCTION a.gives_set() RETURNS SETOF boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION a.takes_argument(boolean) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION a.one_more(boolean) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE AGGREGATE a.aggregate(*) (SFUNC = a.one_more, STYPE = boolean);
CREATE PROCEDURE a.procedure() LANGUAGE sql AS $$ SELECT true $$;
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['a.missing', 'nowhere.is_admin', 'a.gives_text', 'a.gives_set',
        'a.takes_argument', 'a.aggregate', 'a.procedure', 'a.by_name()', 'A.BY_NAME', 'a."By_Name"'] LOOP
        PERFORM set_config('metrics_refresh.admin_check', name, false);
        SET LOCAL ROLE regress_stranger;
        RAISE NOTICE '% -> %', name, metrics_refresh.is_super_admin();
        RESET ROLE;
        RAISE NOTICE '     %', (SELECT severity || ': ' || detail FROM metrics_refresh.health_check() WHERE check_name = 'admin_settings');
    END LOOP;
END $$;
SET metrics_refresh.admin_check = 'a.missing';
SET ROLE regress_stranger;
SELECT count(*) FROM metrics_refresh.job;
SELECT metrics_refresh.cleanup_logs();
RESET ROLE;
-- A superuser is one without being asked for.
SELECT metrics_refresh.is_super_admin();

-- What an admin may do: see everything, manage every job, clean up …
SET metrics_refresh.admin_check = 'a."Is Admin"';
SET ROLE regress_jwt;
SET request.jwt.claims = '{"role": "super_admin"}';
SELECT job_name, owner FROM metrics_refresh.job ORDER BY job_name COLLATE "C";
CALL tools.run('of super');
SELECT job_name, owner, initiated_by, status FROM metrics_refresh.run_log;
SELECT metrics_refresh.refresh('a.mv') ->> 'success' AS success;
SELECT metrics_refresh.pause('command of super');
SELECT metrics_refresh.alter_job('of super', timezone => 'Asia/Tokyo');
SELECT metrics_refresh.cleanup_logs('1 hour');
SELECT cleanup_old_metrics_logs();
SELECT trigger_platform_metrics_refresh() ->> 'message' AS message;
-- … have a view of somebody else's refreshed, which computes as that owner …
SELECT metrics_refresh.schedule('a.mv', job_name => 'by jwt') IS NOT NULL AS scheduled;
CALL tools.run('by jwt');
SELECT job_name, owner, initiated_by, status FROM metrics_refresh.run_log WHERE job_name = 'by jwt';
RESET ROLE;
SELECT * FROM a.mv;
SELECT owner FROM metrics_refresh.job WHERE job_name = 'by jwt';

-- … but not become the superuser: a command over his job runs as the one who wrote it; a command is
-- not given to a role that the giver is not; and a refresh that was given away is no command.
SET ROLE regress_jwt;
SELECT metrics_refresh.alter_job('command of super', command => 'ALTER ROLE regress_jwt SUPERUSER');
SELECT owner FROM metrics_refresh.job WHERE job_name = 'command of super';
CALL tools.run('command of super');
SELECT owner, status, sqlstate FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
SELECT tools.try('SELECT metrics_refresh.alter_job(''command of super'', owner => ''postgres'')');
SELECT tools.try('SELECT metrics_refresh.alter_job(''command of super'', owner => ''regress_owner'')');
SELECT metrics_refresh.alter_job('command of super', command => 'SELECT 1', owner => 'postgres');
RESET ROLE;
SELECT metrics_refresh.schedule_command('other of super', NULL, 'SELECT nightly()') IS NOT NULL AS scheduled;
SET ROLE regress_jwt;
SELECT metrics_refresh.alter_job('other of super', settings => '{"search_path": "evil"}');
SELECT metrics_refresh.alter_job('other of super', priority => 1);
SELECT metrics_refresh.unschedule('other of super');
SELECT metrics_refresh.alter_job('cleanup-metrics-logs', command => 'ALTER ROLE regress_jwt SUPERUSER', active => false);
CALL tools.run('cleanup-metrics-logs');
SELECT owner, status, sqlstate FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
SELECT metrics_refresh.alter_job('by jwt', owner => 'postgres');
SELECT metrics_refresh.schedule_command('by jwt', NULL, 'ALTER ROLE regress_jwt SUPERUSER') IS NOT NULL AS scheduled;
CALL tools.run('by jwt');
SELECT owner, status, sqlstate FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1;
SELECT tools.try('DELETE FROM metrics_refresh.job');
SELECT tools.try('UPDATE metrics_refresh.job SET owner = ''postgres''');
RESET ROLE;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_jwt';
-- Not in a race either: while the command that he writes over a refresh is not committed, another
-- session of his (here a worker) gives the job, which it still sees as a refresh, to the superuser.
ALTER DATABASE contrib_regression SET metrics_refresh.admin_role = 'regress_admins';
SET metrics_refresh.admin_role = 'regress_admins';
SELECT relowner::regrole AS view_owner FROM pg_class WHERE oid = 'a.mv'::regclass \gset
ALTER MATERIALIZED VIEW a.mv OWNER TO regress_admin; -- a job's owner waits for no owner of its view but himself
SELECT metrics_refresh.schedule('a.mv', job_name => 'raced', owner => 'regress_admin') IS NOT NULL AS scheduled;
SET ROLE regress_admin;
SELECT metrics_refresh.schedule_command('racer', NULL, 'SELECT pg_advisory_xact_lock(4711);
    SELECT metrics_refresh.alter_job(''raced'', owner => ''postgres'')') IS NOT NULL AS scheduled;
SELECT pg_advisory_lock(4711);
SELECT metrics_refresh.trigger('racer') AS run \gset
BEGIN;
SELECT metrics_refresh.schedule_command('raced', NULL, 'ALTER ROLE regress_admin SUPERUSER') IS NOT NULL AS scheduled;
SELECT pg_advisory_unlock(4711);
DO $$ BEGIN
    FOR i IN 1 .. 6000 LOOP
        EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid');
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
COMMIT;
SELECT metrics_refresh.wait(:run, '60 s');
SELECT status, sqlstate, error_message FROM metrics_refresh.run_log WHERE run_id = :run;
RESET ROLE;
ALTER MATERIALIZED VIEW a.mv OWNER TO :view_owner;
SELECT owner, command FROM metrics_refresh.job WHERE job_name = 'raced';
ALTER DATABASE contrib_regression RESET metrics_refresh.admin_role;
RESET metrics_refresh.admin_role;

-- The claim is this session's; a worker has none, and its command no rights by it.
SET ROLE regress_jwt;
SELECT metrics_refresh.schedule_command('by jwt', NULL, 'DO $$ BEGIN IF metrics_refresh.is_super_admin() THEN RAISE ''still an admin''; END IF; END $$') IS NOT NULL AS scheduled;
CALL tools.run('by jwt');
SET request.jwt.claims = '{"role": "user"}';
SELECT job_name FROM metrics_refresh.job ORDER BY job_name COLLATE "C";
SELECT tools.try('SELECT metrics_refresh.unschedule(''of super'')');
SELECT metrics_refresh.unschedule('by jwt');
RESET ROLE;
RESET request.jwt.claims;

-- Per database, for every session and worker in it.
ALTER DATABASE contrib_regression SET metrics_refresh.admin_role = 'regress_admins';
\c -
SET ROLE regress_admin;
SELECT metrics_refresh.is_super_admin();
RESET ROLE;
SELECT metrics_refresh.schedule_command('by jwt', NULL, 'SELECT metrics_refresh.cleanup_logs(''1 year'')') IS NOT NULL AS scheduled;
SELECT metrics_refresh.alter_job('by jwt', owner => 'regress_admin');
CALL tools.run('by jwt');
SELECT metrics_refresh.alter_job('by jwt', owner => 'regress_stranger');
CALL tools.run('by jwt');
ALTER DATABASE contrib_regression RESET metrics_refresh.admin_role;
SELECT owner, status, sqlstate, error_message, error_hint FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 2;

SELECT metrics_refresh.alter_job('cleanup-metrics-logs', command => 'SELECT metrics_refresh.cleanup_logs()');
SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA a CASCADE;
