# Jobs are configuration and travel with pg_dump; what became of them does not. A restored default
# job replaces the one that CREATE EXTENSION made, a removed one stays away.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('dump');
$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql(
	'source', q{
	CREATE SCHEMA "my schema";
	CREATE EXTENSION metrics_refresh SCHEMA "my schema";
	CREATE MATERIALIZED VIEW v AS SELECT 1 AS id;
	CREATE UNIQUE INDEX ON v (id);
	SELECT metrics_refresh.alter_job('refresh-platform-metrics', schedule => '17 * * * *', timezone => 'Europe/Berlin');
	SELECT metrics_refresh.unschedule('cleanup-metrics-logs');
	SELECT metrics_refresh.schedule('v', '1 second', job_name => 'v', max_runtime => '5 minutes');
	SELECT metrics_refresh.schedule_command('paused', '1 second', 'SELECT ''it''''s'', E''\\\\'' ');
	SELECT metrics_refresh.pause('paused');
	SELECT metrics_refresh.schedule_command('removed', '1 second', 'SELECT 1');
	SELECT metrics_refresh.schedule_command('last', NULL, 'SELECT 1');
	CREATE ROLE one LOGIN;
	CREATE ROLE two LOGIN;
	SELECT metrics_refresh.schedule_command('last', NULL, 'SELECT 1', owner => 'one');
	SELECT metrics_refresh.schedule_command('last', NULL, 'SELECT 1', owner => 'two');
	SELECT metrics_refresh.schedule_command('cleanup-metrics-logs', NULL, 'SELECT 1', owner => 'two');
	SELECT metrics_refresh.schedule_command('yearly', '0 0 1 1 *', 'SELECT 1');
	UPDATE metrics_refresh_internal.job SET effective_from = now() - interval '2 years' WHERE job_name = 'yearly';
	SELECT metrics_refresh.unschedule('removed')});
wait_for_runs($node, 'source', 'v', 2);

my $jobs = q{
	SELECT job_id, job_name, view_schema, view_name, command, schedule, timezone, strategy, owner,
	       active, max_runtime, lock_timeout, on_missed, is_default, created_at
	FROM metrics_refresh.job ORDER BY job_id};
my $source_jobs = $node->safe_psql('source', $jobs);
note $source_jobs;

sub is_restored
{
	my ($target, $database, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($target->safe_psql($database, $jobs), $source_jobs, "$name: every job, unchanged, with its id");
	is( $target->safe_psql($database, q{
			SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'metrics_refresh'}),
		'"my schema"',
		"$name: the extension is in its schema");
	my $id = $target->safe_psql($database,
		q{SELECT metrics_refresh.schedule_command('new', NULL, 'SELECT 1')});
	is( $target->safe_psql($database,
			"SELECT $id > max(job_id) FROM metrics_refresh.job WHERE job_name <> 'new'"),
		't',
		"$name: a new job gets a new id");
	$target->safe_psql($database, q{SELECT metrics_refresh.unschedule('new')});
	wait_for_runs($target, $database, 'v', 2, "$name: jobs run");
	is( $target->safe_psql($database,
			q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'paused'}),
		0,
		"$name: a paused job stays paused");
	is( $target->safe_psql($database,
			q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'yearly'}),
		0,
		"$name: what was due before the restore does not count");
	return;
}

for my $format (qw(custom plain))
{
	my $file = $node->basedir . "/$format.dump";
	$node->command_ok([ 'pg_dump', "--format=$format", '--file', $file, 'source' ],
		"pg_dump, format $format");
	my $database = "restored_$format";
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	if ($format eq 'custom')
	{
		# The log is compared before a restored job has run: nothing of it may come along.
		my $list = $node->basedir . '/list';
		$node->command_like([ 'pg_restore', '--list', $file ],
			qr/TABLE DATA metrics_refresh_internal job /, 'the dump holds the jobs');
		$node->command_like(
			[ 'pg_restore', '--list', $file ],
			qr/^(?!.*TABLE DATA metrics_refresh_internal (run_log|job_state|active_run|run_request))/s,
			'and no state of runs');
		$node->command_ok([ 'pg_restore', '--exit-on-error', '--dbname', $database, $file ],
			'pg_restore');
	}
	else
	{
		$node->command_ok(
			[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, $database ], 'psql -f');
	}
	is_restored($node, $database, "format $format");
}
is( $node->safe_psql('restored_custom', q{
		SELECT count(*) FROM metrics_refresh.run_log l, metrics_refresh.job j
		WHERE l.started_at < (SELECT stats_reset FROM pg_stat_database WHERE datname = 'source')}),
	0,
	'no run of the source is in the restored log');

# Dumped again, from the restored database, it is the same.
$node->command_ok(
	[ 'pg_dump', '--format=custom', '--file', $node->basedir . '/again.dump', 'restored_custom' ],
	'pg_dump of the restored database');

# Into another cluster.
my $other = start_node('other');
$other->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$other->command_ok(
	[ 'pg_restore', '--exit-on-error', '--single-transaction', '--dbname', 'elsewhere', $node->basedir . '/again.dump' ],
	'pg_restore in one transaction into another cluster');
is_restored($other, 'elsewhere', 'another cluster');
is( $other->safe_psql('elsewhere', q{SELECT owner, owner_oid = 0 FROM metrics_refresh.job WHERE job_name = 'last' ORDER BY owner}),
	"one|t\npostgres|f\ntwo|t",
	'jobs of one name whose owners are missing there');
is( $other->safe_psql('elsewhere',
		q{SELECT string_agg(job_name, ' ') FROM metrics_refresh_internal.removed_default_job}),
	'cleanup-metrics-logs',
	'it is known there too that a default job was removed');

# A default job that was removed and then made anew by somebody.
$node->safe_psql(
	'source', q{
	SELECT metrics_refresh.schedule_command('cleanup-metrics-logs', '0 5 * * *', 'SELECT 5');
	SELECT metrics_refresh.unschedule('refresh-platform-metrics');
	SELECT metrics_refresh.schedule('v', '0 6 * * *', job_name => 'refresh-platform-metrics')});
$source_jobs = $node->safe_psql('source', $jobs);
my $file = $node->basedir . '/remade.dump';
$node->command_ok([ 'pg_dump', '--format=custom', '--file', $file, 'source' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE remade');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--dbname', 'remade', $file ],
	'jobs in place of removed default jobs are restored');
is($node->safe_psql('remade', $jobs), $source_jobs, 'unchanged');

# What an audit found wrong is wrong in a copy as well: a view goes by its name, and one that is missing
# stands in nobody's way.
$node->safe_psql('postgres', 'CREATE DATABASE alarmed');
$node->safe_psql('alarmed', q{
	CREATE EXTENSION metrics_refresh;
	CREATE LANGUAGE closed HANDLER plpgsql_call_handler;
	CREATE TABLE conf (rate int); INSERT INTO conf VALUES (1);
	CREATE TABLE base (id int); INSERT INTO base VALUES (1);
	CREATE FUNCTION lies() RETURNS int IMMUTABLE LANGUAGE closed AS 'BEGIN RETURN (SELECT rate FROM public.conf); END';
	CREATE MATERIALIZED VIEW told AS SELECT public.lies() * id AS n FROM base;
	CREATE MATERIALIZED VIEW renamed AS SELECT public.lies() * id AS n FROM base;
	CREATE MATERIALIZED VIEW missing AS SELECT public.lies() * id AS n FROM base});
$node->safe_psql('alarmed', q{SET metrics_refresh.audit_every = 1; SET client_min_messages = error;
	SELECT metrics_refresh.refresh(v::regclass) FROM unnest(ARRAY['told', 'renamed', 'missing']) v;
	UPDATE conf SET rate = 2;
	SELECT metrics_refresh.refresh(v::regclass) FROM unnest(ARRAY['told', 'renamed', 'missing']) v});
is($node->safe_psql('alarmed', q{SELECT string_agg(view_oid::regclass::text, ' ' ORDER BY view_oid::regclass::text) FROM metrics_refresh.skip_alarm}),
	'missing renamed told', 'an audit has found three views wrong');
$node->safe_psql('alarmed', q{
	CREATE OR REPLACE FUNCTION lies() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT rate FROM public.conf'; DROP LANGUAGE closed;
	ALTER MATERIALIZED VIEW renamed RENAME TO moved; SELECT metrics_refresh.refresh('moved')});
$file = $node->basedir . '/alarmed.dump';
$node->command_ok([ 'pg_dump', '--format=custom', '--exclude-table=missing', '--file', $file, 'alarmed' ], 'pg_dump without one of them');
$node->safe_psql('postgres', 'CREATE DATABASE alarmed_again');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--dbname', 'alarmed_again', $file ], 'pg_restore');
is($node->safe_psql('alarmed_again', q{SELECT view_name, view_oid::regclass, found FROM metrics_refresh.skip_alarm ORDER BY 1}), join("\n",
		'missing|-|an audit of skipping corrected 1 row',
		'moved|moved|an audit of skipping corrected 1 row', 'told|told|an audit of skipping corrected 1 row'),
	'what was found is known in the restored database');
is($node->safe_psql('alarmed_again', q{SELECT metrics_refresh.refresh('told') ->> 'strategy' UNION ALL SELECT metrics_refresh.refresh('told') ->> 'strategy'}),
	"diff\ndiff", 'and the view is not skipped there');
like($node->safe_psql('alarmed_again', q{SELECT change_state FROM metrics_refresh.explain_refresh('told')}), qr/^not skipped any more: an audit/, 'as is said');
$node->safe_psql('alarmed_again', q{SELECT metrics_refresh.cleanup_logs()});
is($node->safe_psql('alarmed_again', q{SELECT count(*) FROM metrics_refresh.skip_alarm}), 2, 'cleanup_logs() removes what is of no view');

$_->stop for $node, $other;
done_testing();
