-- Groups: what schedule_group() takes and refuses, who may do what with them, groups that run once,
-- and refresh_group() in the session. How they run in workers: test/t/012_groups.pl.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE SCHEMA g;
CREATE TABLE g.base AS SELECT n FROM generate_series(1, 10) n;
CREATE TABLE g.divisor AS SELECT 1 AS d;
-- c <- (plain view v) <- b <- a, so that the order of names is the wrong one; and d alone.
CREATE MATERIALIZED VIEW g.c AS SELECT count(*) AS n, sum(n) / (SELECT d FROM g.divisor) AS total FROM g.base WITH NO DATA;
CREATE VIEW g.v AS SELECT n FROM g.c;
CREATE MATERIALIZED VIEW g.b AS SELECT n FROM g.v WITH NO DATA;
CREATE MATERIALIZED VIEW g.a AS SELECT n FROM g.b WITH NO DATA;
CREATE MATERIALIZED VIEW g.d AS SELECT 1 AS one;
CREATE SCHEMA empty;
CREATE VIEW g.jobs AS
    SELECT j.job_name, j.owner, j.group_schema, j.schedule, j.isolation, j.max_parallel, j.strategy, j.one_time,
           (SELECT string_agg(m.view_schema || '.' || m.view_name, ' ' ORDER BY m.view_name)
            FROM metrics_refresh.job_member m WHERE m.job_id = j.job_id) AS members,
           (SELECT count(*) FROM metrics_refresh.run_request r WHERE r.job_id = j.job_id) AS requested
    FROM metrics_refresh.job j WHERE NOT is_default;

-- Nothing of this file runs in a worker unless it says so.
BEGIN;
-- A list, and a schema; a run is asked for where a view has never been populated.
SELECT metrics_refresh.schedule_group('listed', ARRAY['g.a', 'g.c']::regclass[]) IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_group('populated', '{g.d}') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_group('not now', '{g.a,g.d}', populate => false) IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_group('of schema', schema_name => 'g', schedule => '0 0 29 2 *', isolation => 'repeatable_read',
    max_parallel => 2, strategy => 'full') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_group('none yet', schema_name => 'empty') IS NOT NULL AS scheduled;
SELECT * FROM g.jobs ORDER BY job_name;
SELECT job_name, kind, state, next_due IS NOT NULL AS is_due FROM metrics_refresh.job_status WHERE kind = 'group' ORDER BY job_name;
ROLLBACK;
SELECT count(*) FROM g.jobs;

-- All options; what is not said goes back to its default; the members are replaced, and so is the kind.
SELECT metrics_refresh.schedule_group('group', '{g.a,g.b,g.d}', schedule => '@yearly', timezone => 'Asia/Tokyo',
    isolation => 'repeatable_read', max_parallel => 3, strategy => 'full', active => false, max_runtime => '5 min',
    lock_timeout => '1 s', on_missed => 'skip', on_overlap => 'queue_one', priority => 5, max_retries => 1,
    retry_delay => '1 s', retry_max_delay => '2 s', jitter => '3 s', starts_at => '2030-01-01', ends_at => '2090-01-01',
    blackout => '{sun 00:00-24:00}', settings => '{"work_mem": "8MB"}', populate => false) AS job \gset
SELECT *, created_at = effective_from AS new FROM (SELECT job_name, schedule, timezone, active, max_runtime, lock_timeout, on_missed, on_overlap,
    priority, max_retries, retry_delay, retry_max_delay, jitter, starts_at, ends_at, blackout, settings, isolation, max_parallel,
    date_trunc('hour', created_at) AS created_at, date_trunc('hour', effective_from) AS effective_from
    FROM metrics_refresh.job WHERE job_name = 'group') j \gset
\echo :schedule :timezone :active :max_runtime :lock_timeout :on_missed :on_overlap :priority :max_retries :retry_delay :retry_max_delay
\echo :jitter :starts_at :ends_at :blackout :settings :isolation :max_parallel
SELECT metrics_refresh.schedule_group('group', '{g.b}', populate => false) = :job AS same_job;
SELECT * FROM g.jobs;
SELECT metrics_refresh.schedule_group('group', schema_name => 'g', populate => false) = :job AS same_job;
SELECT * FROM g.jobs;
SELECT metrics_refresh.schedule_group('group', '{g.a,g.b}', populate => false) = :job AS same_job;
SELECT metrics_refresh.schedule('g.d', job_name => 'group') = :job AS same_job;
SELECT * FROM g.jobs;
SELECT metrics_refresh.schedule_command('group', NULL, 'SELECT 1') = :job AS same_job;
SELECT metrics_refresh.schedule_group('group', '{g.a,g.b}', populate => false) = :job AS same_job;
SELECT view_schema, view_name, command, group_schema FROM metrics_refresh.job WHERE job_name = 'group';
SELECT * FROM g.jobs;

