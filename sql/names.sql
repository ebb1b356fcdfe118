-- Names of jobs are unique for each owner: which job a name means, that nobody takes a name ahead of
-- another role, and that a name that is used again shows nothing of what it meant before.
\set SHOW_CONTEXT never
CREATE SCHEMA nm;
GRANT USAGE, CREATE ON SCHEMA nm TO PUBLIC;
CREATE ROLE regress_nm_a LOGIN;
CREATE ROLE regress_nm_b LOGIN;
CREATE ROLE regress_nm_both LOGIN IN ROLE regress_nm_a, regress_nm_b;
GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO regress_nm_a, regress_nm_b, regress_nm_both;
-- tools.try with numbers that stay the same.
CREATE FUNCTION nm.try(statement text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(tools.try(statement), '\m([Jj]ob) \d+', '\1 N', 'g'), '^\d+$', 'a number') $$;
CREATE FUNCTION nm.id(name text, owner text) RETURNS text LANGUAGE sql STABLE AS
    'SELECT job_id::text FROM metrics_refresh.job j WHERE j.job_name = $1 AND j.owner = $2';
CREATE VIEW nm.jobs WITH (security_invoker = true) AS
    SELECT job_name, owner, coalesce(command, view_name) AS task, schedule, active, settings
    FROM metrics_refresh.job WHERE NOT is_default ORDER BY job_name COLLATE "C", owner COLLATE "C";
GRANT SELECT ON nm.jobs TO PUBLIC;

-- Whoever comes first takes a name from nobody, and nobody is told of the others.
SET ROLE regress_nm_a;
SELECT nm.try($$SELECT metrics_refresh.schedule_command('nightly', '@yearly', 'SELECT ''a''')$$);
SET ROLE regress_nm_b;
SELECT nm.try($$SELECT metrics_refresh.schedule_command('nightly', '@yearly', 'SELECT ''b''')$$);
SELECT * FROM nm.jobs;
-- The caller's own, for every function that takes a name.
SELECT metrics_refresh.pause('nightly');
SELECT metrics_refresh.alter_job('nightly', schedule => '@monthly');
CALL tools.run('nightly');
SELECT nm.try($$SELECT metrics_refresh.refresh_group('nightly')$$);
SELECT job, total_refreshes FROM metrics_refresh.get_refresh_stats(24, 'nightly');
RESET ROLE;
SELECT * FROM nm.jobs;
SELECT owner, job_name, status FROM metrics_refresh.run_log WHERE job_name = 'nightly';
SET ROLE regress_nm_b;
SELECT metrics_refresh.resume('nightly'), metrics_refresh.unschedule('nightly');
-- Without a job of his own he is told what a stranger is told.
SELECT nm.try(c) FROM unnest(ARRAY[
    $$SELECT metrics_refresh.pause('nightly')$$, $$SELECT metrics_refresh.resume('nightly')$$,
    $$SELECT metrics_refresh.alter_job('nightly', schedule => '@daily')$$, $$SELECT metrics_refresh.unschedule('nightly')$$,
    $$SELECT metrics_refresh.trigger('nightly')$$, $$SELECT metrics_refresh.refresh_group('nightly')$$,
    $$SELECT metrics_refresh.pause('no such')$$, $$SELECT metrics_refresh.unschedule('no such')$$]) WITH ORDINALITY v (c, n) ORDER BY n;
SELECT nm.try($$SELECT metrics_refresh.schedule_command('nightly', '@yearly', 'SELECT ''b''')$$);

-- A view's name stands for its one job, with its schema or without; a job that only others manage is not meant.
SET ROLE regress_nm_a;
CREATE MATERIALIZED VIEW nm."Sales by day" AS SELECT 1 AS x;
CREATE MATERIALIZED VIEW nm.totals AS SELECT 1 AS x;
SELECT metrics_refresh.schedule('nm."Sales by day"', '@yearly', job_name => 'sales, nightly') > 0 AS scheduled;
SELECT metrics_refresh.schedule('nm.totals', '@yearly') > 0 AS scheduled;
SELECT nm.try(c) FROM unnest(ARRAY[
    $$SELECT metrics_refresh.pause('Sales by day')$$, $$SELECT metrics_refresh.resume('nm."Sales by day"')$$,
    $$SELECT metrics_refresh.alter_job('nm.Sales by day', schedule => '@monthly')$$,
    $$SELECT metrics_refresh.pause('totals')$$, $$SELECT metrics_refresh.pause('other.totals')$$,
    $$SELECT metrics_refresh.pause('nm.total')$$, $$SELECT metrics_refresh.pause('SALES, NIGHTLY')$$,
    $$SELECT metrics_refresh.trigger('sale nightly')$$, $$SELECT metrics_refresh.refresh_group('nothing like it')$$]) WITH ORDINALITY v (c, n) ORDER BY n;
