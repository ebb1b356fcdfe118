# DROP EXTENSION in the middle of things: it returns, its processes end, and a new CREATE EXTENSION
# works, also in the same transaction.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('drop');
create_extension($node);
create_nap_view($node, 'postgres', 'slow', 600);
create_nap_view($node, 'postgres', 'quick', 0);

my $ours = q{FROM pg_stat_activity WHERE datname = 'postgres'
  AND backend_type IN ('metrics_refresh scheduler', 'metrics_refresh worker')};

sub schedule_jobs
{
	$node->safe_psql(
		'postgres', q{
		SELECT metrics_refresh.schedule('slow', job_name => 'slow');
		SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady')});
	wait_for_runs($node, 'postgres', 'steady', 1, 'jobs run');
	$node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('slow')});
	wait_for_run($node, 'postgres', 'slow');
	return;
}

# A statement that must not wait for the run, which takes ten minutes.
sub at_once
{
	my ($sql, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '30s'; SET client_min_messages = 'warning'; $sql");
	is("$code$err", '0', $name);
	return;
}

schedule_jobs();
at_once('DROP EXTENSION metrics_refresh', 'DROP EXTENSION returns while a run is under way');
until_ok($node, 'postgres', "SELECT count(*) = 0 $ours", 'scheduler and workers end');
is(processes($node, 'launcher'), 1, 'the launcher stays');
is($node->safe_psql('postgres', 'SELECT count(*) FROM slow_nap'), 1, 'views and tables stay');

create_extension($node);
schedule_jobs();
pass('a new CREATE EXTENSION runs jobs');

# No scheduler is there to see it: the next one ends what the last one left.
at_once(
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler';
	DROP EXTENSION metrics_refresh},
	'DROP EXTENSION returns while no scheduler runs');
until_ok($node, 'postgres', "SELECT count(*) = 0 $ours",
	'a worker of a scheduler that died ends too');

# Rolled back, nothing has happened.
create_extension($node);
schedule_jobs();
$node->safe_psql('postgres', 'BEGIN; DROP EXTENSION metrics_refresh; ROLLBACK');
wait_for_runs($node, 'postgres', 'steady', 2, 'a DROP EXTENSION that is rolled back ends nothing');
is($node->safe_psql('postgres', "SELECT count(*) FROM metrics_refresh.running WHERE job_name = 'slow'"),
	1, 'not even the run under way');

# Dropped and created in one transaction, by a migration for example.
at_once(
	q{BEGIN; DROP EXTENSION metrics_refresh; CREATE EXTENSION metrics_refresh;
	SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job;
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'anew'); COMMIT},
	'drop and create in one transaction');
wait_for_runs($node, 'postgres', 'anew', 2, 'the jobs of the new one run');
until_ok(
	$node, 'postgres',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'refresh of%slow' AND state <> 'idle'},
	'the run of the old one has ended');
is( $node->safe_psql(
		'postgres', q{SELECT count(*) FROM metrics_refresh.run_log
		WHERE job_name <> 'anew' OR status NOT IN ('success', 'running')}),
	0,
	'and left no trace in the new log');
until_ok(
	$node, 'postgres', "SELECT count(*) = 1 $ours AND backend_type = 'metrics_refresh scheduler'",
	'there is one scheduler');

# With what others built on it.
$node->safe_psql('postgres', 'CREATE VIEW mine AS SELECT job_name FROM metrics_refresh.job_status');
my ($code, $out, $err) = $node->psql('postgres', 'DROP EXTENSION metrics_refresh');
like($err, qr/cannot drop extension metrics_refresh because other objects depend on it/,
	'a DROP EXTENSION that is refused');
wait_for_runs($node, 'postgres', 'anew', 2, 'ends nothing');
at_once('DROP EXTENSION metrics_refresh CASCADE', 'DROP EXTENSION … CASCADE');
until_ok($node, 'postgres', "SELECT count(*) = 0 $ours", 'ends them');

create_extension($node);
schedule_jobs();
$node->safe_psql('postgres', q{SELECT metrics_refresh.pause('steady')});
$node->safe_psql('postgres', 'SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.running');
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()',
	'no worker slot leaks');

$node->stop;
done_testing();
