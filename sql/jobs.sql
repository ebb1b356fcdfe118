-- schedule, schedule_command, alter_job, pause, resume, unschedule and job_status, and every way to
-- call them wrongly.
\set SHOW_CONTEXT never
CREATE SCHEMA j;
CREATE TABLE j.base AS SELECT g AS id FROM generate_series(1, 3) g;
CREATE MATERIALIZED VIEW j.mv AS SELECT id FROM j.base;
CREATE UNIQUE INDEX ON j.mv (id);
CREATE VIEW j.plain AS SELECT 1 AS one;
CREATE VIEW j.jobs AS
    SELECT s.job_name, s.view_schema, s.view_name, s.command, s.schedule, s.timezone, s.active,
           s.owner, j.strategy, j.max_runtime, j.lock_timeout, j.on_missed,
           s.next_due IS NOT NULL AS is_due
    FROM metrics_refresh.job_status s JOIN metrics_refresh.job j USING (job_id) WHERE NOT is_default;

-- The shortest form, and all options at once; the same name again replaces the job, not its number.
SELECT metrics_refresh.schedule('j.mv') = metrics_refresh.schedule('j.mv', '@yearly') AS same_job;
SELECT metrics_refresh.schedule('j.mv', '0 3 29 2 *', job_name => 'all options', timezone => 'Europe/Berlin',
                                strategy => 'concurrently', active => false, max_runtime => '90 min',
                                lock_timeout => '500 ms', on_missed => 'skip') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_command('a command', '@yearly', 'SELECT 1', timezone => 'Asia/Tokyo',
                                        active => false, max_runtime => '1 ms',
                                        lock_timeout => '24 days', on_missed => 'skip') IS NOT NULL AS scheduled;
SELECT * FROM j.jobs ORDER BY job_name COLLATE "C" \gx

-- What schedule() is not told goes back to its default, as if the job were new.
SELECT metrics_refresh.schedule('j.mv', job_name => 'all options') IS NOT NULL AS scheduled;
SELECT * FROM j.jobs WHERE job_name = 'all options' \gx
-- A job may change from a refresh to a command and back.
SELECT metrics_refresh.schedule_command('all options', NULL, 'SELECT 2') IS NOT NULL AS scheduled;
SELECT view_schema, view_name, command FROM j.jobs WHERE job_name = 'all options';
SELECT metrics_refresh.schedule('j.mv', job_name => 'all options') IS NOT NULL AS scheduled;
SELECT view_schema, view_name, command FROM j.jobs WHERE job_name = 'all options';

-- alter_job changes what it is told and nothing else.
SELECT metrics_refresh.alter_job('all options', schedule => '30 4 1 1 *', timezone => 'Asia/Tokyo');
SELECT metrics_refresh.alter_job('all options', active => false, strategy => 'diff');
SELECT metrics_refresh.alter_job('all options', max_runtime => '2 days', lock_timeout => '1 s',
                                 on_missed => 'skip', owner => 'regress_owner');
SELECT metrics_refresh.alter_job('all options');
SELECT * FROM j.jobs WHERE job_name = 'all options' \gx
-- A change of the times counts from now on; another leaves them alone.
SELECT effective_from AS before FROM metrics_refresh.job WHERE job_name = 'all options' \gset
SELECT metrics_refresh.alter_job('all options', lock_timeout => '2 s');
SELECT effective_from = :'before' AS unchanged FROM metrics_refresh.job WHERE job_name = 'all options';
SELECT metrics_refresh.alter_job('all options', schedule => '@yearly');
SELECT effective_from > :'before' AS later FROM metrics_refresh.job WHERE job_name = 'all options';

-- pause and resume.
SELECT metrics_refresh.pause('j.mv');
SELECT active, is_due FROM j.jobs WHERE job_name = 'j.mv';
SELECT metrics_refresh.pause('j.mv');
SELECT metrics_refresh.resume('j.mv');
SELECT metrics_refresh.resume('j.mv');
SELECT active, is_due FROM j.jobs WHERE job_name = 'j.mv';

-- The setting is the zone of jobs that name none.
SET metrics_refresh.timezone = 'Pacific/Auckland';
SELECT job_name, timezone FROM j.jobs ORDER BY job_name COLLATE "C";
RESET metrics_refresh.timezone;

