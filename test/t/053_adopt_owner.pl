# Moving in where the installation belongs to the application's own role, who is no superuser, as on hosted servers: each
# object is read and replaced as its owner, and what was printed takes all of it back, whoever owns what.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('adopt_owner', timezone => 'UTC');
$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN; CREATE ROLE analyst LOGIN; CREATE ROLE authenticated; CREATE ROLE reader LOGIN IN ROLE authenticated;
	CREATE DATABASE shop OWNER app});
$node->safe_psql('shop', q{CREATE SCHEMA metrics; CREATE EXTENSION metrics_refresh SCHEMA metrics; GRANT CREATE ON SCHEMA public TO analyst});

my $migration = q{
	CREATE DOMAIN public.short AS text CHECK (length(VALUE) < 50);
	CREATE TYPE public.outcome AS ENUM ('running', 'completed', 'failed');
	CREATE TABLE public.accounts (id int PRIMARY KEY, worth numeric);
	INSERT INTO public.accounts SELECT g, g * 10 FROM generate_series(1, 20) g;
	CREATE MATERIALIZED VIEW public.platform_metrics AS SELECT count(*) AS accounts, sum(worth) AS worth FROM public.accounts;
	CREATE TABLE public.metrics_refresh_log (id bigserial PRIMARY KEY, status public.outcome NOT NULL, started_at timestamptz NOT NULL DEFAULT now(),
		completed_at timestamptz, duration_ms int, error_message text, gone int, reason public.short DEFAULT 'none');
	ALTER TABLE public.metrics_refresh_log DROP COLUMN gone;
	COMMENT ON TABLE public.metrics_refresh_log IS 'what was refreshed';
	COMMENT ON COLUMN public.metrics_refresh_log.reason IS 'why';
	CREATE INDEX ON public.metrics_refresh_log (started_at DESC) WHERE status <> 'running';
	ALTER TABLE public.metrics_refresh_log ENABLE ROW LEVEL SECURITY;
	CREATE FUNCTION public.is_admin() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT current_user = 'reader' $$;
	CREATE POLICY "admins look" ON public.metrics_refresh_log FOR SELECT TO authenticated USING (public.is_admin());
	GRANT SELECT ON public.metrics_refresh_log TO authenticated;
	GRANT SELECT (id, status) ON public.metrics_refresh_log TO analyst WITH GRANT OPTION;
	ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC;
	CREATE FUNCTION public.refresh_platform_metrics_with_logging() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
	DECLARE n bigint; BEGIN
	  INSERT INTO metrics_refresh_log (status) VALUES ('running') RETURNING id INTO n;
	  REFRESH MATERIALIZED VIEW platform_metrics;
	  UPDATE metrics_refresh_log SET status = 'completed', completed_at = clock_timestamp(), duration_ms = 1 WHERE id = n; END $$;
	CREATE FUNCTION public.get_metrics_refresh_stats(p_hours int DEFAULT 12 * 2) RETURNS TABLE (total_refreshes bigint, success_rate numeric)
	  LANGUAGE plpgsql STABLE COST 7 ROWS 3 SECURITY DEFINER SET search_path = public SET work_mem = '5MB' AS $$ BEGIN
	  RETURN QUERY SELECT count(*), 100.0 FROM metrics_refresh_log WHERE started_at > now() - make_interval(hours => p_hours); END $$;
	COMMENT ON FUNCTION public.get_metrics_refresh_stats(int) IS 'of the last hours';
	CREATE FUNCTION public.cleanup_old_metrics_logs() RETURNS int LANGUAGE sql AS $$ DELETE FROM public.metrics_refresh_log WHERE started_at < now() - interval '30 days'; SELECT 1 $$;
	REVOKE ALL ON FUNCTION public.cleanup_old_metrics_logs() FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION public.cleanup_old_metrics_logs() TO analyst WITH GRANT OPTION;
	CREATE VIEW public.summary AS SELECT total_refreshes FROM public.get_metrics_refresh_stats();
	CREATE TABLE public.watch (at timestamptz DEFAULT now(), deleted int DEFAULT public.cleanup_old_metrics_logs());
	CREATE VIEW public.failures WITH (security_barrier = true, security_invoker = true) AS SELECT id, status AS "What", reason FROM public.metrics_refresh_log WHERE status = 'failed';
	COMMENT ON VIEW public.failures IS 'what failed';
	ALTER VIEW public.failures ALTER COLUMN reason SET DEFAULT 'none';
	CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
	CREATE TRIGGER no INSTEAD OF DELETE ON public.failures FOR EACH ROW EXECUTE FUNCTION public.no();
	GRANT SELECT ON public.failures TO authenticated;
	INSERT INTO public.metrics_refresh_log (status, started_at, completed_at, error_message, reason) VALUES
	  ('completed', now() - interval '3 hours', now() - interval '3 hours', NULL, NULL), ('failed', now() - interval '2 hours', NULL, E'it''s\nbroken', 'x');
};
my @as_app = (extra_params => [ '-U', 'app' ]);
$node->safe_psql('shop', $migration, @as_app);
$node->safe_psql('shop', q{CREATE VIEW public.counted AS SELECT status, count(*) AS n FROM public.metrics_refresh_log GROUP BY 1}, extra_params => [ '-U', 'analyst' ]);
$node->safe_psql('shop', 'ALTER FUNCTION public.cleanup_old_metrics_logs() DEPENDS ON EXTENSION plpgsql');
$node->safe_psql('shop', q{SELECT public.refresh_platform_metrics_with_logging()}, @as_app);

