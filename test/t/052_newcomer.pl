# The whole path of somebody who comes with a hand-written installation: install, adopt, schedule, read the
# statistics, dump, restore in parallel, upgrade the server. What the application had at its begin is there at
# every step, and jobs run on.
use strict;
use warnings;

use Cwd qw(getcwd);
use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('newcomer');
$node->safe_psql(
	'postgres', q{
	CREATE TABLE account (id int PRIMARY KEY, worth numeric, made_at timestamptz DEFAULT now());
	CREATE TABLE payment (id bigserial PRIMARY KEY, account int REFERENCES account, amount numeric);
	INSERT INTO account SELECT g, g FROM generate_series(1, 100) g;
	INSERT INTO payment (account, amount) SELECT 1 + g % 100, g FROM generate_series(1, 1000) g;
	CREATE MATERIALIZED VIEW platform_metrics AS SELECT 1 AS id, (SELECT count(*) FROM account) AS accounts, (SELECT sum(amount) FROM payment) AS paid;
	CREATE UNIQUE INDEX ON platform_metrics (id);
	CREATE MATERIALIZED VIEW paid_by_account AS SELECT account, count(*), sum(amount) FROM payment GROUP BY account;
	CREATE UNIQUE INDEX ON paid_by_account (account);
	CREATE TABLE metrics_refresh_log (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), started_at timestamptz NOT NULL DEFAULT now(),
	  completed_at timestamptz, status text NOT NULL CHECK (status IN ('running', 'success', 'error')), duration_ms int, error_message text);
	CREATE FUNCTION refresh_platform_metrics_with_logging() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
	DECLARE run uuid;
	BEGIN
	  INSERT INTO metrics_refresh_log (status) VALUES ('running') RETURNING id INTO run;
	  REFRESH MATERIALIZED VIEW CONCURRENTLY platform_metrics;
	  UPDATE metrics_refresh_log SET completed_at = clock_timestamp(), status = 'success', duration_ms = 5 WHERE id = run;
	END $$;
	CREATE FUNCTION get_metrics_refresh_stats(hours int DEFAULT 24)
	RETURNS TABLE (total_refreshes bigint, successful_refreshes bigint, failed_refreshes bigint) LANGUAGE sql STABLE SET search_path = public AS $$
	  SELECT count(*), count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'error') FROM metrics_refresh_log
	  WHERE started_at > now() - make_interval(hours => hours) $$;
	SELECT refresh_platform_metrics_with_logging();
	INSERT INTO metrics_refresh_log (started_at, completed_at, status, error_message)
	  VALUES (now() - interval '2 hours', now() - interval '2 hours', 'error', 'it broke')});
my $old_log = 'SELECT id, started_at, completed_at, status, duration_ms, error_message FROM metrics_refresh_log';
my $log = $node->safe_psql('postgres', "$old_log ORDER BY started_at");

# Install: the plain way says what to do, and does nothing.
my ($status, undef, $error) = $node->psql('postgres', 'CREATE EXTENSION metrics_refresh');
isnt($status, 0, 'CREATE EXTENSION beside the objects of old');
like($error, qr/HINT:.*CREATE EXTENSION metrics_refresh SCHEMA metrics.*adopt_platform_metrics/s, 'the way in');
$node->safe_psql('postgres', 'CREATE SCHEMA metrics; CREATE EXTENSION metrics_refresh SCHEMA metrics');

# Adopt.
my $dry = $node->safe_psql('postgres', q{SELECT count(*) FROM metrics_refresh.adopt_platform_metrics() WHERE action <> 'undo'});
cmp_ok($dry, '>', 4, 'a dry run lists the steps');
$node->safe_psql('postgres', 'SELECT metrics_refresh.adopt_platform_metrics(dry_run => false)');
is($node->safe_psql('postgres', "$old_log ORDER BY started_at"), $log, 'the log shows the rows of old');
is($node->safe_psql('postgres', 'SELECT * FROM get_metrics_refresh_stats(24)'), '2|1|1', 'and so do the statistics, in the shape of old');

# Schedule, by a role of the application.
$node->safe_psql(
	'postgres', q{
	CREATE ROLE app LOGIN;
	ALTER TABLE payment OWNER TO app;
	ALTER MATERIALIZED VIEW paid_by_account OWNER TO app});
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule('paid_by_account', '1 second', strategy => 'incremental');
	SELECT metrics_refresh.schedule_group('all', '{paid_by_account}', schedule => '0 5 * * *')},
	extra_params => [ '-U', 'app' ]);
$node->safe_psql('postgres', q{SELECT metrics_refresh.alter_job('refresh-platform-metrics', schedule => '1 second')});

# Every step ends with this: a payment reaches both views, by runs of jobs alone.
my $amount = 1000;

sub is_kept_fresh
{
	my ($server, $database, $step) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$amount++;
	$server->safe_psql($database, "INSERT INTO payment (account, amount) VALUES (7, $amount)");
	until_ok($server, $database, q{SELECT paid = (SELECT sum(amount) FROM payment) FROM platform_metrics}, "$step: platform_metrics is refreshed");
	until_ok($server, $database, q{SELECT sum = (SELECT sum(amount) FROM payment WHERE account = 7) FROM paid_by_account WHERE account = 7},
		"$step: paid_by_account is refreshed");
	is($server->safe_psql($database, q{SELECT status, reasons FROM metrics_refresh.health_summary()}), 'ok|{}', "$step: all is well");
	return;
}

my $jobs = q{SELECT job_name, owner, schedule, timezone, active, strategy, view_schema, view_name, command FROM metrics_refresh.job ORDER BY job_name, owner};
is_kept_fresh($node, 'postgres', 'scheduled');
my $scheduled = $node->safe_psql('postgres', $jobs);
is($node->safe_psql('postgres', $jobs, extra_params => [ '-U', 'app' ]),
	join("\n", grep { /^(all|public\.paid_by_account)\|/ } split /\n/, $scheduled), 'app sees the jobs of its own');

# Dump, and restore in parallel.
my $dir = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-Fd', '-j4', '-f', "$dir/dump", 'postgres' ], 'pg_dump -j4');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-e', '-j4', '-d', $node->connstr('restored'), "$dir/dump" ], 'pg_restore -j4');
is($node->safe_psql('restored', $jobs), $scheduled, 'restored: the jobs');
is_kept_fresh($node, 'restored', 'restored');

# Upgrade the server, to the same version where there is no other.
$node->stop;
my $new = PostgreSQL::Test::Cluster->new('upgraded');
$new->init(extra => [ '--no-locale', '-E', 'UTF8' ]);
$new->append_conf('postgresql.conf', "shared_preload_libraries = 'metrics_refresh'\nmax_worker_processes = 16\n");
my $here = getcwd();
chdir PostgreSQL::Test::Utils::tempdir();
command_ok(
	[
		'pg_upgrade', '--no-sync', '-d', $node->data_dir, '-D', $new->data_dir, '-b', $node->config_data('--bindir'),
		'-B', $new->config_data('--bindir'), '-s', $new->host, '-p', $node->port, '-P', $new->port
	],
	'pg_upgrade');
chdir $here;
$new->start;
for my $database (qw(postgres restored))
{
	is($new->safe_psql($database, $jobs), $scheduled, "upgraded, $database: the jobs");
	is_kept_fresh($new, $database, "upgraded, $database");
}
is($new->safe_psql('postgres', "$old_log WHERE started_at <= (SELECT max(finished_at) FROM metrics_refresh.run_log WHERE adopted IS NOT NULL) ORDER BY started_at"),
	$log, 'upgraded: the log still shows the rows of old');
$new->stop;
done_testing();
