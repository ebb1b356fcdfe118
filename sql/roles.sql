-- Who may do what: the superuser, the owner of a view, its members, a stranger.
\set SHOW_CONTEXT never
-- The same log and the same states, whichever files ran before.
TRUNCATE metrics_refresh_internal.run_log;
INSERT INTO metrics_refresh_internal.job_state (job_id)
SELECT job_id FROM metrics_refresh.job WHERE is_default ON CONFLICT DO NOTHING;
CREATE SCHEMA p;
GRANT USAGE, CREATE ON SCHEMA p TO PUBLIC;
CREATE ROLE regress_member LOGIN IN ROLE regress_owner;
CREATE ROLE regress_distant NOINHERIT LOGIN IN ROLE regress_owner;
CREATE MATERIALIZED VIEW p.of_super AS SELECT 1 AS one;
CREATE FUNCTION p.slow() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT pg_sleep(600); SELECT 1';
SET ROLE regress_owner;
CREATE MATERIALIZED VIEW p.mv AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW p.slow AS SELECT p.slow() WITH NO DATA;
RESET ROLE;
-- Every way in, for an object of each kind: 'of super', 'of owner' (a refresh and a command).
SELECT metrics_refresh.schedule('p.of_super', '0 0 1 1 *', job_name => 'of super') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_command('command of super', '0 0 1 1 *', 'SELECT 1') IS NOT NULL AS scheduled;
SET ROLE regress_owner;
SELECT metrics_refresh.schedule('p.mv', '0 0 1 1 *', job_name => 'of owner') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule('p.slow', job_name => 'slow of owner') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_command('command of owner', NULL, 'SELECT current_user') IS NOT NULL AS scheduled;
RESET ROLE;
CALL tools.run('of super');
CALL tools.run('command of super');
SET ROLE regress_owner;
CALL tools.run('of owner');
CALL tools.run('command of owner');
SELECT (metrics_refresh.refresh('p.mv') ->> 'success')::bool AS refreshed;
RESET ROLE;
SELECT metrics_refresh.trigger('slow of owner') AS slow \gset
SELECT metrics_refresh.trigger('slow of owner') AS queued \gset
CALL tools.wait_for_begin(:slow);
SELECT job_name, owner, initiated_by, status FROM metrics_refresh.run_log ORDER BY run_id;

-- Each of the two has something that health finds.
SELECT metrics_refresh.alter_job(j, strategy => 'concurrently') FROM unnest('{of super,of owner}'::text[]) j;
-- What each of them sees, of every table and view.
CREATE VIEW p.sees WITH (security_invoker = true) AS
    SELECT current_user::text AS who, metrics_refresh.is_super_admin() AS admin,
        (SELECT string_agg(job_name, ', ' ORDER BY job_name COLLATE "C") FROM metrics_refresh.job WHERE NOT is_default) AS jobs,
        (SELECT count(*) FROM metrics_refresh.job WHERE is_default) AS default_jobs,
        (SELECT count(*) FROM metrics_refresh.job_state JOIN metrics_refresh.job USING (job_id)) AS states,
        (SELECT count(*) FROM metrics_refresh.job_status) AS statuses,
        (SELECT string_agg(DISTINCT coalesce(job_name, '(none)'), ', ') FROM metrics_refresh.run_log) AS logged,
        (SELECT count(*) FROM metrics_refresh.run_log) AS runs,
        (SELECT count(*) FROM metrics_refresh_log) AS log_rows,
        (SELECT count(*) FROM metrics_refresh.run_request) AS requests,
        (SELECT count(*) FROM metrics_refresh.running) AS running,
        (SELECT count(*) FROM metrics_refresh.worker_slots()) AS slots,
        (SELECT count(*) FROM metrics_refresh.get_refresh_stats()) AS stats,
        (SELECT count(*) FROM metrics_refresh.health_check() WHERE detail ~ '\mp\.(mv|slow|of_super)\M') AS findings;
GRANT SELECT ON p.sees TO PUBLIC;
SELECT * FROM p.sees \gx
SET ROLE regress_owner;
SELECT * FROM p.sees \gx
SET ROLE regress_member;
SELECT * FROM p.sees \gx
-- NOINHERIT: nothing, until he takes the role.
SET ROLE regress_distant;
SELECT * FROM p.sees \gx
SET ROLE regress_stranger;
SELECT * FROM p.sees \gx
-- Not by asking for names that he knows either.
SELECT * FROM metrics_refresh.get_refresh_stats(24, 'of owner');
SELECT job_name, next_due FROM metrics_refresh.explain_refresh('p.mv');
SET row_security = off;
SELECT count(*) FROM metrics_refresh.job;
SELECT count(*) FROM metrics_refresh.run_log;
RESET row_security;
-- Nor by a function that talks about each row before the policy has judged it.
CREATE FUNCTION p.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'leaked %', $1; RETURN true; END $$;
SELECT count(*) FROM metrics_refresh.job WHERE p.leak(job_name);
SELECT count(*) FROM metrics_refresh.run_log WHERE p.leak(error_message || job_name);
SELECT count(*) FROM metrics_refresh.job_status WHERE p.leak(job_name);
SELECT count(*) FROM metrics_refresh_log WHERE p.leak(job_name);

