# What ends a run before its time: max_runtime, lock_timeout, cancel(), pg_cancel_backend(); and what
# two of them do to one view.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('limits');
create_extension($node);
create_nap_view($node, 'postgres', 'slow', 600);
create_nap_view($node, 'postgres', 'quick', 0);
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule('slow', job_name => 'slow');
	SELECT metrics_refresh.schedule('quick', job_name => 'quick');
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady')});

sub start_run
{
	my ($job) = @_;
	return $node->safe_psql('postgres', "SELECT metrics_refresh.trigger('$job')");
}

sub ends_as
{
	my ($run, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '60 s')");
	return is(
		$node->safe_psql(
			'postgres', qq{SELECT status, sqlstate, error_message FROM metrics_refresh.run_log
			WHERE run_id = $run}), $expected, $name);
}

# max_runtime
$node->safe_psql('postgres', q{SELECT metrics_refresh.alter_job('slow', max_runtime => '500 ms')});
my $run = start_run('slow');
ends_as($run, 'error|57014|the run was ended because it exceeded its max_runtime',
	'max_runtime ends a run');
is( $node->safe_psql(
		'postgres', qq{SELECT duration_ms BETWEEN 500 AND 5000, error_hint ~ 'alter_job'
		FROM metrics_refresh.run_log WHERE run_id = $run}),
	't|t',
	'soon, and with a hint');
$node->safe_psql('postgres',
	q{SELECT metrics_refresh.schedule_command('loop', NULL, 'SELECT pg_sleep(600)', max_runtime => '300 ms')});
ends_as(start_run('loop'), 'error|57014|the run was ended because it exceeded its max_runtime',
	'of a command too');
$node->safe_psql('postgres',
	q{SELECT metrics_refresh.schedule_command('own', NULL, 'SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_sleep(600)', max_runtime => '300 ms')});
ends_as(start_run('own'), 'error|57014|the run was ended because it exceeded its max_runtime',
	'also where the command sets timeouts of its own');
$node->safe_psql('postgres', q{SELECT metrics_refresh.alter_job('slow', max_runtime => '1 hour')});

# lock_timeout
$node->safe_psql('postgres', q{SELECT metrics_refresh.alter_job('quick', lock_timeout => '200 ms')});
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE quick_nap');
ends_as(start_run('quick'), 'error|55P03|canceling statement due to lock timeout',
	'lock_timeout ends the wait for a base table');
$holder->query_safe('ROLLBACK; BEGIN; REFRESH MATERIALIZED VIEW quick');
ends_as(start_run('quick'), 'error|55P03|canceling statement due to lock timeout',
	'and the wait for the view itself');
$holder->query_safe('COMMIT');
ends_as(start_run('quick'), 'success||', 'afterwards the job succeeds');
is( $node->safe_psql(
		'postgres', q{SELECT consecutive_failures FROM metrics_refresh.job_status WHERE job_name = 'quick'}),
	0, 'and its failures are forgotten');

# Beneath a lock that never goes away the row `running` is there, not only the process.
$holder->query_safe('BEGIN; REFRESH MATERIALIZED VIEW quick');
$node->safe_psql('postgres', q{SELECT metrics_refresh.alter_job('quick', lock_timeout => '1 hour')});
$run = start_run('quick');
until_ok($node, 'postgres', "SELECT status = 'running' FROM metrics_refresh.run_log WHERE run_id = $run",
	'a run that waits for a lock is logged as running');
is($node->safe_psql('postgres', "SELECT metrics_refresh.cancel($run)"), 't', 'cancel() of it');
ends_as($run, 'canceled|57014|canceling statement due to user request', 'ends it as canceled');
$holder->query_safe('ROLLBACK');

# cancel() and pg_cancel_backend()
$run = start_run('slow');
wait_for_run($node, 'postgres', 'slow');
is($node->safe_psql('postgres', "SELECT metrics_refresh.cancel($run)"), 't', 'cancel() of a run');
ends_as($run, 'canceled|57014|canceling statement due to user request', 'is logged as canceled');
is($node->safe_psql('postgres', "SELECT metrics_refresh.cancel($run)"), 'f', 'once');
is( $node->safe_psql(
		'postgres', q{SELECT last_status, consecutive_failures FROM metrics_refresh.job_status WHERE job_name = 'slow'}),
	'canceled|1', 'job_status counts the error before, not the cancel');