-- Altered, paused, resumed, as any job is.
SELECT metrics_refresh.alter_job('group', isolation => 'repeatable_read', max_parallel => 1, strategy => 'full', schedule => '@yearly');
SELECT * FROM g.jobs;
SELECT metrics_refresh.alter_job('group', max_parallel => 0);
SELECT max_parallel FROM g.jobs;
SELECT metrics_refresh.pause('group');
SELECT state FROM metrics_refresh.job_status WHERE job_name = 'group';
SELECT metrics_refresh.resume('group');
SELECT state FROM metrics_refresh.job_status WHERE job_name = 'group';

-- Wrong input.
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$schedule_group(NULL, '{g.a}')$$,
    $$schedule_group('', '{g.a}')$$,
    $$schedule_group('x')$$,
    $$schedule_group('x', '{g.a}', 'g')$$,
    $$schedule_group('x', '{}')$$,
    $$schedule_group('x', '{NULL}')$$,
    $$schedule_group('x', '{g.a,g.nothing}')$$,
    $$schedule_group('x', '{g.a,g.b,g.a}')$$,
    $$schedule_group('x', '{g.a,g.v}')$$,
    $$schedule_group('x', '{g.base}')$$,
    $$schedule_group('x', ARRAY[0, 4294967295]::oid[]::regclass[])$$,
    $$schedule_group('x', schema_name => 'nowhere')$$,
    $$schedule_group('x', schema_name => '')$$,
    $$schedule_group('x', '{g.a}', schedule => 'weekly')$$,
    $$schedule_group('x', '{g.a}', timezone => 'Mars')$$,
    $$schedule_group('x', '{g.a}', isolation => 'serializable')$$,
    $$schedule_group('x', '{g.a}', isolation => NULL)$$,
    $$schedule_group('x', '{g.a}', max_parallel => -1)$$,
    $$schedule_group('x', '{g.a}', strategy => 'fast')$$,
    $$schedule_group('x', '{g.a}', populate => NULL)$$,
    $$schedule_group('x', '{g.a}', settings => '{"wrok_mem": 1}')$$,
    $$schedule_group('x', '{g.a}', schedule => '@daily', blackout => '{23:00-01:00}')$$,
    $$alter_job('group', isolation => 'x')$$,
    $$alter_job('group', max_parallel => -1)$$,
    $$refresh_all_views(NULL)$$,
    $$refresh_all_views('nowhere')$$,
    $$populate_views(NULL)$$,
    $$populate_views('nowhere')$$,
    $$refresh_dependents(NULL)$$,
    $$refresh_dependents('g.nothing')$$,
    $$refresh_dependents(4294967295)$$,
    $$refresh_dependents('pg_class_oid_index')$$,
    $$refresh_group(NULL)$$,
    $$refresh_group('no such group')$$,
    $$refresh_group('cleanup-metrics-logs')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
SELECT count(*) FROM g.jobs WHERE job_name = 'x';
-- By hand.
\set VERBOSITY terse
UPDATE metrics_refresh_internal.job SET group_schema = 'g', command = 'SELECT 1' WHERE job_name = 'group';
UPDATE metrics_refresh_internal.job SET max_parallel = 0 WHERE job_name = 'group';
UPDATE metrics_refresh_internal.job SET isolation = 'serializable' WHERE job_name = 'group';
INSERT INTO metrics_refresh_internal.job_member VALUES (:job, 'g', 'a');
-- Members are bound by name: an oid that comes with the row, as from a dump, is looked up anew.
INSERT INTO metrics_refresh_internal.job_member VALUES (:job, 'g', 'd', 1), (:job, 'g', 'not yet', 1);
\set VERBOSITY default
SELECT view_name, view_oid = to_regclass('g.' || quote_ident(view_name)) AS bound, view_oid = 0 AS waits
FROM metrics_refresh.job_member ORDER BY view_name;

