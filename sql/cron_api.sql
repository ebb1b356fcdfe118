-- pg_cron's API: its functions, views, rights and error texts, over jobs of metrics_refresh.
\set SHOW_CONTEXT never
CREATE EXTENSION metrics_refresh_cron;

-- What it consists of; all of it is commented, and one function alone runs as its owner.
\a \t
SELECT format('%s -> %s%s', p.oid::regprocedure, pg_get_function_result(p.oid),
              CASE WHEN p.prosecdef THEN ', as its owner' END)
FROM pg_proc p WHERE pronamespace = 'cron'::regnamespace ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT format('%s(%s)', proname, pg_get_function_arguments(oid)) FROM pg_proc
WHERE pronamespace = 'cron'::regnamespace AND proname IN ('schedule', 'schedule_in_database', 'unschedule', 'alter_job')
ORDER BY oid::regprocedure::text COLLATE "C";
\a \t
SELECT table_name, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) AS columns
FROM information_schema.columns WHERE table_schema = 'cron' GROUP BY 1 ORDER BY 1;
SELECT pg_describe_object(d.classid, d.objid, 0) AS without_comment
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh_cron'
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
  AND obj_description(d.objid, d.classid::regclass::name) IS NULL
  AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass);
SELECT p.oid::regprocedure AS not_pinned FROM pg_proc p
WHERE pronamespace = 'cron'::regnamespace
  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);
SELECT p.oid::regprocedure AS not_for_public FROM pg_proc p
WHERE pronamespace = 'cron'::regnamespace AND NOT has_function_privilege('regress_stranger', oid, 'EXECUTE')
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass AS relation, reloptions, string_agg(a.privilege_type, ', ' ORDER BY 1) AS public_may
FROM pg_class c LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee = 0
WHERE relnamespace = 'cron'::regnamespace GROUP BY c.oid, reloptions ORDER BY 1;
SELECT has_schema_privilege('regress_stranger', 'cron', 'USAGE') AS usage;

-- The jobs that cron.job shows; numbers count from the first of this file.
CREATE SCHEMA ct;
GRANT USAGE ON SCHEMA ct TO PUBLIC;
CREATE TABLE ct.base AS SELECT last_value AS id FROM metrics_refresh_internal.job_id_seq;
GRANT SELECT ON ct.base TO PUBLIC;
CREATE VIEW ct.jobs WITH (security_invoker = true) AS
    SELECT jobid - base.id AS n, jobname, schedule, command, nodename, nodeport = current_setting('port')::int AS port,
           database, username, active
    FROM cron.job, ct.base ORDER BY jobid;