SELECT job_name, schedule, active FROM nm.jobs;
SET ROLE regress_nm_b;
SELECT nm.try(c) FROM unnest(ARRAY[
    $$SELECT metrics_refresh.pause('totals')$$, $$SELECT metrics_refresh.unschedule('nm.totals')$$]) WITH ORDINALITY v (c, n) ORDER BY n;
SET ROLE regress_nm_a;
SELECT metrics_refresh.schedule('nm.totals', '@yearly', job_name => 'totals again') > 0 AS scheduled;
SELECT nm.try($$SELECT metrics_refresh.pause('totals')$$);
SELECT metrics_refresh.unschedule(j) FROM unnest('{totals again,nm.totals,nm.Sales by day}'::text[]) j;
DROP MATERIALIZED VIEW nm."Sales by day", nm.totals;

-- One who has the rights of several owners means his own job, else the only one, else says which.
SET ROLE regress_nm_both;
SELECT nm.try(c) FROM unnest(ARRAY[
    $$SELECT metrics_refresh.pause('nightly')$$, $$SELECT metrics_refresh.alter_job('nightly', schedule => '@daily')$$,
    $$SELECT metrics_refresh.unschedule('nightly')$$, $$SELECT metrics_refresh.trigger('nightly')$$,
    $$SELECT metrics_refresh.refresh_group('nightly')$$]) WITH ORDINALITY v (c, n) ORDER BY n;
RESET ROLE;
SELECT nm.try($$SELECT metrics_refresh.pause('nightly')$$);
SELECT metrics_refresh.pause(nm.id('nightly', 'regress_nm_a'));
SELECT metrics_refresh.alter_job(nm.id('nightly', 'regress_nm_b'), schedule => '@weekly');
SELECT * FROM nm.jobs;
SELECT count(*) FROM metrics_refresh.get_refresh_stats(24, 'nightly');
SELECT count(*) FROM metrics_refresh.get_refresh_stats(24, nm.id('nightly', 'regress_nm_a'));
-- A job of his own stands before both.
SET ROLE regress_nm_both;
SELECT nm.try($$SELECT metrics_refresh.schedule_command('nightly', '@yearly', 'SELECT ''both''')$$);
SELECT metrics_refresh.pause('nightly');
SELECT job_name, owner, active FROM nm.jobs;
SELECT metrics_refresh.unschedule('nightly');
SELECT nm.try($$SELECT metrics_refresh.unschedule('nightly')$$);
-- Where there is one, it is that one; a new one takes its place, as it always did.
SET ROLE regress_nm_a;
SELECT metrics_refresh.unschedule('nightly');
SET ROLE regress_nm_both;
SELECT metrics_refresh.pause('nightly');
SELECT nm.try($$SELECT metrics_refresh.schedule_command('nightly', '@yearly', 'SELECT ''both''')$$);
SELECT * FROM nm.jobs;
SELECT metrics_refresh.unschedule('nightly');

-- Numbers: those of the own jobs and of others', ones that nobody has, ones that are none.
SET ROLE regress_nm_a;
SELECT metrics_refresh.schedule_command('numbered', NULL, 'SELECT 1') AS mine \gset
RESET ROLE;
SELECT metrics_refresh.schedule_command('numbered', NULL, 'SELECT 2') AS of_super \gset
SELECT metrics_refresh.pause(:'mine');
SET ROLE regress_nm_a;
SELECT metrics_refresh.resume(:'mine');
SELECT regexp_replace(nm.try(format(c, n)), '"\d+"', '"N"') FROM unnest(ARRAY[:'mine', :'of_super', '0', '99999999', '18446744073709551617', repeat('9', 30)]) WITH ORDINALITY v (n, k),
    unnest('{SELECT metrics_refresh.alter_job(%L\, max_retries => 1), SELECT metrics_refresh.unschedule(%L)}'::text[]) WITH ORDINALITY w (c, l) ORDER BY k, l;
