-- Is metrics_refresh installed as it should be in this database?
--
--   psql -d yourdb -f examples/verify.sql
--
-- Prints a line a check, `ok` or `PROBLEM` and what to do, and a summary; ends with an error where
-- there is a problem. Run it as a superuser or as who administers the jobs. It refreshes
-- platform_metrics once and leaves nothing behind but the log row of that run.

\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
SET client_min_messages = warning;

-- Evaluates a condition and returns its line. An error in the condition is a problem like a false.
CREATE FUNCTION pg_temp.verify(what text, condition text, remedy text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  holds boolean;
  seen text := '';
BEGIN
  BEGIN
    EXECUTE 'SELECT (' || condition || ')::boolean' INTO holds;
  EXCEPTION WHEN OTHERS THEN
    seen := ' [' || sqlerrm || ']';
  END;
  IF holds THEN
    PERFORM set_config('verify.good', (current_setting('verify.good')::int + 1)::text, false);
    RETURN 'ok       ' || what;
  END IF;
  PERFORM set_config('verify.bad', (current_setting('verify.bad')::int + 1)::text, false);
  RETURN 'PROBLEM  ' || what || seen || E'\n         -> ' || remedy;
END $$;
SET verify.good = 0;
SET verify.bad = 0;

SELECT pg_temp.verify('the server is PostgreSQL 15 or later',
  $$current_setting('server_version_num')::int >= 150000$$,
  'Upgrade the server: metrics_refresh supports 15 and later.');
SELECT pg_temp.verify('the library is preloaded',
  $$'metrics_refresh' = ANY (string_to_array(replace(replace(current_setting('shared_preload_libraries'), ' ', ''), '"', ''), ','))$$,
  'Add metrics_refresh to shared_preload_libraries in postgresql.conf and restart the server. (Who is not a superuser needs pg_read_all_settings to see it.)');
SELECT pg_temp.verify('the extension is created in this database',
  $$EXISTS (SELECT FROM pg_extension WHERE extname = 'metrics_refresh')$$,
  'CREATE EXTENSION metrics_refresh;');
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'metrics_refresh') AS created \gset
\if :created
SELECT pg_temp.verify('its version is the one that is installed on the server',
  $$SELECT installed_version = default_version FROM pg_available_extensions WHERE name = 'metrics_refresh'$$,
  'ALTER EXTENSION metrics_refresh UPDATE;');

-- The platform-metrics functions live in the schema that the extension was created in.
SELECT coalesce((SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
                  WHERE extname = 'metrics_refresh'), 'public') AS target \gset

SELECT pg_temp.verify('function ' || signature, format('to_regprocedure(%L) IS NOT NULL', signature),
  'The extension is incomplete here: DROP EXTENSION metrics_refresh; CREATE EXTENSION metrics_refresh;')
  FROM unnest(ARRAY[
    :'target' || '.refresh_platform_metrics_with_logging()',
    :'target' || '.get_metrics_refresh_stats(integer)',
    :'target' || '.trigger_platform_metrics_refresh()',
    :'target' || '.cleanup_old_metrics_logs()',
    'metrics_refresh.health_check()',
    'metrics_refresh.health_summary()',
    'metrics_refresh.is_super_admin()']) AS signature;
SELECT pg_temp.verify('function metrics_refresh.' || name,
  format('EXISTS (SELECT FROM pg_proc WHERE proname = %L AND pronamespace = ''metrics_refresh''::regnamespace)', name),
  'The extension is incomplete here: DROP EXTENSION metrics_refresh; CREATE EXTENSION metrics_refresh;')
  FROM unnest(ARRAY['schedule', 'alter_job', 'unschedule', 'pause', 'resume', 'next_runs', 'refresh',
                    'trigger', 'wait', 'cancel', 'explain_refresh']) AS name;
SELECT pg_temp.verify('relation ' || relation, format('to_regclass(%L) IS NOT NULL', relation),
  'The extension is incomplete here: DROP EXTENSION metrics_refresh; CREATE EXTENSION metrics_refresh;')
  FROM unnest(ARRAY[:'target' || '.metrics_refresh_log', 'metrics_refresh.job', 'metrics_refresh.job_status',
                    'metrics_refresh.run_log', 'metrics_refresh.running', 'metrics_refresh.view_dependencies']) AS relation;