-- Groups that run once: their members, a request, and a name of their own; NULL where there is nothing.
CREATE TABLE g.parent (n int) PARTITION BY LIST (n);
CREATE TABLE g.part PARTITION OF g.parent DEFAULT;
CREATE MATERIALIZED VIEW g.of_parent AS SELECT count(*) AS n FROM g.parent;
BEGIN;
SELECT metrics_refresh.refresh_all_views('g') IS NOT NULL AS run;
SELECT metrics_refresh.refresh_all_views('g') IS NOT NULL AS run;
SELECT metrics_refresh.populate_views('g') IS NOT NULL AS run;
SELECT metrics_refresh.refresh_dependents('g.base') IS NOT NULL AS run;
SELECT metrics_refresh.refresh_dependents('g.v') IS NOT NULL AS run;
SELECT metrics_refresh.refresh_dependents('g.b') IS NOT NULL AS run;
SELECT metrics_refresh.refresh_dependents('g.part') IS NOT NULL AS run;
SELECT regexp_replace(job_name, '\d+', 'N') AS job, owner, schedule, one_time, members, requested FROM g.jobs ORDER BY job_name LIKE 'group', job_name;
SELECT count(DISTINCT job_name) FROM g.jobs WHERE one_time;
-- A job that takes the name of one of them stands beside it.
SAVEPOINT taken;
SELECT job_name AS once FROM g.jobs WHERE one_time ORDER BY job_name LIMIT 1 \gset
SELECT metrics_refresh.schedule_group(:'once', '{g.a}', populate => false) IS NOT NULL AS scheduled;
SELECT one_time, members FROM g.jobs WHERE job_name = :'once' ORDER BY one_time DESC;
ROLLBACK TO taken;
SELECT metrics_refresh.refresh_all_views('empty');
SELECT metrics_refresh.populate_views('empty');
SELECT metrics_refresh.refresh_dependents('g.a');
-- They are nobody's schedule: not in what looks like cron's, nor in health.
SELECT job_name FROM metrics_refresh.get_cron_job_status() WHERE job_name LIKE '%#%';
SELECT detail FROM metrics_refresh.health_check() WHERE detail LIKE '%#%';
SELECT DISTINCT kind, state FROM metrics_refresh.job_status WHERE job_name LIKE '%#%';
ROLLBACK;
-- One that is cancelled before it began leaves its row in the log and no job.
BEGIN;
SELECT metrics_refresh.refresh_all_views('g') AS run \gset
SELECT metrics_refresh.cancel(:run);
COMMIT;
SELECT status, error_message FROM metrics_refresh.run_log WHERE run_id = :run;
SELECT count(*) FROM g.jobs WHERE one_time;
TRUNCATE metrics_refresh_internal.run_log;

-- refresh_group: in the order of their dependencies, each logged, and the time of completion.
DELETE FROM metrics_refresh_internal.job_member WHERE view_name = 'not yet';
SELECT metrics_refresh.schedule_group('group', schema_name => 'g', populate => false) = :job AS same_job;
SELECT metrics_refresh.refresh_group('group') > now() AS completed;
SELECT n, view, status, triggered_by, initiated_by, strategy, rows_total FROM tools.log;
SELECT a.n, one FROM g.a, g.d;
-- explain_refresh knows the group of a view without a job of its own.
SELECT job_name, strategy, depends_on FROM metrics_refresh.explain_refresh('g.a');
-- A member that fails is named, what depends on it is left alone and logged as skipped.
TRUNCATE metrics_refresh_internal.run_log;
UPDATE g.divisor SET d = 0;
SELECT metrics_refresh.refresh_group('group') > now() AS completed;
SELECT n, view, owner, status, sqlstate, error_message FROM tools.log;
-- So is one that does not exist, and one that the caller may not refresh.
TRUNCATE metrics_refresh_internal.run_log;
UPDATE g.divisor SET d = 1;
SELECT metrics_refresh.schedule_group('group', '{g.a,g.d,g.of_parent}', populate => false) = :job AS same_job;
DROP MATERIALIZED VIEW g.d;
ALTER MATERIALIZED VIEW g.of_parent OWNER TO regress_stranger;
SELECT metrics_refresh.alter_job('group', owner => 'regress_owner');
ALTER MATERIALIZED VIEW g.a OWNER TO regress_owner;
GRANT USAGE, CREATE ON SCHEMA g TO regress_owner;
GRANT USAGE ON SCHEMA g TO regress_admins, regress_stranger;
GRANT SELECT ON ALL TABLES IN SCHEMA g TO regress_owner;
SET ROLE regress_owner;
SELECT metrics_refresh.refresh_group('group') > now() AS completed;
RESET ROLE;
SELECT n, view, owner, status, sqlstate, error_message, error_hint FROM tools.log;
TRUNCATE metrics_refresh_internal.run_log;
-- An empty group is done at once.
SELECT metrics_refresh.schedule_group('nothing', schema_name => 'empty') IS NOT NULL AS scheduled;
SELECT metrics_refresh.refresh_group('nothing') IS NOT NULL AS completed;