SELECT nm.try(format('SELECT metrics_refresh.pause(%L)', t)) FROM unnest('{"",-1," 1","1 ",1.0,0x1,١}'::text[]) t;
-- Nothing gets a name that looks like one.
SELECT nm.try($$SELECT metrics_refresh.schedule_command('17', NULL, 'SELECT 1')$$);
SELECT nm.try($$SELECT metrics_refresh.schedule_command('0', NULL, 'SELECT 1')$$);
SELECT nm.try($$SELECT metrics_refresh.schedule_command('', NULL, 'SELECT 1')$$);
CREATE MATERIALIZED VIEW nm.of_a AS SELECT 1 AS n;
SELECT nm.try($$SELECT metrics_refresh.schedule('nm.of_a', job_name => '17')$$);
SELECT nm.try($$SELECT metrics_refresh.schedule_group('17', '{nm.of_a}')$$);
SELECT nm.try($$SELECT metrics_refresh.schedule_command('17th', NULL, 'SELECT 1')$$), metrics_refresh.unschedule('17th');
RESET ROLE;
SELECT split_part(nm.try($$INSERT INTO metrics_refresh_internal.job (job_name, command, owner) VALUES ('17', 'SELECT 1', 'regress_nm_a')$$), E'\n', 1) AS refused;
SELECT metrics_refresh.unschedule('numbered');

-- Who may do all takes nobody's job away by scheduling one of its name, but changes what refreshes the same view.
SET ROLE regress_nm_a;
SELECT nm.try($$SELECT metrics_refresh.schedule('nm.of_a', '@yearly', job_name => 'n')$$);
SELECT nm.try($$SELECT metrics_refresh.schedule_command('c', '@yearly', 'SELECT ''a''')$$);
RESET ROLE;
CREATE MATERIALIZED VIEW nm.of_super AS SELECT 1 AS n;
SELECT nm.try($$SELECT metrics_refresh.schedule_command('c', '@yearly', 'SELECT ''super''')$$);
SELECT nm.try($$SELECT metrics_refresh.schedule('nm.of_super', '@yearly', job_name => 'n')$$);
SELECT * FROM nm.jobs;
SELECT metrics_refresh.unschedule('c'), metrics_refresh.unschedule('n');
SELECT nm.try($$SELECT metrics_refresh.schedule('nm.of_a', '@daily', job_name => 'n')$$);
SELECT * FROM nm.jobs;
SELECT metrics_refresh.alter_job('n', owner => 'regress_nm_a');
ALTER DATABASE contrib_regression SET metrics_refresh.admin_role = 'regress_admins';
\c - regress_admin
SELECT nm.try($$SELECT metrics_refresh.schedule('nm.of_a', '@weekly', job_name => 'n')$$);
SELECT nm.try($$SELECT metrics_refresh.schedule_command('n', '@weekly', 'SELECT ''admin''')$$);
SELECT * FROM nm.jobs;
SELECT metrics_refresh.unschedule('n');
\c - postgres
\set SHOW_CONTEXT never
ALTER DATABASE contrib_regression RESET metrics_refresh.admin_role;

-- For another owner: by super admins, a command by one who has his rights; there it replaces that owner's alone.
SELECT nm.try(c) FROM unnest(ARRAY[
    $$SELECT metrics_refresh.schedule_command('c', '@daily', 'SELECT ''for b''', owner => 'regress_nm_b')$$,
    $$SELECT metrics_refresh.schedule_command('c', '@weekly', 'SELECT ''for b''', owner => 'regress_nm_b')$$,
    $$SELECT metrics_refresh.schedule('nm.of_a', job_name => 'n', owner => 'regress_nm_both')$$,
    $$SELECT metrics_refresh.schedule_group('g', '{nm.of_a}', owner => 'regress_nm_a')$$,
    $$SELECT metrics_refresh.schedule('nm.of_a', owner => 'regress_no_such')$$]) WITH ORDINALITY v (c, n) ORDER BY n;