$run = start_run('slow');
wait_for_run($node, 'postgres', 'slow');
$node->safe_psql('postgres',
	"SELECT pg_cancel_backend(worker_pid) FROM metrics_refresh.run_log WHERE run_id = $run");
ends_as($run, 'canceled|57014|canceling statement due to user request',
	'pg_cancel_backend() of a run is logged as canceled');
$run = start_run('own');
$node->psql('postgres', "SELECT metrics_refresh.cancel($run)");
like(
	$node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '60 s')"),
	qr/^(canceled|error)$/, 'a cancel at any moment ends a run in order');

# Triggered and canceled at once, at whatever moment the cancel comes, it is canceled.
my $stranded = 0;
for my $delay (0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05)
{
	$run = $node->safe_psql(
		'postgres', qq{
		SELECT metrics_refresh.trigger('slow') AS run \\gset
		SELECT pg_sleep($delay) \\g /dev/null
		SELECT metrics_refresh.cancel(:run) \\g /dev/null
		SELECT :run});
	my $status = $node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '30 s')");
	$stranded++ if $status ne 'canceled';
	note "canceled $delay s after trigger(): $status";
}
is($stranded, 0, 'a cancel right after trigger() ends as canceled');

# A queued run that is being canceled while it could start: it waits for the outcome.
for my $end (qw(COMMIT ROLLBACK))
{
	$node->append_conf('postgresql.conf', 'metrics_refresh.enabled = off');
	$node->reload;
	until_ok($node, 'postgres',
		q{SELECT setting = 'off' FROM pg_settings WHERE name = 'metrics_refresh.enabled'}, 'disabled');
	$run = start_run('quick');
	$holder->query_safe("BEGIN; SELECT metrics_refresh.cancel($run)");
	my $offset = -s $node->logfile;
	$node->append_conf('postgresql.conf', 'metrics_refresh.enabled = on');
	$node->reload;
	wait_for_runs($node, 'postgres', 'steady', 1, 'enabled again, other jobs run on');
	is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '0')"),
		'queued', 'the run waits for the outcome');
	$holder->query_safe($end);
	is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '30 s')"),
		$end eq 'COMMIT' ? 'canceled' : 'success', "$end decides");
	wait_for_runs($node, 'postgres', 'steady', 1);
	unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset),
		qr/metrics_refresh worker (ERROR|FATAL)/, 'and no worker breaks over it');
}

# Two refreshes of one view, by two jobs and by sessions, wait for each other.
$node->safe_psql(
	'postgres', q{
	UPDATE quick_nap SET seconds = 1;
	SELECT metrics_refresh.unschedule('steady');
	SELECT metrics_refresh.schedule('quick', job_name => 'twin')});
my ($one, $two) = (start_run('quick'), start_run('twin'));
is( $node->safe_psql('postgres', q{SELECT r ->> 'success' FROM metrics_refresh.refresh('quick') r}),
	'true', 'a session refreshes the same view');
ends_as($_, 'success||', 'as do two jobs') for $one, $two;
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM metrics_refresh.run_log WHERE run_id >= } . $one . q{
		AND status = 'success' AND view_name = 'quick' AND strategy = 'diff'}),
	3,
	'all of them are logged');

# A job never runs twice at once: a request waits for the run under way.
$node->safe_psql('postgres', 'UPDATE slow_nap SET seconds = 1');
($one, $two) = (start_run('slow'), start_run('slow'));
ends_as($_, 'success||', 'two requests for one job') for $one, $two;
is( $node->safe_psql(
		'postgres', "SELECT a.finished_at <= b.started_at FROM metrics_refresh.run_log a, metrics_refresh.run_log b
		WHERE a.run_id = $one AND b.run_id = $two"),
	't', 'run one after the other');

$holder->quit;
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()',
	'no worker slot leaks');
is(running_rows($node, 'postgres'), 0, 'no row is left running');
$node->stop;
done_testing();