my $public = q{(SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)};
my $everything = qq{
	SELECT p.oid, pg_get_functiondef(p.oid), proowner::regrole, proacl, obj_description(p.oid, 'pg_proc') FROM pg_proc p WHERE pronamespace = 'public'::regnamespace ORDER BY 1;
	SELECT oid, relname, relkind, relowner::regrole, relacl, reloptions, relrowsecurity, obj_description(oid, 'pg_class') FROM pg_class WHERE oid IN $public ORDER BY 1;
	SELECT attrelid, attnum, attname, atttypid, atttypmod, attacl, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid IN $public ORDER BY 1, 2;
	SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1;
	SELECT polname, polrelid, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1;
	SELECT adrelid, adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid IN $public ORDER BY 1, 2;
	SELECT tgname, tgrelid, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid IN $public ORDER BY 1, 2;
	SELECT pg_describe_object(classid, objid, objsubid) AS a, pg_describe_object(refclassid, refobjid, refobjsubid) AS b, deptype FROM pg_depend
	  WHERE refobjid IN (SELECT oid FROM pg_class WHERE oid IN $public UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
	     OR deptype = 'x' ORDER BY 1, 2, 3;
	SELECT * FROM public.metrics_refresh_log ORDER BY id;
	SELECT setconfig FROM pg_db_role_setting};
my $before = $node->safe_psql('shop', $everything);
my $rows = q{SELECT id, status, started_at, completed_at, duration_ms, error_message, reason FROM public.metrics_refresh_log ORDER BY id};
my $old_rows = $node->safe_psql('shop', $rows);

my $steps = q{SELECT concat_ws(': ', object, action) FROM metrics_refresh.adopt_platform_metrics(%s) WHERE action <> 'undo' ORDER BY step};
my $planned = $node->safe_psql('shop', sprintf $steps, 'true');
unlike($planned, qr/in the way/, 'nothing of the application\'s role is in the way');
like($planned, qr/^view public.$_: would be moved/m, "the view $_ is moved") for qw(failures counted);
is($node->safe_psql('shop', $everything), $before, 'a dry run changes nothing');

my @result = split /\x1e/, $node->safe_psql('shop', q{
	SELECT string_agg(concat_ws(': ', object, action), E'\n' ORDER BY step) FILTER (WHERE action <> 'undo') || E'\x1e'
	    || string_agg(statement, E';\n' ORDER BY step) FILTER (WHERE action = 'undo')
	FROM metrics_refresh.adopt_platform_metrics(dry_run => false)});
is($result[0], $planned =~ s/would be //gr, 'it does what the dry run said');
is($node->safe_psql('shop', $rows), $old_rows, 'each row and column of the log is as it was');
is($node->safe_psql('shop', q{SELECT relname, relowner::regrole, relacl FROM pg_class WHERE relname IN ('metrics_refresh_log', 'failures', 'counted') AND relnamespace = 'public'::regnamespace ORDER BY 1}),
	"counted|analyst|\nfailures|app|{=arwdDxt/app,app=arwdDxt/app,authenticated=r/app}\nmetrics_refresh_log|app|{app=arwdDxt/app,authenticated=r/app}",
	'views have their owners, and grants as the table had');
is($node->safe_psql('shop', q{SELECT status, owner FROM metrics_refresh.run_log WHERE adopted IS NOT NULL ORDER BY run_id}),
	"success|app\nerror|app\nsuccess|app", 'the copied rows are for the owner to see');
is($node->safe_psql('shop', q{SELECT public.refresh_platform_metrics_with_logging(); SELECT total_refreshes FROM public.get_metrics_refresh_stats();
	SELECT status, reason, id > 3 FROM public.metrics_refresh_log ORDER BY started_at DESC LIMIT 1}, @as_app), "\n4\ncompleted||t", 'the owner goes on to use it');
is($node->safe_psql('shop', q{SELECT count(*) FROM public.counted}), 2, 'a view of another role goes on');
is($node->safe_psql('shop', q{SELECT string_agg(DISTINCT action, ', ') FROM metrics_refresh.adopt_platform_metrics(false)
	WHERE object !~ '^setting'}), 'already there', 'adopting again does nothing and says so');

$node->safe_psql('shop', "BEGIN;\n$result[1];\nCOMMIT");
is($node->safe_psql('shop', $everything), $before, 'the undo statements bring all back: definitions, owners, grants, dependants, rows');
is($node->safe_psql('shop', q{SELECT count(*) FROM metrics_refresh.run_log WHERE adopted IS NOT NULL; SELECT job_name FROM metrics_refresh.job}),
	"0\ncleanup-metrics-logs", 'and leave nothing of it here');
is($node->safe_psql('shop', 'SELECT public.refresh_platform_metrics_with_logging(); SELECT count(*) FROM public.metrics_refresh_log', @as_app),
	"\n4", 'the old installation works on');

# Another session changes the table while its lock is waited for.
my $session = $node->background_psql('shop', extra_params => [ '-U', 'app' ]);
$session->query_safe(q{BEGIN; ALTER TABLE public.metrics_refresh_log RENAME TO other;
	CREATE VIEW public.metrics_refresh_log AS SELECT * FROM public.other});
my $adoption = $node->background_psql('shop', on_error_stop => 0);
$adoption->query_until(qr/begun/, "\\echo begun\nSELECT count(*) FROM metrics_refresh.adopt_platform_metrics(false);\n");
$node->poll_query_until('shop', q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted}) or die 'nobody waits';
$session->query_safe('COMMIT');
$adoption->query('SELECT 1');
like($adoption->{stderr}, qr/objects stand in the way.*table public.metrics_refresh_log: it is no table/s, 'what it has become counts');
$adoption->quit;
$session->query_safe('DROP VIEW public.metrics_refresh_log; ALTER TABLE public.other RENAME TO metrics_refresh_log');
# A wait ends by itself where the session sets no limit; by the session's where that is shorter.
$session->query_safe('BEGIN; LOCK TABLE public.metrics_refresh_log');
my ($status, undef, $error) = $node->psql('shop', q{SET lock_timeout = '100ms'; SELECT metrics_refresh.adopt_platform_metrics(false)});
like($error, qr/lock timeout/, 'the session\'s lock_timeout counts');
$session->query_safe('ROLLBACK');
$session->quit;

# Whoever may not create in the schema cannot have the view there.
$node->safe_psql('shop', q{CREATE SCHEMA locked; CREATE MATERIALIZED VIEW locked.platform_metrics AS SELECT 1 AS one;
	CREATE TABLE locked.metrics_refresh_log (id int, success boolean, started_at timestamptz);
	ALTER MATERIALIZED VIEW locked.platform_metrics OWNER TO analyst; ALTER TABLE locked.metrics_refresh_log OWNER TO analyst});
like($node->safe_psql('shop', q{SELECT object, note FROM metrics_refresh.adopt_platform_metrics(schema_name => 'locked') WHERE action = 'in the way'}),
	qr/^table locked.metrics_refresh_log\|role "analyst", its owner, lacks CREATE on the schema/, 'an owner without CREATE is named');

done_testing();