SELECT pg_temp.verify(format('job %s exists and is active', job),
  format('SELECT active FROM metrics_refresh.job_status WHERE job_name = %L', job), remedy)
  FROM (VALUES
    ('refresh-platform-metrics', 'SELECT metrics_refresh.resume(''refresh-platform-metrics''), or schedule it again.'),
    ('cleanup-metrics-logs', 'SELECT metrics_refresh.resume(''cleanup-metrics-logs''), or the log grows without end.')
  ) AS jobs (job, remedy);
SELECT pg_temp.verify('the scheduler has planned the next run of the main job',
  $$SELECT next_due > now() - interval '1 minute' FROM metrics_refresh.job_status WHERE job_name = 'refresh-platform-metrics'$$,
  'See metrics_refresh.health_check() below and the server''s log.');

SELECT pg_temp.verify('materialized view platform_metrics exists in schema ' || :'target',
  format($$EXISTS (SELECT FROM pg_matviews WHERE quote_ident(schemaname) = %L AND matviewname = 'platform_metrics')$$, :'target'),
  'Create it (examples/platform_metrics.sql shows one); the job waits for it.');
SELECT pg_temp.verify('platform_metrics has a unique index that CONCURRENTLY can use',
  format($$EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass(%L) AND indisunique AND indisvalid
                   AND indimmediate AND indpred IS NULL AND indexprs IS NULL)$$, :'target' || '.platform_metrics'),
  'Without one each refresh locks readers out. SELECT create_index FROM metrics_refresh.explain_refresh(''platform_metrics''); proposes one.');

SELECT pg_temp.verify('row-level security guards metrics_refresh.' || name,
  format('SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(%L)', 'metrics_refresh.' || name),
  format('ALTER TABLE metrics_refresh.%s ENABLE ROW LEVEL SECURITY; and find out who turned it off.', name))
  FROM unnest(ARRAY['job', 'run_log']) AS name;
SELECT pg_temp.verify('every SECURITY DEFINER function of the extension pins its search_path',
  $$NOT EXISTS (SELECT FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
                 WHERE e.extname = 'metrics_refresh' AND p.prosecdef
                   AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false))$$,
  'Somebody altered a function of the extension: create the extension anew.');
SELECT pg_temp.verify('you are a super admin of metrics_refresh',
  'SELECT metrics_refresh.is_super_admin()',
  'Run this as a superuser, as a member of the role in metrics_refresh.admin_role, or as one for whom metrics_refresh.admin_check is true. The next checks need it.');

SELECT clock_timestamp() AS started \gset
SELECT pg_temp.verify('a manual refresh succeeds',
  format('SELECT (result ->> ''success'')::boolean FROM %s.trigger_platform_metrics_refresh() AS result', :'target'),
  'SELECT * FROM metrics_refresh_log ORDER BY started_at DESC LIMIT 1; shows its error whole.');
SELECT pg_temp.verify('and it is in the log',
  format($$EXISTS (SELECT FROM %s.metrics_refresh_log WHERE started_at >= %L AND status = 'success'
                   AND view_name LIKE '%%platform_metrics')$$, :'target', :'started'),
  'A refresh that is not logged did not happen: see the line above and the server''s log.');
SELECT pg_temp.verify('the statistics count it',
  format('SELECT total_refreshes >= 1 FROM %s.get_metrics_refresh_stats(1)', :'target'),
  'SELECT metrics_refresh.is_super_admin(); statistics show what you may see.');

-- What the extension finds itself, in its own words.
SELECT pg_temp.verify('the health check answers', 'SELECT count(*) > 0 FROM metrics_refresh.health_check()',
  'See the lines above.');
SELECT to_regprocedure('metrics_refresh.health_check()') IS NOT NULL AS has_health \gset
\if :has_health
SELECT pg_temp.verify(format('health: %s: %s', check_name, detail), (severity = 'ok')::text, coalesce(hint, '(no hint)'))
  FROM metrics_refresh.health_check();
\endif

\endif

SELECT format(E'\n%s checks hold, %s problems', current_setting('verify.good'), current_setting('verify.bad'));
DROP FUNCTION pg_temp.verify(text, text, text);
DO $$
BEGIN
  IF current_setting('verify.bad') <> '0' THEN
    RAISE EXCEPTION 'metrics_refresh is not installed as it should be: % problems, each with its remedy above',
      current_setting('verify.bad');
  END IF;
END $$;
