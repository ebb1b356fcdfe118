-- The policies of jobs: every option of schedule(), schedule_command() and alter_job() beyond those in
-- jobs.sql, how it is changed, removed and refused, and next_due().
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA p;
CREATE MATERIALIZED VIEW p.mv AS SELECT 1 AS one;
CREATE UNIQUE INDEX ON p.mv (one);
CREATE VIEW p.policies AS
    SELECT job_name, on_overlap, priority, max_retries, retry_delay, retry_max_delay, jitter,
           starts_at, ends_at, blackout, settings, isolation, max_parallel
    FROM metrics_refresh.job WHERE NOT is_default;

-- The defaults, and all of them at once.
SELECT metrics_refresh.schedule('p.mv', '@yearly', job_name => 'defaults') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule('p.mv', '0 3 29 2 *', job_name => 'all', on_overlap => 'queue_one', priority => 7,
    max_retries => 9, retry_delay => '2 s', retry_max_delay => '1 min', jitter => '30 s',
    starts_at => '2030-01-01', ends_at => '2090-01-01', blackout => '{"sun 00:00-24:00","22:00-02:00"}',
    settings => '{"work_mem": "256MB", "jit": false, "random_page_cost": 1.5}') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_command('command', '0 0 1 1 *', 'SELECT 1', on_overlap => 'queue_one', priority => -1000,
    max_retries => 0, retry_delay => '1 ms', retry_max_delay => '24 days', jitter => '24 days',
    starts_at => '2030-01-01', ends_at => 'infinity', blackout => '{}', settings => '{}') IS NOT NULL AS scheduled;
SELECT * FROM p.policies ORDER BY job_name \gx
-- What is not said goes back to its default.
SELECT metrics_refresh.schedule('p.mv', '0 3 29 2 *', job_name => 'all') IS NOT NULL AS scheduled;
SELECT to_jsonb(a) - 'job_name' = to_jsonb(d) - 'job_name' AS as_by_default FROM p.policies a, p.policies d
WHERE a.job_name = 'all' AND d.job_name = 'defaults';

-- alter_job changes what it is told and nothing else; times count anew, the rest leaves them alone.
SELECT effective_from AS before FROM metrics_refresh.job WHERE job_name = 'all' \gset
SELECT metrics_refresh.alter_job('all', on_overlap => 'queue_one', priority => 1, max_retries => 1, retry_delay => '1 s',
    retry_max_delay => '2 s', jitter => '3 s', settings => '{"work_mem": "1MB"}');
SELECT effective_from = :'before' AS unchanged FROM metrics_refresh.job WHERE job_name = 'all';
SELECT metrics_refresh.alter_job('all', starts_at => '2031-01-01', ends_at => '2091-01-01', blackout => '{mon-fri 08:00-18:00}');
SELECT effective_from > :'before' AS later FROM metrics_refresh.job WHERE job_name = 'all';
SELECT * FROM p.policies WHERE job_name = 'all' \gx
SELECT metrics_refresh.alter_job('all', priority => 2);
SELECT metrics_refresh.alter_job('all', ends_at => '2092-01-01');
SELECT priority, starts_at, ends_at, blackout, settings FROM p.policies WHERE job_name = 'all';
-- Infinity and empty values remove.
SELECT metrics_refresh.alter_job('all', starts_at => '-infinity', ends_at => 'infinity', blackout => '{}', settings => '{}');
SELECT starts_at, ends_at, blackout, settings FROM p.policies WHERE job_name = 'all';
SELECT metrics_refresh.alter_job('all', starts_at => 'infinity', ends_at => '-infinity');
SELECT starts_at, ends_at FROM p.policies WHERE job_name = 'all';

