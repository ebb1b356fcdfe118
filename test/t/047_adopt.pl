# Moving in from a hand-written installation of the usual kind: functions, log table with row-level
# security, pg_cron jobs. What applications see stays; what was done is taken back by what was printed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $has_pg_cron = -e (run_command([ 'pg_config', '--pkglibdir' ]))[0] . '/pg_cron.so';

my $node = start_node(
	'adopt',
	shared_preload_libraries => 'metrics_refresh' . ($has_pg_cron ? ',pg_cron' : ''),
	timezone => 'UTC');
if ($has_pg_cron)
{
	$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'");
	$node->restart;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
}

# As such migrations are written.
my $migration = q{
CREATE ROLE anon;
CREATE ROLE authenticated;
CREATE ROLE service_role BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anon, authenticated, service_role TO authenticator;
CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS
  $$ SELECT coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $$;
CREATE FUNCTION public.is_super_admin() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
  $$ SELECT coalesce(auth.jwt() -> 'app_metadata' ->> 'role', '') = 'super_admin' $$;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;

CREATE TABLE public.accounts (id int PRIMARY KEY, worth numeric);
INSERT INTO public.accounts SELECT g, g * 10 FROM generate_series(1, 20) g;
CREATE MATERIALIZED VIEW public.platform_metrics AS
  SELECT 1 AS id, count(*) AS accounts, sum(worth) AS worth FROM public.accounts;
CREATE UNIQUE INDEX ON public.platform_metrics (id);

CREATE TABLE public.metrics_refresh_log (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  completed_at TIMESTAMPTZ,
  status TEXT NOT NULL CHECK (status IN ('running', 'success', 'error')),
  duration_ms INTEGER,
  error_message TEXT,
  metadata JSONB DEFAULT '{}'::jsonb,
  "odd Column" numeric(10, 3)[],
  created_at TIMESTAMPTZ DEFAULT now()
);
CREATE INDEX ON public.metrics_refresh_log (started_at DESC);
REVOKE ALL ON public.metrics_refresh_log FROM anon;
GRANT SELECT ON public.metrics_refresh_log TO authenticated;
ALTER TABLE public.metrics_refresh_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Super admins can view refresh logs" ON public.metrics_refresh_log
  FOR SELECT TO authenticated USING (public.is_super_admin());
CREATE VIEW public.recent_failures WITH (security_invoker = true) AS
  SELECT id, started_at, error_message FROM public.metrics_refresh_log WHERE status = 'error';
GRANT SELECT ON public.recent_failures TO authenticated;

CREATE OR REPLACE FUNCTION public.refresh_platform_metrics_with_logging() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  v_log_id uuid;
  v_start timestamptz := clock_timestamp();
BEGIN
  INSERT INTO metrics_refresh_log (started_at, status) VALUES (v_start, 'running') RETURNING id INTO v_log_id;
  BEGIN
    REFRESH MATERIALIZED VIEW CONCURRENTLY platform_metrics;
    UPDATE metrics_refresh_log SET completed_at = clock_timestamp(), status = 'success',
      duration_ms = extract(epoch FROM clock_timestamp() - v_start) * 1000 WHERE id = v_log_id;
  EXCEPTION WHEN OTHERS THEN
    UPDATE metrics_refresh_log SET completed_at = clock_timestamp(), status = 'error', error_message = SQLERRM WHERE id = v_log_id;
  END;
END;
$$;
CREATE OR REPLACE FUNCTION public.get_metrics_refresh_stats(p_hours INTEGER DEFAULT 24)
RETURNS TABLE (total_refreshes BIGINT, successful_refreshes BIGINT, failed_refreshes BIGINT, avg_duration_ms NUMERIC,
  success_rate NUMERIC, last_refresh_at TIMESTAMPTZ)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public AS $$
BEGIN
  RETURN QUERY SELECT count(*), count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'error'),
    avg(l.duration_ms)::numeric, round(100.0 * count(*) FILTER (WHERE status = 'success') / nullif(count(*), 0), 2),
    max(l.started_at) FROM metrics_refresh_log l WHERE l.started_at >= now() - make_interval(hours => p_hours);