-- Who may. Of somebody else's views: the views are named; of an empty schema: its owner.
SET ROLE regress_owner;
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$schedule_group('mine', '{g.a,g.b}')$$,
    $$schedule_group('mine', schema_name => 'g')$$,
    $$schedule_group('mine', schema_name => 'empty')$$,
    $$refresh_all_views('g')$$,
    $$populate_views('g')$$,
    $$refresh_dependents('g.base')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
BEGIN;
SELECT metrics_refresh.refresh_dependents('g.b') IS NOT NULL AS run;
SELECT owner, members FROM g.jobs WHERE one_time;
RESET ROLE;
SELECT owner, members FROM g.jobs WHERE one_time;
ROLLBACK;
SET ROLE regress_owner;
SELECT metrics_refresh.schedule_group('mine', '{g.a}', '', populate => false);
SELECT metrics_refresh.schedule_group('mine', '{g.a}', populate => false) IS NOT NULL AS scheduled;
-- He sees his group, its members and nothing else of groups; the stranger sees nothing at all.
SELECT job_name FROM metrics_refresh.job ORDER BY 1;
SELECT view_schema, view_name FROM metrics_refresh.job_member ORDER BY 2;
SET ROLE regress_stranger;
SELECT count(*) FROM metrics_refresh.job_member;
SELECT count(*) FROM metrics_refresh.group_run_member;
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$alter_job('mine', max_parallel => 1)$$,
    $$pause('mine')$$,
    $$trigger('mine')$$,
    $$refresh_group('mine')$$,
    $$unschedule('mine')$$,
    $$schedule_group('mine', '{g.of_parent}') IS NOT NULL$$, -- one of his own
    $$unschedule('mine')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
INSERT INTO metrics_refresh_internal.job_member VALUES (1, 'g', 'a');
DELETE FROM metrics_refresh_internal.group_run_member;
RESET ROLE;
-- The plan of a group's run is seen with its job.
INSERT INTO metrics_refresh_internal.group_run_member (group_run_id, member, job_id, view_schema, view_name, view_oid, waits_for)
    SELECT 0, 0, job_id, 'g', 'a', 0, '{}' FROM metrics_refresh.job WHERE job_name IN ('mine', 'nothing') LIMIT 1;
SELECT j.state FROM metrics_refresh.job_status j JOIN metrics_refresh.group_run_member USING (job_id);
DELETE FROM metrics_refresh_internal.group_run_member;
-- A super admin who may not refresh them himself: the group is one of their owners', if one may refresh all.
SET metrics_refresh.admin_role = 'regress_admins';
SET ROLE regress_admin;
SELECT metrics_refresh.schedule_group('by admin', '{g.a}', populate => false) IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_group('by admin 2', '{g.a,g.b}', populate => false) IS NOT NULL AS scheduled;
SELECT tools.try($$SELECT metrics_refresh.schedule_group('by admin 3', '{g.a,g.of_parent}')$$);
RESET ROLE;
RESET metrics_refresh.admin_role;
SELECT job_name, owner, members FROM g.jobs WHERE job_name LIKE 'by admin%' ORDER BY 1;

-- Names that need quotes.
CREATE SCHEMA "Grüße; DROP";
CREATE MATERIALIZED VIEW "Grüße; DROP"."it's ""it""" AS SELECT 1 AS one WITH NO DATA;
SELECT metrics_refresh.schedule_group('''); DROP TABLE x; --', ARRAY['"Grüße; DROP"."it''s ""it"""']::regclass[], populate => false) IS NOT NULL AS scheduled;
SELECT metrics_refresh.refresh_group('''); DROP TABLE x; --') IS NOT NULL AS completed;
SELECT command FROM metrics_refresh.get_cron_job_status() WHERE job_name LIKE '''%';
BEGIN;
SELECT metrics_refresh.refresh_all_views('Grüße; DROP') IS NOT NULL AS run;
SELECT regexp_replace(job_name, '\d+', 'N') AS job, members FROM g.jobs WHERE one_time;
ROLLBACK;
DROP SCHEMA "Grüße; DROP" CASCADE;

-- A run of one in a worker, from the call to the end; the job is gone with it.
TRUNCATE metrics_refresh_internal.run_log;
SELECT metrics_refresh.refresh_dependents('g.v') AS run \gset
SELECT metrics_refresh.wait(:run, '60 s');
SELECT regexp_replace(job_name, '\d+', 'N') AS job, view_name, status FROM metrics_refresh.run_log ORDER BY view_name NULLS FIRST;
SELECT count(*) FROM g.jobs WHERE one_time;

SELECT metrics_refresh.unschedule(job_name) FROM g.jobs;
SELECT count(*) FROM metrics_refresh.job_member;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA g, empty CASCADE;