GRANT SELECT ON ct.jobs TO PUBLIC;
CREATE FUNCTION ct.id(n bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT base.id + n FROM ct.base';
-- tools.try with SQLSTATE and with numbers that count from the first.
CREATE FUNCTION ct.try(statement text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(tools.try(statement), '\m([Jj]ob) \d+', '\1 N') $$;

-- Nothing of this is committed, so none of it runs.
BEGIN;
-- Without a name: each call makes a job, the name is NULL. With one: the same job again.
SELECT cron.schedule('0 10 * * *', 'VACUUM') = ct.id(1) AS first;
SELECT cron.schedule('0 10 * * *', 'VACUUM') = ct.id(2) AS second;
SELECT cron.schedule('nightly', '0 10 * * *', 'SELECT 1') = ct.id(3) AS third;
SELECT cron.schedule('nightly', '0 11 * * *', 'SELECT 1') = ct.id(3) AS third_again;
SELECT cron.schedule(job_name => 'nightly', schedule => '0 11 * * *', command => 'SELECT 2') = ct.id(3) AS third_again;
SELECT cron.schedule(schedule => '@hourly', command => 'SELECT 4') = ct.id(4) AS fourth;
SELECT * FROM ct.jobs;
SELECT regexp_replace(job_name, '[0-9a-f-]{36}', 'UUID') AS job_name, timezone, max_runtime, lock_timeout, max_retries, on_missed, on_overlap, owner
FROM metrics_refresh.job WHERE NOT is_default ORDER BY job_id;
-- The options that somebody gave a job, and whether it is active, survive its rescheduling.
SELECT metrics_refresh.alter_job('nightly', max_runtime => '5 minutes', timezone => 'Europe/Berlin', settings => '{"jit": false}', active => false);
SELECT cron.schedule('nightly', '0 12 * * *', 'SELECT 3') = ct.id(3) AS third_again;
SELECT cron.schedule_in_database('nightly', '0 12 * * *', 'SELECT 3', current_database(), active => true) = ct.id(3) AS third_again;
SELECT job_name, schedule, command, max_runtime, timezone, settings, active FROM metrics_refresh.job WHERE job_name = 'nightly';

-- NULL: STRICT where pg_cron's functions are, and an error where they are not.
SELECT cron.schedule(NULL, 'SELECT 1'), cron.schedule('* * * * *', NULL), cron.unschedule(NULL::bigint), cron.unschedule(NULL::text);
SELECT ct.try($$SELECT cron.schedule(NULL, '* * * * *', 'SELECT 1')$$);
SELECT ct.try($$SELECT cron.schedule('x', NULL, 'SELECT 1')$$);
SELECT ct.try($$SELECT cron.schedule('x', '* * * * *', NULL)$$);
SELECT ct.try($$SELECT cron.alter_job(NULL)$$);
SELECT ct.try($$SELECT cron.schedule('', '* * * * *', 'SELECT 1')$$);
SELECT ct.try($$SELECT cron.schedule('x', '* * * * *', ' ; ')$$);

-- unschedule by number and by name; an active one, one that is gone, one that never was.
SELECT cron.unschedule(ct.id(1)), cron.unschedule('nightly');
SELECT ct.try('SELECT cron.unschedule(ct.id(1))');
SELECT ct.try($$SELECT cron.unschedule('nightly')$$);
SELECT ct.try($$SELECT cron.unschedule(job_name => 'no_such_job')$$);
SELECT ct.try('SELECT cron.unschedule(job_id => 0)');
SELECT * FROM ct.jobs;

-- What has no schedule, and the default job, are not there. The one gets a schedule by its name, the other keeps its own.
SELECT metrics_refresh.schedule_command('on demand', NULL, 'SELECT 1') IS NOT NULL AS scheduled;
SELECT ct.try($$SELECT cron.unschedule('on demand')$$);
SELECT ct.try($$SELECT cron.unschedule('cleanup-metrics-logs')$$);
SELECT ct.try($$SELECT cron.unschedule(job_id) FROM metrics_refresh.job WHERE job_name = 'cleanup-metrics-logs'$$);
SELECT ct.try($$SELECT cron.alter_job(job_id, active => true) FROM metrics_refresh.job WHERE job_name = 'cleanup-metrics-logs'$$);
SELECT ct.try($$SELECT cron.schedule('cleanup-metrics-logs', '0 10 * * *', 'SELECT 1')$$);
SELECT cron.schedule('on demand', '0 10 * * *', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT job_name, schedule, command FROM metrics_refresh.job WHERE job_name ~ 'cleanup-metrics|on demand' ORDER BY job_id;

-- Schedules: what is refused, with pg_cron's text first and ours behind.
SELECT ct.try($$SELECT cron.schedule('0 3 * * * root', 'SELECT 1')$$);
\a \t
SELECT format('%s -> %s', left(s, 40), left(split_part(ct.try(format('SELECT cron.schedule(%L, %L)', s, 'SELECT 1')), E'\n', 1), 60))
FROM unnest(ARRAY[repeat('a', 1000), '', '* * * *', '5 secondc', '50 seconds c', '*/0 10 * * *', '-1 * * * *',
    '*/-1 10 * * *', '*/60 10 * * *', '* * * 13 *', '* * * 0 *', '60 * * * *', '* 24 * * *', '* * 32 * *', '* * * * 8',
    '*/5000000000 10 * * *', '-1 seconds', '0 seconds', '10000000000 seconds', '@restar', '0 11 $foo * *',
    '* * * * * *', '* * * * * and more', '@daily 1']) s;
\a \t
-- What is accepted; the text is kept as it was written.
SELECT s, cron.schedule(s, 'SELECT 1') IS NOT NULL AS scheduled
FROM unnest('{1 second, 59 seconds,@hourly,@daily,@midnight,@weekly,@monthly,@yearly,@annually,*/5 * * * *,0 0 * * 1-5,0 1 * * 7,0 13 2 6 *,1-59/2 1\,3 * jan\,JUL mon-fri}'::text[]) s;
SELECT cron.schedule('  30 sEcOnDs ', 'SELECT 1') IS NOT NULL AND cron.schedule('17  seconds ', 'SELECT 1') IS NOT NULL AS scheduled;
-- Texts of metrics_refresh's own, which pg_cron refuses.
SELECT cron.schedule('90 seconds', 'SELECT 1') IS NOT NULL AND cron.schedule('5 minutes', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT jobname, quote_literal(schedule) FROM ct.jobs ORDER BY n;
-- The last day of the month, and a start of the server: as metrics_refresh has them.
SELECT s, (ct.try(format('SELECT cron.schedule(%L, ''SELECT 1'')', s)) LIKE '22023: invalid schedule: %')
          = (ct.try(format('SELECT metrics_refresh.schedule_command(''x'', %L, ''SELECT 1'')', r)) LIKE '22023: %') AS as_metrics_refresh
FROM (VALUES ('0 11 $ * *', '0 11 $ * *'), ('@reboot', '@reboot'), ('@restart', '@reboot')) v (s, r);
DELETE FROM cron.job;

-- Lenient: what pg_cron passes over is cut off, and said; what it refuses stays refused.
SET metrics_refresh_cron.lenient = on;
SELECT cron.schedule('cut', '0 3 * * * root /bin/true', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT cron.schedule('six fields', '*/10 * * * * *', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT cron.schedule('nickname', '@daily # at night', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT cron.schedule('words', '*5 1-5;x * * mon-fri!', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT cron.schedule('good', '0 3 * * *', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT s, split_part(ct.try(format('SELECT cron.schedule(%L, %L)', s, 'SELECT 1')), E'\n', 1)
FROM unnest('{*; 1-5x\,8 * * mon-fri,"1,; * * * *",*/x * * * *,1-; * * * *,1-2/; * * * *,99 * * * * x,* * * *,5 secondc,@restar now,""}'::text[]) s;
SELECT cron.alter_job(jobid, schedule => '0 4 * * * x') FROM cron.job WHERE jobname = 'good';
UPDATE cron.job SET schedule = '0 5 * * * x' WHERE jobname = 'good' RETURNING schedule;
SELECT jobname, schedule FROM ct.jobs;
SET metrics_refresh_cron.lenient = 'sometimes';
SELECT ct.try($$SELECT cron.schedule('cut', '0 3 * * * root', 'SELECT 1')$$);
RESET metrics_refresh_cron.lenient;
SELECT split_part(ct.try($$SELECT cron.schedule('cut', '0 3 * * * root', 'SELECT 1')$$), E'\n', 1);
ROLLBACK;

-- Rights. USAGE on the schema first, then EXECUTE on schedule_command.
UPDATE ct.base SET id = (SELECT last_value FROM metrics_refresh_internal.job_id_seq);
CREATE ROLE regress_cron LOGIN;
CREATE ROLE "regress Cron" LOGIN;
CREATE ROLE regress_nologin;
SELECT cron.schedule('of super', '0 0 1 1 *', 'SELECT 1') = ct.id(1) AS first;
SET ROLE regress_cron;
SELECT cron.schedule('mine', '0 0 1 1 *', 'SELECT 1');
SELECT count(*) FROM cron.job;
RESET ROLE;
GRANT USAGE ON SCHEMA cron TO regress_cron, "regress Cron", regress_stranger, regress_admin;
SET ROLE regress_cron;
SELECT ct.try($$SELECT cron.schedule('mine', '0 0 1 1 *', 'SELECT 1')$$);
SELECT ct.try($$SELECT cron.schedule('0 0 1 1 *', 'SELECT 1')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO regress_cron, "regress Cron";
SET ROLE regress_cron;
SELECT cron.schedule('mine', '0 0 1 1 *', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT cron.schedule('0 0 1 1 *', 'SELECT 2') IS NOT NULL AS scheduled;
SELECT jobname, username, command FROM ct.jobs;
-- Not for PUBLIC.
SELECT ct.try($$SELECT cron.schedule_in_database('his', '0 0 1 1 *', 'SELECT 1', current_database())$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), active => false)$$);
SELECT ct.try($$UPDATE cron.job SET active = false$$);
SELECT ct.try($$DELETE FROM cron.job$$);
SELECT ct.try($$INSERT INTO cron.job (schedule, command) VALUES ('0 0 1 1 *', 'SELECT 1')$$);
-- Somebody else's job is not there.
SELECT ct.try('SELECT cron.unschedule(ct.id(1))');
SELECT ct.try($$SELECT cron.unschedule('of super')$$);
RESET ROLE;
-- A name is a user's own: two users, and a refresh, have jobs of one name.
CREATE MATERIALIZED VIEW ct.mv AS SELECT 1 AS one;
SELECT metrics_refresh.schedule('ct.mv', job_name => 'shared') IS NOT NULL AS scheduled;
SET ROLE regress_cron;
SELECT cron.schedule('shared', '0 0 1 1 *', 'SELECT 1') = cron.schedule('shared', '0 1 1 1 *', 'SELECT 2') AS same;
SET ROLE "regress Cron";
SELECT cron.schedule('shared', '0 0 1 1 *', 'SELECT 3') = cron.schedule('shared', '0 1 1 1 *', 'SELECT 3') AS same;
SELECT cron.schedule('mine', '0 0 1 1 *', 'SELECT 3') IS NOT NULL AS scheduled;
SELECT cron.schedule('a [cron of b]', '0 0 1 1 *', 'SELECT 4') IS NOT NULL AS scheduled;
SELECT cron.schedule('unnamed cron job 00000000-0000-0000-0000-000000000000', '0 0 1 1 *', 'SELECT 5') IS NOT NULL AS scheduled;
SELECT jobname, username, command FROM ct.jobs;
RESET ROLE;
SELECT cron.schedule('mine', '0 0 1 1 *', 'SELECT 6') IS NOT NULL AS scheduled;
SELECT regexp_replace(job_name, '(named cron job) (?!0{8}-)[0-9a-f-]{36}$', '\1 UUID') AS job_name, owner, command FROM metrics_refresh.job WHERE NOT is_default ORDER BY job_id;
SELECT jobname, username, command FROM ct.jobs;
-- Whoever lays a job with settings where a superuser's would go catches nobody.
SET ROLE "regress Cron";
SELECT metrics_refresh.schedule_command('trap', NULL, 'SELECT 1', settings => '{"search_path": "evil"}') IS NOT NULL AS scheduled;
RESET ROLE;
SELECT cron.schedule('trap', '0 0 1 1 *', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT job_name, owner, settings FROM metrics_refresh.job WHERE job_name ~ 'trap' ORDER BY job_id;
SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE job_name ~ 'trap';
-- The own refresh of a name becomes the command, as by metrics_refresh.schedule_command().
SELECT metrics_refresh.schedule('ct.mv', job_name => 'was a refresh') IS NOT NULL AS scheduled;
SELECT cron.schedule('was a refresh', '0 0 1 1 *', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT jobname, command FROM ct.jobs WHERE jobname = 'was a refresh';
SELECT cron.unschedule('was a refresh');
-- Digits alone are no name here.
SELECT ct.try($$SELECT cron.schedule('17', '0 0 1 1 *', 'SELECT 1')$$);
-- Each removes its own.
SELECT cron.unschedule('mine');
SET ROLE "regress Cron";
SELECT cron.unschedule('mine'), cron.unschedule('a [cron of b]');
SELECT ct.try($$SELECT cron.unschedule('mine')$$);
SET ROLE regress_cron;
SELECT jobname, command FROM ct.jobs;
RESET ROLE;
-- Members of a role and super admins see its jobs in metrics_refresh.job, not here, and do not touch them here.
GRANT regress_cron TO regress_stranger;
SET ROLE regress_stranger;
SELECT count(*) FROM metrics_refresh.job;
SELECT count(*) FROM cron.job;
SELECT ct.try($$SELECT cron.unschedule(job_id) FROM metrics_refresh.job WHERE job_name = 'mine'$$);
SELECT ct.try($$SELECT cron.unschedule('mine')$$);
RESET ROLE;
REVOKE regress_cron FROM regress_stranger;
-- One without rights, and BYPASSRLS.
SET ROLE regress_stranger;
SELECT count(*) FROM cron.job;
SELECT count(*) FROM cron.job_run_details;
RESET ROLE;
CREATE ROLE regress_bypass LOGIN BYPASSRLS;
GRANT USAGE ON SCHEMA cron TO regress_bypass;
SET ROLE regress_bypass;
SELECT count(*) > 3 AS sees_all FROM cron.job;
SELECT ct.try($$SELECT cron.unschedule('mine')$$);
SELECT ct.try($$SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = 'mine'$$);
RESET ROLE;

-- Whoever may not connect to the database has no jobs in it.
BEGIN;
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SET LOCAL ROLE regress_cron;
SELECT replace(ct.try(c), current_database(), 'DB') FROM unnest(ARRAY[
    $$SELECT cron.schedule('0 0 1 1 *', 'SELECT 1')$$, $$SELECT cron.schedule('x', '0 0 1 1 *', 'SELECT 1')$$]) c;
ROLLBACK;

-- alter_job.
UPDATE ct.base SET id = (SELECT last_value FROM metrics_refresh_internal.job_id_seq);
CREATE DATABASE regress_cron_other TEMPLATE template0;
REVOKE CONNECT ON DATABASE regress_cron_other FROM PUBLIC;
SELECT cron.schedule('changing', '0 0 1 1 *', 'SELECT 1') = ct.id(1) AS first;
SELECT cron.alter_job(ct.id(1), schedule => '0 2 1 1 *');
SELECT cron.alter_job(ct.id(1), command => 'SELECT 2', active => false);
SELECT * FROM ct.jobs WHERE n = 1;
SELECT cron.alter_job(ct.id(1), '0 3 1 1 *', 'SELECT 3', current_database(), 'regress_cron', true);
SELECT * FROM ct.jobs WHERE n = 1;
-- Its owner stays, and so do its options.
SELECT metrics_refresh.alter_job('changing', priority => -7);
SELECT cron.alter_job(ct.id(1), command => 'SELECT 4');
SELECT command, owner, priority, active, max_retries FROM metrics_refresh.job WHERE job_name = 'changing';
SELECT ct.try('SELECT cron.alter_job(ct.id(1))');
SELECT ct.try('SELECT cron.alter_job(0, active => true)');
SELECT split_part(ct.try($$SELECT cron.alter_job(ct.id(1), schedule => '* * * *')$$), E'\n', 1);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), database => 'hopedoesnotexist')$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), database => 'regress_cron_other')$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), database => 'regress_cron_other', username => 'regress_cron')$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), username => 'regress_no_such')$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), username => 'regress_nologin')$$);
SELECT cron.schedule('changing', '0 0 1 1 *', 'SELECT 1') = ct.id(2) AS second;
SELECT ct.try($$SELECT cron.alter_job(ct.id(2), username => 'regress_cron')$$);
-- Whoever has been let, with the own jobs.
GRANT EXECUTE ON FUNCTION cron.alter_job, cron.schedule_in_database TO regress_cron;
SET ROLE regress_cron;
SELECT cron.alter_job(ct.id(1), '0 4 1 1 *', 'SELECT 5', active => false);
SELECT * FROM ct.jobs WHERE n > 0;
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), username => 'regress_stranger')$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), username => 'regress_cron')$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(2), active => false)$$);
SELECT ct.try($$SELECT cron.alter_job(ct.id(1), database => 'regress_cron_other')$$);
SELECT cron.schedule_in_database('in here', '0 0 1 1 *', 'SELECT 1', current_database(), active => false) IS NOT NULL AS scheduled;
SELECT cron.schedule_in_database('in here too', '0 0 1 1 *', 'SELECT 1', NULL, NULL, NULL) IS NOT NULL AS scheduled;
SELECT ct.try($$SELECT cron.schedule_in_database('x', '0 0 1 1 *', 'SELECT 1', current_database(), 'regress_stranger')$$);
SELECT ct.try($$SELECT cron.schedule_in_database('x', '0 0 1 1 *', 'SELECT 1', 'regress_cron_other')$$);
SELECT jobname, active FROM ct.jobs WHERE jobname LIKE 'in %';
RESET ROLE;
-- schedule_in_database as superuser: for others, who then have that name.
SELECT cron.schedule_in_database('his', '0 0 1 1 *', 'SELECT 1', current_database(), 'regress_cron', false) =
       cron.schedule_in_database(job_name => 'his', schedule => '0 1 1 1 *', command => 'SELECT 2', database => current_database(), username => 'regress_cron') AS same;
