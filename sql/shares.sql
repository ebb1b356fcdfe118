-- Shares: what one role may have of jobs, bytes, requests and priority; how long a text may be; which
-- time zones there are. Each attack was possible before.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE SCHEMA s;
GRANT USAGE, CREATE ON SCHEMA s TO PUBLIC;
SET ROLE regress_owner;
CREATE TABLE s.t (one int);
CREATE MATERIALIZED VIEW s.mv AS SELECT one FROM s.t;
RESET ROLE;
CREATE MATERIALIZED VIEW s.of_super AS SELECT 1 AS one;

-- Jobs.
SET metrics_refresh.max_jobs_per_role = 3;
SET ROLE regress_owner;
SELECT tools.try($$SELECT metrics_refresh.schedule('s.mv', '@yearly', job_name => 'share $$ || n || $$') > 0$$)
FROM generate_series(1, 4) n;
-- One that is there can be replaced and changed; another is in the way of each kind.
SELECT metrics_refresh.schedule('s.mv', '@monthly', job_name => 'share 3') IS NOT NULL AS replaced;
SELECT metrics_refresh.alter_job('share 3', schedule => '@yearly');
SELECT tools.try($$SELECT metrics_refresh.schedule_command('share 4', NULL, 'SELECT 1')$$);
SELECT tools.try($$SELECT metrics_refresh.schedule_group('share 4', '{s.mv}')$$);
SELECT tools.try($$SELECT metrics_refresh.refresh_dependents('s.t')$$);
SELECT count(*) FROM metrics_refresh.job WHERE owner = 'regress_owner';
-- He cannot raise it.
SELECT tools.try($$SET metrics_refresh.max_jobs_per_role = 1000$$);
RESET ROLE;
-- Nobody gets past it by the gift of another's job, and superusers have no limit.
SELECT metrics_refresh.schedule_command('of super ' || n, NULL, 'SELECT 1') IS NOT NULL AS scheduled FROM generate_series(1, 5) n;
SELECT tools.try($$SELECT metrics_refresh.alter_job('of super 1', owner => 'regress_owner')$$);
-- Where the limit was lowered, what is there can still be changed, and removed.
SET metrics_refresh.max_jobs_per_role = 1;
SET ROLE regress_owner;
SELECT metrics_refresh.alter_job('share 3', max_retries => 1);
SELECT metrics_refresh.unschedule('share 2') AND metrics_refresh.unschedule('share 3') AS unscheduled;
SELECT tools.try($$SELECT metrics_refresh.schedule('s.mv', job_name => 'share 2')$$);
RESET ROLE;
RESET metrics_refresh.max_jobs_per_role;

-- Bytes, before compression.
SET metrics_refresh.max_job_bytes_per_role = '100kB';
SET ROLE regress_owner;
SELECT tools.try(format($$SELECT metrics_refresh.schedule_command('bytes %s', NULL, repeat('-', 40000) || 'x') > 0$$, n))
FROM generate_series(1, 3) n;
SELECT tools.try($$SELECT metrics_refresh.alter_job('bytes 1', command => repeat('-', 70000) || 'x')$$);
SELECT metrics_refresh.unschedule('bytes 1') AND metrics_refresh.unschedule('bytes 2') AS unscheduled;
RESET ROLE;
RESET metrics_refresh.max_job_bytes_per_role;

-- How long a text may be: the functions say so, and the table does.
SELECT tools.try($$SELECT metrics_refresh.schedule_command('long', NULL, repeat('x', 1048577))$$);
SELECT tools.try($$SELECT metrics_refresh.schedule_command(repeat('n', 501), NULL, 'SELECT 1')$$);
SELECT tools.try($$SELECT metrics_refresh.schedule('s.of_super', settings => jsonb_build_object('work_mem', repeat(' ', 9000)))$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job('of super 1', settings => jsonb_build_object('work_mem', repeat(' ', 50000000)))$$);
SELECT split_part(tools.try(format($$UPDATE metrics_refresh_internal.job SET %s WHERE job_name = 'of super 1'$$, change)), E'\n', 1)
FROM unnest(ARRAY[$$command = repeat('x', 1048577)$$, $$job_name = repeat('n', 501)$$,
                  $$settings = jsonb_build_object('work_mem', repeat(' ', 9000))$$,
                  $$blackout = array_fill('01:00-02:00' || repeat(' ', 989), '{100}')$$]) change;