END;
$$;
CREATE VIEW public.refresh_summary AS SELECT total_refreshes, success_rate FROM public.get_metrics_refresh_stats(48);
CREATE OR REPLACE FUNCTION public.trigger_platform_metrics_refresh() RETURNS JSONB
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NOT is_super_admin() THEN RAISE EXCEPTION 'Only super admins'; END IF;
  PERFORM refresh_platform_metrics_with_logging();
  RETURN jsonb_build_object('success', true, 'message', 'refreshed');
END;
$$;
CREATE OR REPLACE FUNCTION public.cleanup_old_metrics_logs() RETURNS INTEGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE deleted integer;
BEGIN
  DELETE FROM metrics_refresh_log WHERE created_at < now() - INTERVAL '90 days';
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END;
$$;
REVOKE ALL ON FUNCTION public.trigger_platform_metrics_refresh() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.trigger_platform_metrics_refresh() TO authenticated, service_role;
};
$node->safe_psql('postgres', $migration);
$node->safe_psql(
	'postgres', q{
	SELECT public.refresh_platform_metrics_with_logging();
	INSERT INTO public.metrics_refresh_log (started_at, completed_at, status, duration_ms, error_message, metadata, "odd Column", created_at) VALUES
	  (now() - interval '3 hours', now() - interval '3 hours' + interval '1 second', 'error', 1000, E'it''s\nbroken', '{"by": "cron"}', '{1.5,NULL,2}', NULL),
	  (now() - interval '2 hours', NULL, 'running', NULL, NULL, NULL, NULL, now()),
	  (now() - interval '60 days', now() - interval '60 days', 'success', 0, NULL, '[]', '{}', '-infinity'),
	  (now() - interval '40 hours', now() - interval '40 hours', 'success', 7, '', 'null', NULL, now())});
if ($has_pg_cron)
{
	$node->safe_psql(
		'postgres', q{
		SELECT cron.schedule('refresh-metrics', '2-59/15 * * * *', 'SELECT public.refresh_platform_metrics_with_logging();');
		SELECT cron.schedule('cleanup-metrics', '30 3 * * *', $$SELECT cleanup_old_metrics_logs()$$);
		SELECT cron.schedule('else', '0 0 1 1 *', 'SELECT 1')});
}

# All that somebody could tell apart, but for what is ours.
my $everything = q{
	SELECT oid, proname, pg_get_functiondef(oid), proacl, obj_description(oid) FROM pg_proc
	  WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' ORDER BY proname;
	SELECT oid, relname, relkind, relacl, relowner, reloptions, relrowsecurity FROM pg_class
	  WHERE relnamespace = 'public'::regnamespace ORDER BY relname;
	SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1;
	SELECT polname, polrelid, pg_get_expr(polqual, polrelid) FROM pg_policy
	  WHERE polrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
	SELECT l FROM public.metrics_refresh_log l ORDER BY started_at;
	SELECT f FROM public.recent_failures f;
	SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0;
} . ($has_pg_cron ? 'SELECT j FROM cron.job j ORDER BY jobid;' : '');
my $before = $node->safe_psql('postgres', $everything);

# The columns that the table had.
my $columns = 'id, started_at, completed_at, status, duration_ms, error_message, metadata, "odd Column", created_at';
my $rows = "SELECT $columns FROM public.metrics_refresh_log ORDER BY started_at";
my $old_rows = $node->safe_psql('postgres', $rows);

sub fails_like
{
	my ($sql, $pattern, $name, @as) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, undef, $error) = $node->psql('postgres', $sql, @as ? (extra_params => [ '-U', @as ]) : ());
	isnt($status, 0, "$name: refused");
	return like($error, $pattern, $name);
}