SELECT schedule, command, username, active FROM ct.jobs WHERE jobname = 'his';
SELECT ct.try($$SELECT cron.schedule_in_database('x', '0 0 1 1 *', 'SELECT 1', 'regress_cron_other')$$);
SELECT ct.try($$SELECT cron.schedule_in_database('x', '0 0 1 1 *', 'SELECT 1', 'regress_cron_other', 'regress_cron')$$);
SELECT ct.try($$SELECT cron.schedule_in_database('x', '0 0 1 1 *', 'SELECT 1', 'hopedoesnotexist')$$);
SELECT ct.try($$SELECT cron.schedule_in_database('x', '0 0 1 1 *', 'SELECT 1', current_database(), 'regress_no_such')$$);
SELECT ct.try($$SELECT cron.schedule_in_database('x', '0 0 1 1 *', 'SELECT 1', current_database(), 'regress_nologin')$$);
SELECT split_part(ct.try($$SELECT cron.schedule_in_database('x', '0 0 1', 'SELECT 1', 'hopedoesnotexist', 'regress_no_such')$$), E'\n', 1);
-- Roles whose names differ in case alone are two.
CREATE ROLE "REGRESS_CRON" LOGIN;
GRANT USAGE ON SCHEMA cron TO "REGRESS_CRON";
SET ROLE "REGRESS_CRON";
SELECT count(*) FROM cron.job;
SELECT ct.try('SELECT cron.unschedule(ct.id(1))');
SELECT ct.try($$SELECT cron.unschedule('his')$$);
RESET ROLE;
-- A role that is renamed keeps its jobs, under its new name; who gets the old name does not get them.
BEGIN;
ALTER ROLE regress_cron RENAME TO regress_cron_renamed;
CREATE ROLE regress_cron LOGIN;
SELECT DISTINCT username FROM cron.job WHERE username ~ '^regress_cron' ORDER BY 1;
ROLLBACK;

