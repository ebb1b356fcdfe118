# An application of pg_cron on metrics_refresh_cron: its migration, its jobs that run every second, what
# its dashboard asks, its purge of history, and its jobs in a dump.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('cron_api');
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql(
	'app', q{
	CREATE EXTENSION metrics_refresh_cron CASCADE;
	CREATE ROLE app LOGIN;
	CREATE ROLE other LOGIN;
	GRANT USAGE ON SCHEMA cron TO app, other;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO app, other;
	CREATE SCHEMA app AUTHORIZATION app});

sub as_app { return $node->safe_psql('app', $_[0], extra_params => [ '-U', 'app' ]); }

# The migration, twice: the second time changes nothing.
my $migration = q{
	CREATE TABLE IF NOT EXISTS app.tick (at timestamptz DEFAULT clock_timestamp(), who text, session text);
	SELECT cron.schedule('tick', '1 second', 'INSERT INTO app.tick (who, session) VALUES (current_user, session_user)');
	SELECT cron.schedule('broken', '1 seconds', 'SELECT 1 / 0');
	SELECT cron.schedule('unticked', '0 3 * * *', 'SELECT 1');
	SELECT cron.unschedule('unticked')};
my $first = as_app($migration);
my $second = as_app($migration);
my @first = split /\n/, $first;
my @second = split /\n/, $second;
is_deeply([ @second[ 0, 1 ] ], [ @first[ 0, 1 ] ], 'a migration that is run again keeps the jobs');
is(as_app('SELECT jobname, schedule, username, database, active FROM cron.job ORDER BY jobid'),
	"tick|1 second|app|app|t\nbroken|1 seconds|app|app|t", 'cron.job has them');

until_ok(
	$node, 'app', q{
	SELECT count(*) FILTER (WHERE status = 'succeeded') >= 3 AND count(*) FILTER (WHERE status = 'failed') >= 3
	FROM cron.job_run_details}, 'both jobs run');
is(as_app('SELECT DISTINCT who, session FROM app.tick'), 'app|app', 'as the user, who is connected');

# What dashboards ask: the last run of each job, failures of the last hour, durations.
is( as_app(
		q{SELECT DISTINCT ON (j.jobname) j.jobname, d.status, split_part(d.return_message, E'\n', 1),
		         d.job_pid > 0, d.end_time >= d.start_time, d.username, d.database
		  FROM cron.job j JOIN cron.job_run_details d USING (jobid)
		  WHERE d.status IN ('succeeded', 'failed')
		  ORDER BY j.jobname, d.start_time DESC}),
	"broken|failed|ERROR:  division by zero|t|t|app|app\ntick|succeeded|INSERT 0 1|t|t|app|app",
	'the last run of each job');
is( as_app(
		q{SELECT j.jobname, count(*) >= 3, avg(d.end_time - d.start_time) < interval '1 minute'
		  FROM cron.job_run_details d JOIN cron.job j ON j.jobid = d.jobid AND j.command = d.command
		  WHERE d.status = 'failed' AND d.start_time > now() - interval '1 hour' GROUP BY 1}),
	'broken|t|t', 'failures of the last hour');
is( as_app(
		q{SELECT count(*) FROM cron.job_run_details
		  WHERE status NOT IN ('starting', 'running', 'sending', 'connecting', 'succeeded', 'failed')}),
	0, 'no other words');

# Another user sees none of it, and has a job of the same name.
is( $node->safe_psql(
		'app', q{
		SELECT count(*) FROM cron.job_run_details;
		SELECT count(*) FROM cron.job;
		SELECT cron.schedule('tick', '0 0 1 1 *', 'SELECT 1') IS NOT NULL;
		SELECT jobname, username FROM cron.job;
		DELETE FROM cron.job_run_details},
		extra_params => [ '-U', 'other' ]),
	"0\n0\nt\ntick|other", 'another user has jobs of its own');

# A pause by the view, by somebody who was let; a new schedule by alter_job.
$node->safe_psql('app',
	'GRANT UPDATE ON cron.job TO app; GRANT EXECUTE ON FUNCTION cron.alter_job TO app');
as_app(q{UPDATE cron.job SET active = false WHERE jobname = 'broken'});
as_app(q{SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'tick'), schedule => '0 0 1 1 *')});
until_ok($node, 'app', q{SELECT count(*) = 0 FROM cron.job_run_details WHERE status = 'running'}, 'they rest');
my $runs = as_app('SELECT count(*) FROM cron.job_run_details');
cmp_ok($runs, '>=', 6, 'the history is kept');

# The purge that people schedule.
as_app(q{SELECT cron.schedule('purge', '1 second', $$DELETE FROM cron.job_run_details WHERE end_time < now()$$)});
until_ok($node, 'app',
	q{SELECT count(*) > 0 FROM cron.job_run_details d JOIN cron.job j USING (jobid)
	  WHERE jobname = 'purge' AND status = 'succeeded' AND return_message ~ '^DELETE [0-9]+$'},
	'a job purges the history');
until_ok($node, 'app',
	q{SELECT count(*) = 0 FROM cron.job_run_details d JOIN cron.job j USING (jobid) WHERE jobname IN ('tick', 'broken')},
	'and it is gone');
is(as_app(q{SELECT cron.unschedule('purge')}), 't', 'unscheduled by name');

# A dump takes the jobs along, with their numbers and the rights on the schema.
my $jobs = 'SELECT * FROM cron.job ORDER BY jobid';
my $before = $node->safe_psql('app', $jobs);
my $dump = PostgreSQL::Test::Utils::tempdir() . '/app.sql';
$node->command_ok([ 'pg_dump', '--create', '-f', $dump, '-d', $node->connstr('app') ], 'a dump');
$node->safe_psql('postgres', 'DROP DATABASE app');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('postgres') ],
	'its restore');
is($node->safe_psql('app', $jobs), $before, 'the jobs are there');
is(as_app('SELECT jobname, active FROM cron.job ORDER BY jobid'), "tick|t\nbroken|f", 'and their user sees them');
as_app(q{SELECT cron.alter_job(jobid, schedule => '1 second') FROM cron.job WHERE jobname = 'tick'});
until_ok($node, 'app', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'succeeded'}, 'and they run');

# Without the API the jobs go on.
$node->safe_psql('app', 'DROP EXTENSION metrics_refresh_cron');
my $ticks = $node->safe_psql('app', 'SELECT count(*) FROM app.tick');
until_ok($node, 'app', "SELECT count(*) > $ticks FROM app.tick", 'DROP EXTENSION leaves the jobs');

done_testing();