fails_like('CREATE EXTENSION metrics_refresh', qr/schema "public" has objects already that metrics_refresh makes there
DETAIL:\s+In the way: function public.cleanup_old_metrics_logs\(\), .* table public.metrics_refresh_log.
HINT:\s+.*CREATE SCHEMA metrics; CREATE EXTENSION metrics_refresh SCHEMA metrics; then SELECT \* FROM metrics_refresh.adopt_platform_metrics\(schema_name => 'public'\)/s,
	'CREATE EXTENSION says what stands in the way and the way in');
$node->safe_psql('postgres', 'CREATE SCHEMA metrics; CREATE EXTENSION metrics_refresh SCHEMA metrics');
is($node->safe_psql('postgres', $everything), $before, 'in another schema it changes nothing');

my $planned = $node->safe_psql('postgres', q{
	SELECT object || ': ' || action FROM metrics_refresh.adopt_platform_metrics() WHERE action <> 'undo' ORDER BY step});
my $expected = q{rows of public.metrics_refresh_log: would be copied into the log
table public.metrics_refresh_log: would be renamed
view public.metrics_refresh_log: would be made
view public.metrics_refresh_log: would be closed to default privileges
view public.metrics_refresh_log: would be granted as the table was
view public.metrics_refresh_log: would be granted as the table was
view recent_failures: would be moved to the new view
function public.refresh_platform_metrics_with_logging(): would be replaced
function public.trigger_platform_metrics_refresh(): would be replaced
function public.cleanup_old_metrics_logs(): would be replaced
function public.get_metrics_refresh_stats(integer): would be replaced
setting metrics_refresh.admin_check: would be set
setting metrics_refresh.log_retention: would be set
job refresh-platform-metrics: would be scheduled} . ($has_pg_cron ? q{
job 1 of pg_cron: would be paused
job cleanup-metrics-logs: would be rescheduled
job 2 of pg_cron: would be paused} : '');
is($planned, $expected =~ s/view recent_failures/view public.recent_failures/r, 'a dry run says what would be done');
is($node->safe_psql('postgres', $everything), $before, 'and does nothing');
$node->safe_psql('postgres', 'BEGIN; SELECT metrics_refresh.adopt_platform_metrics(false); ROLLBACK');
is($node->safe_psql('postgres', $everything), $before, 'nor does one that is rolled back');

# Who may.
$node->safe_psql('postgres', q{
	CREATE ROLE nobody LOGIN; CREATE ROLE admins; CREATE ROLE operator LOGIN IN ROLE admins;
	GRANT CREATE ON SCHEMA public TO nobody;
	ALTER DATABASE postgres SET metrics_refresh.admin_role = 'admins'});
$before = $node->safe_psql('postgres', $everything);
fails_like('SELECT metrics_refresh.adopt_platform_metrics()', qr/requires a super admin/, 'not for everybody', 'nobody');
fails_like('SELECT metrics_refresh.adopt_platform_metrics(false)',
	qr/must be owner of materialized view public.platform_metrics/, 'an admin needs the owner\'s rights', 'operator');

# What stands in the way keeps all from being done.
for my $obstacle (
	['CREATE MATERIALIZED VIEW public.log_copy AS SELECT * FROM public.metrics_refresh_log',
		qr/materialized view public.log_copy: it depends on table public.metrics_refresh_log/, 'MATERIALIZED VIEW public.log_copy'],
	['CREATE FUNCTION public.latest() RETURNS SETOF public.metrics_refresh_log LANGUAGE sql AS $$ SELECT * FROM public.metrics_refresh_log $$',
		qr/function public.latest\(\): it depends on table/, 'FUNCTION public.latest'],
	['CREATE TABLE public.alerts (log uuid REFERENCES public.metrics_refresh_log)',
		qr/constraint alerts_log_fkey on table public.alerts: it depends on table/, 'TABLE public.alerts'],
	['CREATE FUNCTION public.note() RETURNS void LANGUAGE sql AS $$ INSERT INTO public.metrics_refresh_log (status) VALUES (\'error\') $$',
		qr/function public.note\(\): it writes to table public.metrics_refresh_log, which becomes a view/, 'FUNCTION public.note'],
	['CREATE FUNCTION public.cleanup_old_metrics_logs(a text, b text) RETURNS void LANGUAGE sql AS $$ SELECT $$',
		qr/cleanup_old_metrics_logs\(text,text\): its arguments mean nothing here, so it cannot be replaced/, 'FUNCTION public.cleanup_old_metrics_logs(text, text)'])
{
	my ($make, $pattern, $drop) = @$obstacle;
	$node->safe_psql('postgres', $make);
	my $between = $node->safe_psql('postgres', $everything);
	fails_like('SELECT metrics_refresh.adopt_platform_metrics(false)', $pattern, "in the way: $drop");
	is($node->safe_psql('postgres', $everything), $between, 'and nothing is done');
	$node->safe_psql('postgres', "DROP $drop");
}