-- Writing to cron.job, as a superuser.
UPDATE cron.job SET schedule = '0 6 1 1 *', active = true WHERE jobid = ct.id(1) RETURNING jobname, schedule, command, username, active;
UPDATE cron.job SET command = 'SELECT 7' WHERE jobid = ct.id(1);
UPDATE cron.job SET username = 'regress Cron' WHERE jobid = ct.id(1);
SELECT * FROM ct.jobs WHERE n = 1;
UPDATE cron.job SET active = false WHERE username = 'regress_cron' AND jobname LIKE 'in %';
SELECT jobname, active FROM ct.jobs WHERE jobname LIKE 'in %';
UPDATE cron.job SET nodename = '', nodeport = 1 WHERE jobid = ct.id(1) RETURNING nodename;
\set VERBOSITY terse
UPDATE cron.job SET schedule = 'never' WHERE jobid = ct.id(1);
\set VERBOSITY default
UPDATE cron.job SET database = 'regress_cron_other' WHERE jobid = ct.id(1);
UPDATE cron.job SET database = 'postgres' WHERE jobid = ct.id(1);
UPDATE cron.job SET username = 'regress_no_such' WHERE jobid = ct.id(1);
UPDATE cron.job SET jobname = 'renamed' WHERE jobid = ct.id(1);
UPDATE cron.job SET jobid = 0 WHERE jobid = ct.id(1);
UPDATE cron.job SET command = NULL WHERE jobid = ct.id(1);
UPDATE cron.job SET active = NULL WHERE jobid = ct.id(1);
INSERT INTO cron.job (schedule, command, nodename, nodeport, database, username)
VALUES ('0 4 1 1 *', 'VACUUM', 'node1', 5432, current_database(), 'regress_cron') RETURNING jobid > ct.id(2) AS numbered, jobname, username, active;
INSERT INTO cron.job (jobname, schedule, command, active) VALUES ('inserted', '0 4 1 1 *', 'SELECT 1', false);
SELECT jobname, schedule, command, nodename, port, database, username, active FROM ct.jobs WHERE jobname = 'inserted' OR command = 'VACUUM';
INSERT INTO cron.job (jobname, schedule, command) VALUES ('inserted', '0 4 1 1 *', 'SELECT 1');
INSERT INTO cron.job (jobid, schedule, command) VALUES (1, '0 4 1 1 *', 'SELECT 1');
\set VERBOSITY terse
INSERT INTO cron.job (schedule, command) VALUES ('0 4 * *', 'SELECT 1');
\set VERBOSITY default
INSERT INTO cron.job (schedule, command, database) VALUES ('0 4 1 1 *', 'SELECT 1', 'postgres');
INSERT INTO cron.job (schedule) VALUES ('0 4 1 1 *');
DELETE FROM cron.job WHERE jobname = 'inserted' RETURNING jobname;
-- As somebody who was let.
GRANT INSERT, UPDATE, DELETE ON cron.job TO regress_cron;
SET ROLE regress_cron;
UPDATE cron.job SET active = true;
UPDATE cron.job SET username = 'regress_stranger' WHERE jobname = 'his';
INSERT INTO cron.job (schedule, command, username) VALUES ('0 4 1 1 *', 'SELECT 8', 'regress_stranger');
INSERT INTO cron.job (jobname, schedule, command) VALUES ('by insert', '0 4 1 1 *', 'SELECT 8');
SELECT jobname, schedule, command, username, active FROM ct.jobs;
DELETE FROM cron.job WHERE jobname IS DISTINCT FROM 'mine';
SELECT jobname FROM ct.jobs;
RESET ROLE;
SELECT jobname, username FROM ct.jobs;
-- The triggers are nobody's to use elsewhere.
SET ROLE regress_stranger;
CREATE TEMP VIEW bait AS SELECT 1::bigint AS runid;
CREATE TRIGGER t INSTEAD OF DELETE ON bait FOR EACH ROW EXECUTE FUNCTION cron.delete_run();
CREATE TRIGGER t INSTEAD OF DELETE ON bait FOR EACH ROW EXECUTE FUNCTION cron.write_job();
RESET ROLE;
CREATE TRIGGER t INSTEAD OF DELETE ON bait FOR EACH ROW EXECUTE FUNCTION cron.delete_run();
DELETE FROM bait;
DROP VIEW bait;