-- Wrong input, each with what is allowed.
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$schedule('p.mv', on_overlap => 'queue')$$,
    $$schedule('p.mv', on_overlap => NULL)$$,
    $$schedule('p.mv', priority => 1001)$$,
    $$schedule('p.mv', priority => NULL)$$,
    $$schedule('p.mv', max_retries => -1)$$,
    $$schedule('p.mv', max_retries => 101)$$,
    $$schedule('p.mv', max_retries => NULL)$$,
    $$schedule('p.mv', retry_delay => '0')$$,
    $$schedule('p.mv', retry_delay => NULL)$$,
    $$schedule('p.mv', retry_max_delay => '25 days')$$,
    $$schedule('p.mv', jitter => '-1 s')$$,
    $$schedule('p.mv', jitter => '25 days')$$,
    $$schedule('p.mv', jitter => NULL)$$,
    $$schedule('p.mv', jitter => '-1 year 365 days 05:59:59.999998')$$,
    $$schedule('p.mv', retry_delay => '-1 year 365 days 05:59:59.999998')$$,
    $$schedule('p.mv', max_runtime => '-1 year 365 days 05:59:59.999998')$$,
    $$schedule('p.mv', lock_timeout => '-1 year 365 days 05:59:59.999998')$$,
    $$schedule('p.mv', starts_at => '2030-01-01', ends_at => '2030-01-01')$$,
    $$schedule('p.mv', starts_at => '2030-01-02', ends_at => '2030-01-01')$$,
    $$schedule('p.mv', blackout => '{""}')$$,
    $$schedule('p.mv', blackout => '{NULL}')$$,
    $$schedule('p.mv', blackout => '{25:00-26:00}')$$,
    $$schedule('p.mv', blackout => '{08:00-18:00,sometimes}')$$,
    $$schedule('p.mv', blackout => '{mon-frx 08:00-18:00}')$$,
    $$schedule('p.mv', blackout => '{08:00-18:00 please}')$$,
    $$schedule('p.mv', blackout => '{8-18}')$$,
    $$schedule('p.mv', blackout => array_fill('08:00-09:00'::text, ARRAY[101]))$$,
    $$schedule('p.mv', '0 9 * * *', blackout => '{08:00-18:00}')$$,
    $$schedule('p.mv', '1 second', blackout => '{00:00-24:00}')$$,
    $$schedule('p.mv', '0 9 * * mon', blackout => '{mon 08:00-10:00}', starts_at => '2030-01-01')$$,
    $$schedule('p.mv', settings => '[]')$$,
    $$schedule('p.mv', settings => '"work_mem"')$$,
    $$schedule('p.mv', settings => 'null')$$,
    $$schedule('p.mv', settings => '{"work_mem": null}')$$,
    $$schedule('p.mv', settings => '{"work_mem": ["1MB"]}')$$,
    $$schedule('p.mv', settings => '{"work_mem": {"a": 1}}')$$,
    $$schedule('p.mv', settings => '{"wrok_mem": "1MB"}')$$,
    $$schedule('p.mv', settings => '{"": "1MB"}')$$,
    $$schedule('p.mv', settings => '{"work_mem": "lots"}')$$,
    $$schedule('p.mv', settings => '{"work_mem": "1 XB"}')$$,
    $$schedule('p.mv', settings => '{"jit": "maybe"}')$$,
    $$schedule('p.mv', settings => '{"max_connections": 10}')$$,
    $$schedule('p.mv', settings => '{"server_version": "9.6"}')$$,
    $$schedule('p.mv', settings => '{"role": "regress_owner"}')$$,
    $$schedule('p.mv', settings => '{"session_authorization": "regress_owner"}')$$,
    $$schedule('p.mv', settings => '{"Lock_Timeout": "1s"}')$$,
    $$schedule('p.mv', settings => '{"statement_timeout": "1s"}')$$,
    $$schedule('p.mv', settings => '{"transaction_isolation": "serializable"}')$$,
    $$schedule('p.mv', settings => '{"transaction_read_only": "on"}')$$,
    $$schedule('p.mv', settings => '{"transaction_deferrable": "on"}')$$,
    $$schedule_command('c', NULL, 'SELECT 1', on_overlap => 'x')$$,
    $$schedule_command('c', NULL, 'SELECT 1', settings => '{"wrok_mem": 1}')$$,
    $$schedule_command('c', '@daily', 'SELECT 1', blackout => '{23:00-01:00}')$$,
    $$alter_job('all', on_overlap => 'x')$$,
    $$alter_job('all', priority => -1001)$$,
    $$alter_job('all', max_retries => 101)$$,
    $$alter_job('all', retry_delay => '0')$$,
    $$alter_job('all', retry_max_delay => '0')$$,
    $$alter_job('all', jitter => '-1 s')$$,
    $$alter_job('all', blackout => '{24:00-25:00}')$$,
    $$alter_job('all', settings => '{"work_mem": "lots"}')$$,
    $$alter_job('all', settings => '{"SEARCH_PATH": "public"}')$$,
    $$alter_job('all', isolation => 'repeatable_read')$$,
    $$alter_job('all', max_parallel => 2)$$,
    $$alter_job('command', strategy => 'full')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