# Somebody is at it: the caller's lock_timeout ends the wait.
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; SELECT public.refresh_platform_metrics_with_logging()');
fails_like(q{SET lock_timeout = '100ms'; SELECT metrics_refresh.adopt_platform_metrics(false)}, qr/lock timeout/, 'a refresh by hand is waited for');
$session->query_safe('ROLLBACK');
$session->quit;

# A statement that fails in the middle undoes all.
$node->safe_psql('postgres', q{
	CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
	  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity ~ 'cleanup_old') THEN RAISE 'not this one'; END IF; END $$;
	CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION refuse()});
$before = $node->safe_psql('postgres', $everything);
fails_like('SELECT metrics_refresh.adopt_platform_metrics(false)', qr/function public.cleanup_old_metrics_logs\(\): not this one/, 'an error names the object');
is($node->safe_psql('postgres', $everything), $before, 'and leaves nothing half-done');
$node->safe_psql('postgres', 'DROP EVENT TRIGGER refuse; DROP FUNCTION refuse()');
$before = $node->safe_psql('postgres', $everything);

# Now in truth.
my $grants = q{SELECT proname, oid, proowner, proacl FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname ~ 'metrics' ORDER BY 1};
my $old_grants = $node->safe_psql('postgres', $grants);
my @steps = split /\x1e/, $node->safe_psql('postgres', q{
	SELECT string_agg(concat_ws(': ', object, action), E'\n' ORDER BY step) FILTER (WHERE action <> 'undo') || E'\x1e'
	    || string_agg(statement, E';\n' ORDER BY step) FILTER (WHERE action = 'undo')
	FROM metrics_refresh.adopt_platform_metrics(dry_run => false)});