-- Runs: pg_cron's words and messages.
DELETE FROM cron.job;
TRUNCATE metrics_refresh_internal.run_log;
CREATE TABLE ct.t (n int);
CREATE PROCEDURE ct.nothing() LANGUAGE sql AS '';
CREATE PROCEDURE ct.run(command text, INOUT status text DEFAULT NULL) LANGUAGE plpgsql AS $$ BEGIN
    PERFORM cron.schedule('r', '0 0 1 1 *', command);
    COMMIT;
    CALL tools.run('r', status);
END $$;
CALL ct.run('SELECT 1');
CALL ct.run('SELECT generate_series(1, 3)');
CALL ct.run('INSERT INTO ct.t VALUES (1), (2)');
CALL ct.run('UPDATE ct.t SET n = n');
CALL ct.run('delete FROM ct.t WHERE n = 1');
CALL ct.run('DELETE FROM ct.t RETURNING n');
CALL ct.run('CALL ct.nothing()');
CALL ct.run('ANALYZE ct.t');
CALL ct.run('CREATE INDEX ON ct.t (n)');
CALL ct.run('REFRESH MATERIALIZED VIEW ct.mv');
CALL ct.run('SELECT 1; SELECT 2;');
CALL ct.run('SELECT 1 / 0');
CALL ct.run('SELECT no_such');
CALL ct.run('VACUUM');
CALL ct.run('DO $$ BEGIN RAISE ''no'' USING DETAIL = ''d'', HINT = ''h''; END $$');
CALL ct.run('SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(600)');
SELECT jobid = (SELECT jobid FROM cron.job WHERE jobname = 'r') AS this_job, job_pid > 0 AS pid, database, username, command, status, return_message, end_time >= start_time AS ended
FROM cron.job_run_details ORDER BY runid;
-- A refresh is no command, and not there.
SELECT metrics_refresh.refresh('ct.mv') ->> 'success' AS refreshed;
SELECT count(*) FROM cron.job_run_details;
SELECT count(*) FROM metrics_refresh.run_log;
-- Each sees and purges what is its own, and what has ended.
GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO regress_cron;
SET ROLE regress_cron;
SELECT cron.schedule('r', '0 0 1 1 *', 'SELECT current_user') IS NOT NULL AS scheduled;
CALL tools.run('r');
SELECT username, command, status, return_message FROM cron.job_run_details;
DELETE FROM cron.job_run_details WHERE end_time < now() - interval '7 days';
DELETE FROM cron.job_run_details WHERE start_time < now() RETURNING status;
SELECT count(*) FROM cron.job_run_details;
UPDATE cron.job_run_details SET status = 'succeeded';
INSERT INTO cron.job_run_details (status) VALUES ('succeeded');
RESET ROLE;
SELECT count(*) FROM cron.job_run_details;
SELECT cron.schedule('sleeper', '0 0 1 1 *', 'SELECT pg_sleep(600)') IS NOT NULL AS scheduled;
SELECT metrics_refresh.trigger('sleeper') AS run \gset
CALL tools.wait_for_begin(:run);
DELETE FROM cron.job_run_details;
SELECT status, return_message, end_time FROM cron.job_run_details;
SELECT metrics_refresh.cancel(:run), metrics_refresh.wait(:run, '60 s');
SELECT status, return_message, end_time > start_time AS ended FROM cron.job_run_details;
DELETE FROM cron.job_run_details;
SELECT count(*) FROM metrics_refresh.run_log;