SELECT job_name FROM p.policies ORDER BY job_name;
-- What is wrong only together with what is there already.
SELECT metrics_refresh.alter_job('all', schedule => '0 9 * * *', starts_at => '2030-06-01', ends_at => '2030-07-01');
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$alter_job('all', starts_at => '2030-07-01')$$,
    $$alter_job('all', ends_at => '2030-06-01')$$,
    $$alter_job('all', blackout => '{08:00-10:00}')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
SELECT metrics_refresh.alter_job('all', blackout => '{10:00-12:00}');
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$alter_job('all', schedule => '0 11 * * *')$$,
    $$alter_job('all', schedule => '0 9 * * *', blackout => '{}')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
-- A placeholder is a setting of somebody's own; nothing of what was tried stays.
SELECT metrics_refresh.alter_job('all', settings => '{"my.own": "it''s", "DateStyle": "German"}');
SELECT settings FROM p.policies WHERE job_name = 'all';
SELECT current_setting('my.own', true) AS own, current_setting('work_mem') AS work_mem, current_setting('DateStyle') AS datestyle;

-- By hand, or from a dump: the same checks of the times.
\set VERBOSITY terse
INSERT INTO metrics_refresh_internal.job (job_name, command, owner, blackout) VALUES ('x', 'SELECT 1', 'postgres', '{never}');
INSERT INTO metrics_refresh_internal.job (job_name, command, owner, blackout) VALUES ('x', 'SELECT 1', 'postgres', '{NULL}');
INSERT INTO metrics_refresh_internal.job (job_name, command, owner, schedule, blackout) VALUES ('x', 'SELECT 1', 'postgres', '@daily', '{23:00-01:00}');
INSERT INTO metrics_refresh_internal.job (job_name, command, owner, starts_at, ends_at) VALUES ('x', 'SELECT 1', 'postgres', '2031-01-01', '2030-01-01');
INSERT INTO metrics_refresh_internal.job (job_name, command, owner, starts_at) VALUES ('x', 'SELECT 1', 'postgres', 'infinity');
INSERT INTO metrics_refresh_internal.job (job_name, command, owner, ends_at) VALUES ('x', 'SELECT 1', 'postgres', 'infinity');
UPDATE metrics_refresh_internal.job SET blackout = '{08:00-10:00}' WHERE job_name = 'all';
UPDATE metrics_refresh_internal.job SET ends_at = '2030-01-01' WHERE job_name = 'all';
UPDATE metrics_refresh_internal.job SET priority = 1001 WHERE job_name = 'all';
UPDATE metrics_refresh_internal.job SET settings = '[]' WHERE job_name = 'all';
UPDATE metrics_refresh_internal.job SET settings = '{"work_mem": ["1MB"]}' WHERE job_name = 'all';
UPDATE metrics_refresh_internal.job SET settings = '{"work_mem": null}' WHERE job_name = 'all';
UPDATE metrics_refresh_internal.job SET on_overlap = 'x' WHERE job_name = 'all';
UPDATE metrics_refresh_internal.job SET jitter = '-1 s' WHERE job_name = 'all';
\set VERBOSITY default

-- Settings are tried as the job's owner and as the one who asks.
GRANT CREATE, USAGE ON SCHEMA p TO regress_owner, regress_admins;
ALTER MATERIALIZED VIEW p.mv OWNER TO regress_owner;
SET ROLE regress_owner;
SELECT metrics_refresh.schedule('p.mv', job_name => 'mine', settings => '{"work_mem": "8MB"}') IS NOT NULL AS scheduled;
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$schedule('p.mv', job_name => 'mine', settings => '{"log_min_messages": "panic"}')$$,
    $$alter_job('mine', settings => '{"session_replication_role": "replica"}')$$,
    $$schedule_command('mine', NULL, 'SELECT 1', settings => '{"zero_damaged_pages": true}')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
RESET ROLE;
-- The superuser may, but neither for a job nor for a view that somebody else owns.
SELECT tools.try($$SELECT metrics_refresh.alter_job('mine', settings => '{"log_min_messages": "panic"}')$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job('all', settings => '{"log_min_messages": "panic"}')$$);
ALTER MATERIALIZED VIEW p.mv OWNER TO postgres;
SELECT metrics_refresh.alter_job('all', settings => '{"log_min_messages": "panic"}');
ALTER MATERIALIZED VIEW p.mv OWNER TO regress_owner;
SELECT tools.try($$SELECT metrics_refresh.alter_job('all', owner => 'regress_owner')$$);
SELECT metrics_refresh.alter_job('all', settings => '{"work_mem": "8MB"}', owner => 'regress_owner');
SELECT metrics_refresh.alter_job('all', owner => 'postgres');
-- A super admin who is no superuser gets no more through a superuser's job.
SET metrics_refresh.admin_role = 'regress_admins';
SET ROLE regress_admin;
SELECT tools.try($$SELECT metrics_refresh.alter_job('all', settings => '{"session_replication_role": "replica"}')$$);
SELECT metrics_refresh.alter_job('all', settings => '{"work_mem": "16MB"}');
RESET ROLE;
RESET metrics_refresh.admin_role;
SELECT job_name, settings FROM p.policies WHERE job_name IN ('all', 'mine') ORDER BY 1;
-- What the superuser granted, the owner may set (from 15 on).
GRANT SET ON PARAMETER log_min_messages TO regress_owner;
SET ROLE regress_owner;
SELECT metrics_refresh.alter_job('mine', settings => '{"log_min_messages": "warning"}');
RESET ROLE;
REVOKE SET ON PARAMETER log_min_messages FROM regress_owner;