is($steps[0], $planned =~ s/would be //gr, 'it does what the dry run said');
is($node->safe_psql('postgres', $rows), $old_rows, 'each row and column of the log is as it was');
is($node->safe_psql('postgres', $grants), $old_grants, 'the functions are the same objects, with their grants');
is($node->safe_psql('postgres', q{SELECT status, error_message, duration_ms, view_schema || '.' || view_name, owner, triggered_by, sqlstate
	FROM metrics_refresh.run_log WHERE adopted IS NOT NULL ORDER BY started_at}),
	qq{success||0|public.platform_metrics|postgres|schedule|
success||7|public.platform_metrics|postgres|schedule|
error|it's\nbroken|1000|public.platform_metrics|postgres|schedule|
interrupted|||public.platform_metrics|postgres|schedule|
} . $node->safe_psql('postgres', q{SELECT concat_ws('|', status, '', duration_ms) FROM public.metrics_refresh_log ORDER BY started_at DESC LIMIT 1})
	. '|public.platform_metrics|postgres|schedule|', 'the log has them as runs');
is($node->safe_psql('postgres', 'SELECT * FROM public.refresh_summary'), '4|50.00', 'a view over a function goes on');
is($node->safe_psql('postgres', 'SELECT error_message FROM public.recent_failures'), "it's\nbroken", 'a view over the table goes on');
is($node->safe_psql('postgres', q{SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
	FROM (SELECT * FROM pg_attribute WHERE attrelid = 'public.metrics_refresh_log'::regclass AND attnum BETWEEN 1 AND 9) a}),
	q{id uuid, started_at timestamp with time zone, completed_at timestamp with time zone, status text, duration_ms integer, error_message text, metadata jsonb, odd Column numeric(10,3)[], created_at timestamp with time zone},
	'the same columns first');

# New runs are in it; the calls of applications work.
is($node->safe_psql('postgres', q{SELECT public.refresh_platform_metrics_with_logging();
	SELECT (public.trigger_platform_metrics_refresh()) ->> 'success';
	SELECT public.cleanup_old_metrics_logs();
	SELECT total_refreshes, failed_refreshes, success_rate FROM public.get_metrics_refresh_stats();
	SELECT count(*), count(DISTINCT id) FROM public.metrics_refresh_log;
	SELECT status, completed_at >= started_at, duration_ms >= 0, error_message IS NULL, metadata IS NULL
	FROM public.metrics_refresh_log ORDER BY started_at DESC LIMIT 1;
	SELECT failed_refreshes FROM public.get_metrics_refresh_stats(p_hours => 1)}),
	qq{\ntrue\n0\n5|2|60.00\n7|7\nsuccess|t|t|t|t\n0}, 'the functions do the same for applications');

# As PostgREST calls: a role and claims.
sub as_user
{
	my ($role, $claims, $sql) = @_;
	my ($status, $out, $error) = $node->psql('postgres', "SET ROLE $role; SET request.jwt.claims = '$claims'; $sql",
		extra_params => [ '-U', 'authenticator' ]);
	return $status == 0 ? $out : $error;
}
my $admin = '{"app_metadata": {"role": "super_admin"}}';
is(as_user('authenticated', $admin, 'SELECT count(*) FROM public.metrics_refresh_log'), 7, 'a super admin by claim sees the log');
is(as_user('authenticated', '{}', 'SELECT count(*) FROM public.metrics_refresh_log'), 0, 'others see nothing');
is(as_user('authenticated', $admin, 'SELECT count(*) FROM public.recent_failures'), 1, 'through a view too');
like(as_user('anon', $admin, 'SELECT count(*) FROM public.metrics_refresh_log'), qr/permission denied/, 'whoever had no grant has none');
is(as_user('authenticated', $admin, q{SELECT public.trigger_platform_metrics_refresh() ->> 'success'}), 'true', 'a super admin by claim may refresh');
like(as_user('authenticated', '{}', 'SELECT public.trigger_platform_metrics_refresh()'), qr/requires a super admin/, 'others may not');
like(as_user('authenticated', '{}', 'SELECT public.refresh_platform_metrics_with_logging()'), qr/permission denied|must be/, 'nor by the other function');
is(as_user('authenticated', $admin, 'SELECT metrics_refresh.is_super_admin()'), 't', 'the guess is in force');
is($node->safe_psql('postgres', 'SHOW metrics_refresh.log_retention'), '90d', 'the log is kept as long as before');

# Jobs.
is($node->safe_psql('postgres', q{SELECT job_name, view_schema, schedule, timezone, active FROM metrics_refresh.job ORDER BY 1}),
	$has_pg_cron ? "cleanup-metrics-logs||30 3 * * *||t\nrefresh-platform-metrics|public|2-59/15 * * * *|GMT|t"
	: "cleanup-metrics-logs||0 2 * * *||t\nrefresh-platform-metrics|public|*/5 * * * *||t", 'the jobs are due when they were');
is($node->safe_psql('postgres', 'SELECT jobname, active FROM cron.job ORDER BY jobid'), "refresh-metrics|f\ncleanup-metrics|f\nelse|t", 'and paused in pg_cron')
	if $has_pg_cron;
is($node->safe_psql('postgres', q{SELECT count(*) FROM metrics_refresh.job WHERE effective_from > now() + interval '1 minute'}), 0, 'they count from now on');

# Again: nothing to do.
my $after = $node->safe_psql('postgres', $everything . 'SELECT j FROM metrics_refresh.job j');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT action, ', ') FROM metrics_refresh.adopt_platform_metrics(false)}), 'already there', 'adopting again does nothing and says so');
is($node->safe_psql('postgres', $everything . 'SELECT j FROM metrics_refresh.job j'), $after, 'indeed');