-- Names that need quotes, in schemas that need them too; long ones; ones that look like SQL.
CREATE SCHEMA "Größe; DROP SCHEMA j";
CREATE MATERIALIZED VIEW "Größe; DROP SCHEMA j"."it's ""quoted"" 数" AS SELECT 1 AS "Önê";
SELECT metrics_refresh.schedule('"Größe; DROP SCHEMA j"."it''s ""quoted"" 数"') IS NOT NULL AS scheduled;
CALL tools.run('"Größe; DROP SCHEMA j"."it''s ""quoted"" 数"');
SELECT create_index AS "create" FROM metrics_refresh.explain_refresh('"Größe; DROP SCHEMA j"."it''s ""quoted"" 数"') \gset
\echo :create
CREATE UNIQUE INDEX ON "Größe; DROP SCHEMA j"."it's ""quoted"" 数" ("Önê");
CALL tools.run('"Größe; DROP SCHEMA j"."it''s ""quoted"" 数"');
SELECT view_schema, view_name, status, strategy, rows_total FROM metrics_refresh.run_log ORDER BY run_id;
SELECT job FROM metrics_refresh.get_refresh_stats(24, '"Größe; DROP SCHEMA j"."it''s ""quoted"" 数"');
SELECT metrics_refresh.schedule('j.mv', job_name => repeat('long ', 100)) IS NOT NULL AS scheduled;
SELECT metrics_refresh.unschedule(repeat('long ', 100));
SELECT metrics_refresh.unschedule('"Größe; DROP SCHEMA j"."it''s ""quoted"" 数"');
DROP SCHEMA "Größe; DROP SCHEMA j" CASCADE;

-- Wrong input.
CREATE INDEX base_id ON j.base (id);
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$schedule(NULL)$$,
    $$schedule('j.no_such_view')$$,
    $$schedule(0)$$,
    $$schedule(4294967295)$$,
    $$schedule('j.base')$$,
    $$schedule('j.plain')$$,
    $$schedule('j.base_id')$$,
    $$schedule('pg_class')$$,
    $$schedule('j.mv', '61 * * * *')$$,
    $$schedule('j.mv', '')$$,
    $$schedule('j.mv', '*/5 * * * * *')$$,
    $$schedule('j.mv', '0 0 31 2 *')$$,
    $$schedule('j.mv', job_name => '')$$,
    $$schedule('j.mv', timezone => 'Berlin')$$,
    $$schedule('j.mv', timezone => '')$$,
    $$schedule('j.mv', strategy => 'fast')$$,
    $$schedule('j.mv', strategy => 'FULL')$$,
    $$schedule('j.mv', strategy => NULL)$$,
    $$schedule('j.mv', active => NULL)$$,
    $$schedule('j.mv', max_runtime => NULL)$$,
    $$schedule('j.mv', max_runtime => '0')$$,
    $$schedule('j.mv', max_runtime => '-1 hour')$$,
    $$schedule('j.mv', max_runtime => '25 days')$$,
    $$schedule('j.mv', max_runtime => '178000000 years')$$,
    $$schedule('j.mv', max_runtime => '1 month -30 days')$$,
    $$schedule('j.mv', lock_timeout => NULL)$$,
    $$schedule('j.mv', lock_timeout => '0')$$,
    $$schedule('j.mv', lock_timeout => '999 microseconds')$$,
    $$schedule('j.mv', lock_timeout => '1 year')$$,
    $$schedule('j.mv', on_missed => 'all')$$,
    $$schedule('j.mv', on_missed => NULL)$$,
    $$schedule_command(NULL, '@daily', 'SELECT 1')$$,
    $$schedule_command('', '@daily', 'SELECT 1')$$,
    $$schedule_command('c', '@daily', NULL)$$,
    $$schedule_command('c', '@daily', '')$$,
    $$schedule_command('c', '@daily', E' \n;\t; ')$$,
    $$schedule_command('c', '@dayly', 'SELECT 1')$$,
    $$schedule_command('c', '@daily', 'SELECT 1', timezone => 'x')$$,
    $$schedule_command('c', '@daily', 'SELECT 1', max_runtime => '0')$$,
    $$schedule_command('c', '@daily', 'SELECT 1', on_missed => 'twice')$$,
    $$alter_job(NULL)$$,
    $$alter_job('no such job')$$,
    $$alter_job('J.MV')$$,
    $$alter_job('j.mv', schedule => 'now and then')$$,
    $$alter_job('j.mv', timezone => 'x')$$,
    $$alter_job('j.mv', strategy => 'x')$$,
    $$alter_job('j.mv', max_runtime => '0')$$,
    $$alter_job('j.mv', lock_timeout => '-1 s')$$,
    $$alter_job('j.mv', on_missed => 'x')$$,
    $$alter_job('j.mv', owner => 'no such role')$$,
    $$alter_job('a command', strategy => 'full')$$,
    $$pause(NULL)$$,
    $$pause('no such job')$$,
    $$resume(NULL)$$,
    $$resume('no such job')$$,
    $$unschedule(NULL)$$,
    $$unschedule('no such job')$$,
    $$trigger(NULL)$$,
    $$trigger('no such job')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