-- Requests.
SELECT metrics_refresh.schedule('s.of_super', job_name => 'others') IS NOT NULL AS scheduled;
SET metrics_refresh.max_requests_per_role = 2;
SET ROLE regress_owner;
BEGIN;
SELECT metrics_refresh.trigger('share 1') IS NOT NULL AS queued FROM generate_series(1, 2);
SELECT tools.try($$SELECT metrics_refresh.trigger('share 1')$$);
SELECT tools.try($$SELECT metrics_refresh.refresh_dependents('s.t')$$);
ROLLBACK;
RESET ROLE;
BEGIN;
SELECT count(metrics_refresh.trigger('others')) FROM generate_series(1, 5);
ROLLBACK;
RESET metrics_refresh.max_requests_per_role;

-- A priority above 0 is for super admins, and for jobs that one of them owns.
SET ROLE regress_owner;
SELECT tools.try($$SELECT metrics_refresh.schedule('s.mv', job_name => 'first', priority => 1)$$);
SELECT tools.try($$SELECT metrics_refresh.schedule_command('first', NULL, 'SELECT 1', priority => 1000)$$);
SELECT tools.try($$SELECT metrics_refresh.schedule_group('first', '{s.mv}', priority => 1)$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job('share 1', priority => 1)$$);
SELECT metrics_refresh.alter_job('share 1', priority => -1);
RESET ROLE;
SELECT tools.try($$SELECT metrics_refresh.alter_job('share 1', priority => 1)$$);
SELECT metrics_refresh.alter_job('share 1', priority => 1, owner => 'postgres');
SELECT owner, priority FROM metrics_refresh.job WHERE job_name = 'share 1';
-- The view's owner may still change the job, and not that.
SET ROLE regress_owner;
SELECT tools.try($$SELECT metrics_refresh.alter_job('share 1', priority => 2)$$);
SELECT metrics_refresh.alter_job('share 1', schedule => '@yearly');
RESET ROLE;

-- Time zones have names. Of POSIX rules there are more than any memory holds.
CREATE FUNCTION s.zone(name text) RETURNS text LANGUAGE sql AS
    $$SELECT tools.try(format('SELECT metrics_refresh.next_due(%L, %L, after => %L)', '0 12 * * *', name, '2030-07-01 00:00+00'))$$;
SELECT left(zone, 22) AS zone, s.zone(zone) FROM unnest(ARRAY['Europe/Berlin', 'europe/BERLIN', 'UTC', 'GMT', 'Etc/GMT+5', 'Etc/GMT-14', 'GMT0',
    'EST5EDT', 'America/Port-au-Prince', 'UTC+3', 'UTC-14', 'gmt+05']) zone;
SELECT left(zone, 22) AS zone, s.zone(zone) FROM unnest(ARRAY['UTC+15', 'UTC+005', 'UTC+3:30', 'EST5', 'XYZ3', 'foo/bar5', 'Etc/GMT+99',
    'EST5EDT,M3.2.0,M11.1.0', '<+0530>-5:30', ':UTC', './UTC', '/etc/localtime', 'UTC+3 ', repeat('x', 300)]) zone;
SELECT tools.try($$SELECT metrics_refresh.schedule('s.of_super', '@daily', timezone => 'ABC7DEF')$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job('others', timezone => 'ABC7DEF')$$);
SELECT tools.try($$SELECT * FROM metrics_refresh.next_runs('@daily', timezone => 'ABC7DEF')$$);
SELECT tools.try($$UPDATE metrics_refresh_internal.job SET timezone = 'ABC7DEF' WHERE job_name = 'others'$$);
SELECT job_name, note FROM metrics_refresh.import_from_crontab(E'CRON_TZ=ABC7DEF\n0 1 * * * psql -c "SELECT 1"\n');
SELECT tools.try($$SET metrics_refresh.timezone = 'ABC7DEF'$$);

-- Long texts of runs are cut between characters.
SET ROLE regress_owner;
SELECT metrics_refresh.schedule_command('long error', NULL,
    $$DO $do$ BEGIN RAISE EXCEPTION '%', repeat('ä', 5000) USING DETAIL = repeat('d', 20000), HINT = repeat('h', 8192); END $do$ -- $$
    || repeat('c', 20000)) IS NOT NULL AS scheduled;
CALL tools.run('long error');
SELECT octet_length(error_message) AS message, right(error_message, 30) AS message_end, octet_length(error_detail) AS detail,
       octet_length(error_hint) AS hint, octet_length(command) AS command, right(command, 29) AS command_end
FROM metrics_refresh.run_log WHERE job_name = 'long error' \gx
SELECT octet_length(last_error) AS last_error FROM metrics_refresh.job_state
WHERE job_id = (SELECT job_id FROM metrics_refresh.job WHERE job_name = 'long error');
RESET ROLE;

-- Settings.
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'metrics\_refresh.%per\_role' ORDER BY 1;

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
SET client_min_messages = warning;
DROP SCHEMA s CASCADE;