SELECT * FROM nm.jobs;
SET ROLE regress_nm_both;
SELECT nm.try(c) FROM unnest(ARRAY[
    $$SELECT metrics_refresh.schedule('nm.of_a', job_name => 'x', owner => 'regress_nm_a')$$,
    $$SELECT metrics_refresh.schedule_command('x', NULL, 'SELECT 1', owner => 'regress_nm_a')$$,
    $$SELECT metrics_refresh.schedule_group('x', '{nm.of_a}', owner => 'postgres')$$,
    $$SELECT metrics_refresh.schedule_command('x', NULL, 'SELECT 1', owner => 'regress_nm_both')$$]) WITH ORDINALITY v (c, n) ORDER BY n;
SELECT metrics_refresh.unschedule('x');
RESET ROLE;
-- Not to one who has a job of the name.
SELECT nm.try($$SELECT metrics_refresh.alter_job(nm.id('c', 'regress_nm_a'), owner => 'regress_nm_b')$$);
SELECT nm.try($$SELECT metrics_refresh.alter_job(nm.id('c', 'regress_nm_a'), owner => 'regress_nm_both')$$);
SET ROLE regress_nm_both;
SELECT nm.try($$SELECT metrics_refresh.schedule_command('c', NULL, 'SELECT ''both''')$$);
SELECT nm.try(format($$SELECT metrics_refresh.alter_job(%L, command => 'SELECT ''both''')$$, nm.id('c', 'regress_nm_b')));
RESET ROLE;
SELECT count(metrics_refresh.unschedule(job_id::text)) FROM metrics_refresh.job WHERE NOT is_default;

-- Whoever rewrites another's command takes none of the settings that the other chose.
SET ROLE regress_nm_a;
SELECT nm.try($$SELECT metrics_refresh.schedule_command('bait', NULL, 'SELECT 1', settings => '{"search_path": "nm"}')$$);
RESET ROLE;
SELECT metrics_refresh.alter_job('bait', command => 'SELECT 2', owner => 'regress_nm_a');
SELECT * FROM nm.jobs;
SELECT metrics_refresh.alter_job('bait', command => 'SELECT 3');
SELECT * FROM nm.jobs;
SELECT metrics_refresh.unschedule('bait');

-- A stranger does not remove a default job by making one of its name, nor stands in its way.
SET ROLE regress_nm_a;
SELECT nm.try(format($$SELECT metrics_refresh.schedule_command(%L, NULL, 'SELECT 1')$$, n)) FROM unnest('{cleanup-metrics-logs,refresh-platform-metrics}'::text[]) n;
RESET ROLE;
SELECT job_name, owner, is_default FROM metrics_refresh.job ORDER BY job_id;
SELECT metrics_refresh.pause('cleanup-metrics-logs');
SET ROLE regress_nm_a;
SELECT metrics_refresh.unschedule('cleanup-metrics-logs'), metrics_refresh.unschedule('refresh-platform-metrics');
RESET ROLE;
SELECT count(*) FROM metrics_refresh_internal.removed_default_job;

-- A dump restored where the owners are missing.
BEGIN;
INSERT INTO metrics_refresh_internal.job (job_name, command, owner) VALUES ('lost', 'SELECT 1', 'regress_gone'), ('lost', 'SELECT 2', 'regress_too');
SELECT job_name, owner, owner_oid FROM metrics_refresh.job WHERE job_name = 'lost' ORDER BY job_id;
SELECT metrics_refresh.alter_job(nm.id('lost', 'regress_gone'), owner => 'regress_nm_a');
SELECT nm.try($$SELECT metrics_refresh.alter_job(nm.id('lost', 'regress_too'), owner => 'regress_nm_a')$$);
ROLLBACK;
BEGIN;
INSERT INTO metrics_refresh_internal.job (job_name, command, owner) VALUES ('lost', 'SELECT 1', 'regress_gone'), ('lost', 'SELECT 2', 'regress_too');
-- Health tells them apart.
SELECT detail, regexp_replace(hint, '\d+', 'N') AS hint FROM metrics_refresh.health_check() WHERE check_name = 'owner' ORDER BY 1;
ROLLBACK;