-- next_due: the schedule between start and end, outside the windows, in its zone.
SELECT metrics_refresh.next_due('0 9 * * *', after => '2030-01-01 09:00+00'),
       metrics_refresh.next_due('0 9 * * *', 'Asia/Tokyo', after => '2030-01-01 09:00+00') AS tokyo,
       metrics_refresh.next_due('0 9 * * *', starts_at => '2031-05-01 09:00+00', after => '2030-01-01') AS from_start,
       metrics_refresh.next_due('0 9 * * *', ends_at => '2030-01-02 09:00+00', after => '2030-01-01 09:00+00') AS at_the_end,
       metrics_refresh.next_due('0 9 * * *', ends_at => '2030-01-02 08:59+00', after => '2030-01-01 09:00+00') AS after_the_end;
SELECT metrics_refresh.next_due('*/10 * * * *', NULL, NULL, NULL, '{09:00-17:30}', '2030-01-01 08:50+00') AS windows_end,
       metrics_refresh.next_due('*/10 * * * *', NULL, NULL, NULL, '{22:00-06:00}', '2030-01-01 21:55+00') AS over_midnight,
       metrics_refresh.next_due('@hourly', NULL, NULL, NULL, '{fri 22:00-06:00,sat-sun 00:00-24:00}', '2030-01-04 21:30+00') AS weekend,
       metrics_refresh.next_due('1 second', NULL, NULL, NULL, '{00:00-23:00}', '2030-01-01 00:00+00') AS many_swallowed,
       metrics_refresh.next_due('0 3 * * *', 'America/New_York', NULL, NULL, '{00:00-04:00}', '2030-01-01') AS never;
SELECT metrics_refresh.next_due('@daily', NULL, '-infinity', 'infinity', '{}', '2030-01-01'),
       metrics_refresh.next_due('@daily') > now() AS from_now;
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.next_due(' || q || ')') FROM unnest(ARRAY[
    'NULL', '$$sometimes$$', '$$@daily$$, $$Mars$$', '$$@daily$$, blackout => $${x}$$', '$$@daily$$, after => NULL',
    '$$@daily$$, blackout => array_fill($$sun 08:00-09:00$$::text, ARRAY[101])',
    '$$@daily$$, after => $$infinity$$', '$$@daily$$, starts_at => $$2031-01-01$$, ends_at => $$2030-01-01$$'])
    WITH ORDINALITY v (q, n) ORDER BY n;
\a \t

-- job_status knows of start, end and windows.
SELECT metrics_refresh.alter_job('all', schedule => '0 9 1 1 *', starts_at => '2040-06-01', ends_at => '2050-01-01', blackout => '{sun 00:00-24:00}');
SELECT job_name, state, next_due, extract(isodow FROM next_due) AS weekday FROM metrics_refresh.job_status WHERE job_name = 'all';
SELECT metrics_refresh.alter_job('all', starts_at => '-infinity', ends_at => '2020-01-01');
SELECT job_name, state, next_due FROM metrics_refresh.job_status WHERE job_name = 'all';
-- A job whose windows no longer leave a due time can still be paused, and health says so.
ALTER TABLE metrics_refresh_internal.job DISABLE TRIGGER before_write;
UPDATE metrics_refresh_internal.job SET blackout = '{08:00-10:00}', ends_at = NULL WHERE job_name = 'all';
ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER before_write;
SELECT check_name, severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'blackout';
SELECT metrics_refresh.pause('all');
SELECT check_name, severity FROM metrics_refresh.health_check() WHERE check_name = 'blackout';

SELECT metrics_refresh.unschedule(job_name) FROM p.policies;
DROP SCHEMA p CASCADE;