-- DROP EXTENSION leaves the jobs; made anew, it shows them.
SELECT cron.schedule('0 0 1 1 *', 'SELECT 1') IS NOT NULL AS scheduled;
SELECT jobid, jobname, command, username INTO ct.before FROM cron.job;
\set VERBOSITY terse
DROP EXTENSION metrics_refresh;
\set VERBOSITY default
DROP VIEW ct.jobs;
DROP EXTENSION metrics_refresh_cron;
SELECT count(*) AS left_behind FROM pg_namespace WHERE nspname = 'cron';
SELECT count(*) FROM metrics_refresh.job WHERE NOT is_default AND command IS NOT NULL;
-- Not by anybody, and not beside pg_cron.
SET ROLE regress_stranger;
CREATE EXTENSION metrics_refresh_cron;
RESET ROLE;
CREATE SCHEMA cron;
CREATE EXTENSION metrics_refresh_cron;
DROP SCHEMA cron;
-- Beside objects that somebody who may create in public has laid out to be taken for the server's own.
GRANT CREATE ON SCHEMA public TO regress_stranger;
SET ROLE regress_stranger;
CREATE FUNCTION public.same(oid, regclass) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0; SELECT true';
CREATE OPERATOR public.<> (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.same);
RESET ROLE;
CREATE EXTENSION metrics_refresh_cron;
DROP OPERATOR public.<> (oid, regclass);
DROP FUNCTION public.same;
REVOKE CREATE ON SCHEMA public FROM regress_stranger;
SELECT count(*) AS other FROM (SELECT jobid, jobname, command, username FROM cron.job EXCEPT SELECT * FROM ct.before) x;
ALTER EXTENSION metrics_refresh_cron SET SCHEMA public;

SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
DROP EXTENSION metrics_refresh_cron;
DROP DATABASE regress_cron_other;
\set VERBOSITY terse
DROP SCHEMA ct CASCADE;
REVOKE ALL ON FUNCTION metrics_refresh.schedule_command FROM regress_cron, "regress Cron";
DROP ROLE regress_cron, "regress Cron", "REGRESS_CRON", regress_nologin, regress_bypass;