-- A name that is used again. The view of one role fails with a row in the error; another role makes a view of
-- the name for which the job waits then.
SET ROLE regress_nm_a;
CREATE TABLE nm.secret AS SELECT 'the secret' AS row_data;
CREATE MATERIALIZED VIEW nm.v AS SELECT row_data::int AS n FROM nm.secret WITH NO DATA;
SELECT metrics_refresh.schedule('nm.v', '@yearly', job_name => 'reused', max_retries => 0, settings => '{"application_name": "the secret too"}') IS NOT NULL AS scheduled;
CALL tools.run('reused');
SELECT last_error, settings FROM metrics_refresh.job_status JOIN metrics_refresh.job USING (job_id) WHERE job_status.job_name = 'reused';
SELECT metrics_refresh.refresh('nm.v') ->> 'message' AS message;
RESET ROLE;
-- As after many such failures.
UPDATE metrics_refresh_internal.job_state SET suspended_at = clock_timestamp(), suspend_reason = last_error
WHERE job_id = (SELECT job_id FROM metrics_refresh.job WHERE job_name = 'reused');
SET ROLE regress_nm_a;
SELECT suspend_reason FROM metrics_refresh.job_status WHERE job_name = 'reused';
DROP MATERIALIZED VIEW nm.v;
SET ROLE regress_nm_b;
CREATE MATERIALIZED VIEW nm.v AS SELECT 1 AS n WITH NO DATA;
CREATE FUNCTION nm.seen() RETURNS TABLE (place text, content text) LANGUAGE sql AS $$
    SELECT 'job', j::text FROM metrics_refresh.job j
    UNION ALL SELECT 'job_state', j::text FROM metrics_refresh.job_state j
    UNION ALL SELECT 'job_status', j::text FROM metrics_refresh.job_status j
    UNION ALL SELECT 'run_log', j::text FROM metrics_refresh.run_log j
    UNION ALL SELECT 'metrics_refresh_log', j::text FROM public.metrics_refresh_log j
    UNION ALL SELECT 'run_request', j::text FROM metrics_refresh.run_request j
    UNION ALL SELECT 'running', j::text FROM metrics_refresh.running j
    UNION ALL SELECT 'health_check', j::text FROM metrics_refresh.health_check() j
    UNION ALL SELECT 'health_summary', j::text FROM metrics_refresh.health_summary() j
    UNION ALL SELECT 'view_status', j::text FROM metrics_refresh.view_status() j
    UNION ALL SELECT 'get_cron_job_status', j::text FROM metrics_refresh.get_cron_job_status() j
    UNION ALL SELECT 'explain_refresh', j::text FROM metrics_refresh.explain_refresh('nm.v') j
    UNION ALL SELECT 'get_refresh_stats', j::text FROM metrics_refresh.get_refresh_stats() j
    UNION ALL SELECT 'get_refresh_stats of it', j::text FROM metrics_refresh.get_refresh_stats(24, 'reused') j
    UNION ALL SELECT 'incremental_view', j::text FROM metrics_refresh.incremental_view j
$$;
-- He sees the job, to manage it, and nothing of the other's rows and settings.
SELECT job_name, owner, view_name, settings FROM metrics_refresh.job;
SELECT job_name, last_status, last_error, suspend_reason FROM metrics_refresh.job_status;
SELECT place, count(*) FILTER (WHERE content ~ 'the secret') AS with_secret FROM nm.seen() GROUP BY 1 ORDER BY 1;
SELECT detail, hint FROM metrics_refresh.health_check() WHERE detail LIKE '%reused%';
-- The other one and super admins do.
RESET ROLE;
SELECT place FROM nm.seen() WHERE content ~ 'the secret' GROUP BY 1 ORDER BY 1;
SET ROLE regress_nm_b;
SELECT metrics_refresh.alter_job('reused', schedule => '@monthly');
SELECT metrics_refresh.resume('reused');
CALL tools.run('reused');
SELECT last_status, last_error FROM metrics_refresh.job_status;
-- Nor does he get the settings with the job: a new one of his takes its place.
SELECT nm.try($$SELECT metrics_refresh.schedule_command('reused', NULL, 'SHOW application_name')$$);
RESET ROLE;
SELECT * FROM nm.jobs;

SELECT count(metrics_refresh.unschedule(job_id::text)) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA nm CASCADE;
DROP OWNED BY regress_nm_a, regress_nm_b, regress_nm_both;
DROP ROLE regress_nm_both, regress_nm_a, regress_nm_b;