-- What the stranger may not do: each refusal names what is missing.
\a \t
CREATE TABLE p.calls (n serial, q text);
INSERT INTO p.calls (q) SELECT unnest(ARRAY[
    $$metrics_refresh.schedule('p.mv')$$,
    $$metrics_refresh.schedule('p.mv', job_name => 'of owner')$$,
    $$metrics_refresh.schedule_command('of owner', NULL, 'SELECT 1')$$,
    $$metrics_refresh.schedule_command('command of super', NULL, 'ALTER ROLE regress_stranger SUPERUSER')$$,
    $$metrics_refresh.alter_job('of owner', active => false)$$,
    $$metrics_refresh.alter_job('of owner', owner => 'regress_stranger')$$,
    $$metrics_refresh.pause('of owner')$$,
    $$metrics_refresh.resume('of owner')$$,
    $$metrics_refresh.unschedule('of owner')$$,
    $$metrics_refresh.unschedule('cleanup-metrics-logs')$$,
    $$metrics_refresh.trigger('of owner')$$,
    $$metrics_refresh.trigger('refresh-platform-metrics')$$,
    $$metrics_refresh.refresh('p.mv')$$,
    $$metrics_refresh.cleanup_logs()$$,
    $$metrics_refresh.cleanup_logs('0')$$,
    $$cleanup_old_metrics_logs()$$,
    $$trigger_platform_metrics_refresh()$$,
    $$refresh_platform_metrics_with_logging()$$,
    $$metrics_refresh.is_super_admin()$$]);
GRANT SELECT ON p.calls TO PUBLIC;
SELECT format('%s -> ', q) || tools.try('SELECT ' || q) FROM p.calls ORDER BY n;
SELECT 'wait -> ' || regexp_replace(tools.try('SELECT metrics_refresh.wait(' || :slow || ')'), 'run \d+', 'run N');
SELECT 'cancel -> ' || regexp_replace(tools.try('SELECT metrics_refresh.cancel(' || :slow || ')'), 'run \d+', 'run N');
SELECT 'cancel -> ' || regexp_replace(tools.try('SELECT metrics_refresh.cancel(' || :queued || ')'), 'run \d+', 'run N');
-- No table is his to write, no sequence his to use.
SELECT format('%s %s -> ', verb, c.oid::regclass) || tools.try(format(statement, c.oid::regclass, a.attname))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1,
     (VALUES (1, 'insert', 'INSERT INTO %s (%I) VALUES (NULL)'), (2, 'update', 'UPDATE %s SET %2$I = NULL'),
             (3, 'delete', 'DELETE FROM %s'), (4, 'truncate', 'TRUNCATE %s'),
             (5, 'lock', 'LOCK %s IN EXCLUSIVE MODE')) v (k, verb, statement)
WHERE c.relnamespace = 'metrics_refresh_internal'::regnamespace AND c.relkind = 'r'
   OR c.relnamespace = 'metrics_refresh'::regnamespace AND c.relkind = 'v' AND k IN (1, 2, 3, 5) AND c.relname !~ 'state|status|running|settings|progress|dependencies'
ORDER BY c.oid::regclass::text COLLATE "C", k;
SELECT tools.try('SELECT * FROM metrics_refresh_internal.active_run');
SELECT tools.try('SELECT * FROM metrics_refresh_internal.removed_default_job');
SELECT tools.try('SELECT nextval(''metrics_refresh_internal.run_id_seq'')');
SELECT tools.try('SELECT setval(''metrics_refresh_internal.job_id_seq'', 1)');
SELECT tools.try('CREATE TABLE metrics_refresh.mine (n int)');
SELECT tools.try('CREATE POLICY mine ON metrics_refresh.job USING (true)');
SELECT tools.try('ALTER TABLE metrics_refresh.job DISABLE ROW LEVEL SECURITY');
SELECT tools.try('CREATE TRIGGER mine BEFORE INSERT ON metrics_refresh.job FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()');
\a \t
RESET ROLE;
-- Where he may schedule commands at all, still not over others' jobs: he gets his own of the name.
GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO regress_stranger;
SET ROLE regress_stranger;
SELECT q, tools.try('SELECT ' || q) ~ '^[0-9]+$' AS scheduled FROM p.calls WHERE q LIKE '%schedule_command%' ORDER BY n;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION metrics_refresh.schedule_command FROM regress_stranger;
SELECT job_name, active, owner FROM metrics_refresh.job WHERE NOT is_default ORDER BY job_name COLLATE "C", job_id;
SET ROLE regress_stranger;
SELECT job_name, metrics_refresh.unschedule(job_name) FROM metrics_refresh.job ORDER BY job_id;
RESET ROLE;