-- 3F000 in version 15, 42P01 later.
SELECT tools.try($$SELECT metrics_refresh.schedule('nowhere.mv')$$) ~ '^(3F000|42P01): .*nowhere.* does not exist$';
\a \t
SELECT * FROM j.jobs WHERE job_name IN ('j.mv', 'c') \gx

-- Nothing gets into the table past these rules, not even by the superuser's hand.
\set VERBOSITY terse
INSERT INTO metrics_refresh_internal.job (job_name, command, schedule, owner) VALUES ('x', 'SELECT 1', '61 * * * *', 'postgres');
INSERT INTO metrics_refresh_internal.job (job_name, command, timezone, owner) VALUES ('x', 'SELECT 1', 'Mars', 'postgres');
UPDATE metrics_refresh_internal.job SET schedule = 'sometimes';
INSERT INTO metrics_refresh_internal.job (job_name, group_schema, command, owner) VALUES ('x', 'j', 'SELECT 1', 'postgres');
INSERT INTO metrics_refresh_internal.job (job_name, view_schema, view_name, command, owner) VALUES ('x', 'j', 'mv', 'SELECT 1', 'postgres');
INSERT INTO metrics_refresh_internal.job (job_name, view_name, owner) VALUES ('x', 'mv', 'postgres');
UPDATE metrics_refresh_internal.job SET max_runtime = '178000000 years' WHERE job_name = 'j.mv';
UPDATE metrics_refresh_internal.job SET lock_timeout = '0' WHERE job_name = 'j.mv';
UPDATE metrics_refresh_internal.job SET strategy = 'x' WHERE job_name = 'j.mv';
UPDATE metrics_refresh_internal.job SET job_name = 'j.mv';
\set VERBOSITY default

-- All of this is transactional.
BEGIN;
SELECT metrics_refresh.unschedule('j.mv');
SELECT metrics_refresh.schedule_command('rolled back', '1 second', 'SELECT 1') IS NOT NULL AS scheduled;
ROLLBACK;
SELECT job_name FROM j.jobs ORDER BY job_name COLLATE "C";

-- A due time in a second's reach wakes the scheduler at the commit.
SELECT metrics_refresh.schedule('j.mv', '1 second', job_name => 'every second', strategy => 'diff') AS job \gset
CALL tools.wait_until(format('SELECT count(*) >= 2 FROM metrics_refresh.run_log WHERE job_id = %s AND status = ''success''', :job));
SELECT metrics_refresh.pause('every second');
SELECT DISTINCT triggered_by, initiated_by, status, due_at = date_trunc('second', due_at) AS on_the_second,
       started_at >= due_at AS after_it FROM metrics_refresh.run_log WHERE job_id = :job AND status <> 'running';
-- The job may be removed and its log stays.
SELECT metrics_refresh.unschedule('every second');
SELECT metrics_refresh.unschedule('every second');
SELECT count(*) >= 2 AS log_stays FROM metrics_refresh.run_log WHERE job_name = 'every second';

SELECT metrics_refresh.unschedule(job_name) FROM j.jobs;
CALL tools.wait_until('SELECT count(*) = 0 FROM metrics_refresh_internal.active_run');
TRUNCATE metrics_refresh_internal.run_log;
DROP SCHEMA j CASCADE;