# A dump goes through.
$node->safe_psql('postgres', 'CREATE DATABASE copy');
my $dump = $node->backup_dir . '.sql';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'a dump');
my $list = "$dump.list";
system('sh', '-c', "pg_restore -l '$dump' | grep -v -i cron > '$list'");
$node->command_ok([ 'pg_restore', '--exit-on-error', '-L', $list, '-d', $node->connstr('copy'), $dump ], 'its restore');
is($node->safe_psql('copy', q{SELECT public.refresh_platform_metrics_with_logging(); SELECT status FROM public.metrics_refresh_log;
	SELECT job_name, view_schema FROM metrics_refresh.job ORDER BY 1}),
	"\nsuccess\ncleanup-metrics-logs|\nrefresh-platform-metrics|public", 'what was adopted works there');
$node->safe_psql('postgres', 'DROP DATABASE copy');

# Back.
$node->safe_psql('postgres', "BEGIN;\n$steps[1];\nCOMMIT");
is($node->safe_psql('postgres', $everything), $before, 'the undo statements bring all back');
is($node->safe_psql('postgres', q{SELECT count(*) FROM metrics_refresh.run_log WHERE adopted IS NOT NULL;
	SELECT job_name FROM metrics_refresh.job}), "0\ncleanup-metrics-logs", 'and leave nothing of it here');
is($node->safe_psql('postgres', q{SELECT public.refresh_platform_metrics_with_logging();
	SELECT count(*) FROM public.metrics_refresh_log}), "\n6", 'the old installation works on');

# A schema that one function refreshes.
$node->safe_psql(
	'postgres', q{
	CREATE SCHEMA analytics;
	CREATE MATERIALIZED VIEW analytics.daily AS SELECT g AS n FROM generate_series(1, 3) g;
	CREATE MATERIALIZED VIEW analytics.by_day AS SELECT count(*) AS n FROM analytics.daily;
	CREATE FUNCTION analytics.refresh_all_views() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
	  REFRESH MATERIALIZED VIEW analytics.daily; REFRESH MATERIALIZED VIEW analytics.by_day; END $$});
$node->safe_psql('postgres', q{SELECT cron.schedule('analytics', '4 */6 * * *', 'SELECT analytics.refresh_all_views()')}) if $has_pg_cron;
my $hand_written = q{SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace}
  . ($has_pg_cron ? '; SELECT active FROM cron.job ORDER BY jobid' : '');
$before = $node->safe_psql('postgres', $hand_written);
my $undo = $node->safe_psql('postgres', q{SELECT string_agg(statement, E';\n' ORDER BY step) FILTER (WHERE action = 'undo')
	FROM metrics_refresh.create_schema_api('analytics')});
is($node->safe_psql('postgres', q{SELECT job_name, schedule, active FROM analytics.get_cron_job_status()}),
	$has_pg_cron ? 'analytics|4 */6 * * *|t' : 'analytics||t', 'its group is due when pg_cron ran the function');
is($node->safe_psql('postgres', q{SELECT analytics.refresh_all_views(); SELECT view_name, row_count FROM analytics.manual_refresh()}),
	"\nby_day|1\ndaily|3", 'and the functions do it now');
is($node->safe_psql('postgres', q{SELECT active FROM cron.job WHERE jobname = 'analytics'}), 'f', 'the job of pg_cron is paused') if $has_pg_cron;
$node->safe_psql('postgres', "BEGIN;\n$undo;\nCOMMIT");
is($node->safe_psql('postgres', $hand_written), $before, 'which is taken back as well');

done_testing();
