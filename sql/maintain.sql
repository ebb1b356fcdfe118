-- Who has MAINTAIN on a view, as PostgreSQL 17 and later can grant it, may refresh it and have jobs over it.
SELECT current_setting('server_version_num')::int < 170000 AS has_no_maintain \gset
\if :has_no_maintain
\quit
\endif
SET client_min_messages = warning;
CREATE SCHEMA mt AUTHORIZATION regress_owner;
GRANT USAGE ON SCHEMA mt TO PUBLIC;
SET ROLE regress_owner;
-- Whose session the owner's code runs in.
CREATE TABLE mt.seen (session_user_was name, current_user_was name);
CREATE FUNCTION mt.see() RETURNS int LANGUAGE sql AS
  'INSERT INTO mt.seen VALUES (session_user, current_user) RETURNING 1';
CREATE MATERIALIZED VIEW mt.v AS SELECT mt.see() AS one WITH NO DATA;
CREATE MATERIALIZED VIEW mt.other AS SELECT mt.see() AS one WITH NO DATA;
GRANT MAINTAIN ON mt.v TO regress_stranger;
SELECT metrics_refresh.schedule('mt.v', NULL, 'mt: of the owner') > 0 AS scheduled;
SELECT metrics_refresh.schedule_group('mt: group of the owner', '{mt.v}', populate => false) > 0 AS scheduled;
RESET ROLE;

-- What it gives: a refresh by a worker, and jobs.
SET SESSION AUTHORIZATION regress_stranger;
SELECT metrics_refresh.refresh('mt.v') @> '{"success": true}' AS refreshed;
SELECT strategy, populated, job_name FROM metrics_refresh.explain_refresh('mt.v');
SELECT metrics_refresh.schedule('mt.v', NULL, 'mt: mine', strategy => 'full', max_retries => 0) > 0 AS scheduled;
SELECT metrics_refresh.schedule_group('mt: my group', '{mt.v}', strategy => 'full', max_retries => 0, populate => false) > 0 AS scheduled;
CALL tools.run('mt: mine');
CALL tools.run('mt: my group');
SELECT metrics_refresh.refresh_group('mt: my group') IS NOT NULL AS refreshed;
SELECT job_name FROM metrics_refresh.job ORDER BY 1;
SELECT status, view_name, owner, initiated_by FROM metrics_refresh.run_log
WHERE job_name ~ '^mt: ' ORDER BY run_id;

-- What it does not give: the owner's jobs, his other views, what is the owner's alone.
SELECT tools.try(format($$SELECT metrics_refresh.%s$$, call))
FROM unnest(ARRAY[$$trigger('mt: of the owner')$$, $$pause('mt: of the owner')$$,
                  $$alter_job('mt: of the owner', schedule => '1 second')$$,
                  $$unschedule('mt: of the owner')$$, $$refresh_group('mt: group of the owner')$$,
                  $$refresh('mt.other')$$, $$schedule('mt.other', NULL)$$,
                  $$schedule('mt.v', NULL, 'mt: for the owner', owner => 'regress_owner')$$,
                  $$schedule_group('mt: two', '{mt.v,mt.other}')$$]) AS call;
RESET SESSION AUTHORIZATION;
SELECT DISTINCT * FROM mt.seen;
SELECT count(*) FROM mt.seen;

-- Where it is revoked, the next run fails and is logged.
REVOKE MAINTAIN ON mt.v FROM regress_stranger;
SET SESSION AUTHORIZATION regress_stranger;
SELECT tools.try($$SELECT metrics_refresh.refresh('mt.v')$$);
SELECT metrics_refresh.refresh_group('mt: my group') IS NOT NULL AS tried;
CALL tools.run('mt: mine');
CALL tools.run('mt: my group');
RESET SESSION AUTHORIZATION;
SELECT job_name, view_name, status, sqlstate, error_message, error_detail FROM metrics_refresh.run_log
WHERE job_name IN ('mt: mine', 'mt: my group') AND status <> 'success' ORDER BY run_id;
SELECT count(*) FROM mt.seen;

-- The owner of the view sees and manages what others have over it.
SET SESSION AUTHORIZATION regress_owner;
SELECT metrics_refresh.unschedule('mt: mine');
RESET SESSION AUTHORIZATION;
SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE job_name ~ '^mt: ' ORDER BY job_name;
DROP SCHEMA mt CASCADE;