-- The owner and his members may do everything with their own, and nothing with others'.
SET ROLE regress_member;
SELECT metrics_refresh.alter_job('of owner', schedule => '@yearly', strategy => 'full');
SELECT metrics_refresh.pause('of owner');
SELECT metrics_refresh.resume('of owner');
CALL tools.run('of owner');
SELECT metrics_refresh.cancel(:queued);
SELECT metrics_refresh.cancel(:slow);
SELECT metrics_refresh.wait(:slow, '60 s');
SELECT (metrics_refresh.refresh('p.mv') ->> 'success')::bool AS refreshed;
SELECT metrics_refresh.schedule('p.mv', job_name => 'of member') IS NOT NULL AS scheduled;
CALL tools.run('of member');
SELECT job_name, owner FROM metrics_refresh.job ORDER BY job_name COLLATE "C";
SELECT owner, initiated_by, status FROM metrics_refresh.run_log WHERE job_name = 'of member';
\a \t
SELECT format('%s -> ', q) || tools.try('SELECT ' || q) FROM unnest(ARRAY[
    $$metrics_refresh.schedule('p.of_super')$$,
    $$metrics_refresh.refresh('p.of_super')$$,
    $$metrics_refresh.trigger('command of super')$$,
    $$metrics_refresh.schedule('p.mv', job_name => 'command of super') IS NOT NULL$$,
    $$metrics_refresh.unschedule('command of super')$$,
    $$metrics_refresh.alter_job('of owner', owner => 'regress_member')$$,
    $$metrics_refresh.alter_job('of owner', owner => 'postgres')$$,
    $$metrics_refresh.alter_job('command of owner', owner => 'postgres')$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
SET ROLE regress_distant;
SELECT tools.try('SELECT metrics_refresh.trigger(''of owner'')');
SELECT tools.try('SELECT metrics_refresh.refresh(''p.mv'')');
RESET ROLE;
-- A command that a member rewrites runs as him, not as the owner before.
SET ROLE regress_member;
SELECT metrics_refresh.schedule_command('command of owner', NULL, 'SELECT 1') IS NOT NULL AS scheduled;
SELECT owner FROM metrics_refresh.job WHERE job_name = 'command of owner';
RESET ROLE;
-- Who owns a view may manage the jobs that others made for it, but not turn them to his advantage.
SELECT metrics_refresh.schedule('p.mv', job_name => 'super on owners view') IS NOT NULL AS scheduled;
SELECT metrics_refresh.alter_job('super on owners view', owner => 'postgres');
SET ROLE regress_owner;
SELECT metrics_refresh.pause('super on owners view');
SELECT metrics_refresh.schedule_command('super on owners view', NULL, 'SELECT 1') IS NOT NULL AS scheduled;
SELECT owner FROM metrics_refresh.job WHERE job_name = 'super on owners view';
RESET ROLE;
-- A view that goes to another owner goes with its jobs: to be refused to the old one.
ALTER MATERIALIZED VIEW p.mv OWNER TO regress_stranger;
SELECT metrics_refresh.trigger('of owner') AS run \gset
SELECT metrics_refresh.wait(:run, '60 s');
SELECT owner, status, sqlstate, error_message, error_detail FROM metrics_refresh.run_log WHERE run_id = :run \gx
SET ROLE regress_stranger;
SELECT job_name FROM metrics_refresh.job ORDER BY job_name COLLATE "C";
SELECT owner, status FROM metrics_refresh.run_log;
RESET ROLE;
-- A role that has lost its membership has lost its job's runs as well.
REVOKE regress_owner FROM regress_member;
ALTER MATERIALIZED VIEW p.mv OWNER TO regress_owner;
CALL tools.run('of member');
SELECT status, sqlstate, error_detail FROM metrics_refresh.run_log WHERE job_name = 'of member' ORDER BY run_id DESC LIMIT 1;
SET ROLE regress_member;
SELECT tools.try('SELECT metrics_refresh.refresh(''p.mv'')');
RESET ROLE;

SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE NOT is_default;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA p CASCADE;
DROP ROLE regress_member, regress_distant;
