# Processes that die: killed, the server recovers as it does from any crash; terminated, the others
# take over. No run is lost, none runs twice, none stays `running`, and log and health say what was.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

# Idle workers stay, so that the exit of one cannot wake who waits for something else.
my $node = start_node(
	'kill',
	'metrics_refresh.max_workers' => 6,
	'metrics_refresh.worker_idle_timeout' => '10min');
create_extension($node);
create_nap_view($node, 'postgres', 'slow', 600);
create_nap_view($node, 'postgres', 'quick', 0);
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule('slow', job_name => 'slow');
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady')});
wait_for_runs($node, 'postgres', 'steady', 1);

sub is_interrupted
{
	my ($run, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return until_ok(
		$node, 'postgres', qq{
		SELECT status = 'interrupted' AND finished_at IS NOT NULL FROM metrics_refresh.run_log
		WHERE run_id = $run}, $name);
}

sub start_slow_run
{
	$node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('slow')});
	return wait_for_run($node, 'postgres', 'slow');
}

# kill -9: the postmaster ends everybody and starts anew with fresh shared memory.
for my $kind (qw(worker scheduler launcher))
{
	my $run = start_slow_run();
	my $pid =
	  $kind eq 'worker'
	  ? $node->safe_psql('postgres',
		"SELECT worker_pid FROM metrics_refresh.run_log WHERE run_id = $run")
	  : process_id($node, $kind);
	kill_process($node, $pid);
	wait_for_runs($node, 'postgres', 'steady', 1, "kill -9 of the $kind: the other job runs on");
	is_interrupted($run, "kill -9 of the $kind: the run under way is interrupted");
	is( $node->safe_psql('postgres', q{SELECT count(*) FROM metrics_refresh.running WHERE job_name = 'slow'}),
		0, "kill -9 of the $kind: no slot is left");
}
like(
	hurt($node, 'postgres'),
	qr/^success_rate\|critical\|job slow: 0\.0 % of 3 runs succeeded/m,
	'health says which job did not succeed');

# Terminated, a worker is missed by the scheduler alone.
my $start_time = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $run = start_slow_run();
my $waiting = $node->background_psql('postgres');
$waiting->query_until(qr/waits/, "\\echo waits\nSELECT 'ended as ' || metrics_refresh.wait($run);\n");
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%ended as%' AND wait_event_type = 'Extension'},
	'a session waits for the run');
# The steady job is paused: its runs would wake the waiting session by themselves.
$node->safe_psql('postgres', q{SELECT metrics_refresh.pause('steady')});
until_ok($node, 'postgres', 'SELECT count(*) = 1 FROM metrics_refresh.running', 'nothing else runs');
# Somebody holds the table that tells which runs to close: they are closed once he lets go.
my $locking = $node->background_psql('postgres');
$locking->query_safe('BEGIN; LOCK TABLE metrics_refresh_internal.active_run IN SHARE MODE');
my $offset = -s $node->logfile;
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(worker_pid) FROM metrics_refresh.run_log WHERE run_id = $run");
ok($node->wait_for_log(qr/(interrupted runs cannot be closed now.*?){2}/s, $offset),
	'the scheduler says that it cannot close the run, and tries again');
$locking->query_safe('COMMIT');
$locking->quit;
is_interrupted($run, 'a terminated worker: its run is interrupted');
ok(session_reports($waiting, qr/ended as interrupted/), 'who waits for the run is told');
$waiting->quit;
$node->safe_psql('postgres', q{SELECT metrics_refresh.resume('steady')});
wait_for_runs($node, 'postgres', 'steady', 1, 'a terminated worker: the other job runs on');

# A terminated scheduler leaves its workers at work; the next one adopts their runs.
$node->safe_psql(
	'postgres', q{
	UPDATE slow_nap SET seconds = 2.5;
	SELECT metrics_refresh.alter_job('slow', schedule => '1 second')});
$run = wait_for_run($node, 'postgres', 'slow');
until_ok(
	$node, 'postgres', 'SELECT bool_and(missed > 0) FROM metrics_refresh.worker_slots()
	WHERE run_id = ' . $run, 'due times that pass meanwhile are counted');
my $scheduler = process_id($node, 'scheduler', 'postgres');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
until_ok(
	$node, 'postgres', qq{
	SELECT count(*) = 1 FROM pg_stat_activity
	WHERE backend_type = 'metrics_refresh scheduler' AND pid <> $scheduler},
	'a terminated scheduler: another comes');
until_ok(
	$node, 'postgres',
	"SELECT status = 'success' FROM metrics_refresh.run_log WHERE run_id = $run",
	'a terminated scheduler: the run under way ends well');
wait_for_runs($node, 'postgres', 'slow', 1, 'a terminated scheduler: its job runs on');
my $overlaps = q{
	SELECT count(*) FROM metrics_refresh.run_log a JOIN metrics_refresh.run_log b
	  ON a.job_id = b.job_id AND a.run_id < b.run_id
	 AND a.started_at < coalesce(b.finished_at, 'infinity')
	 AND b.started_at < coalesce(a.finished_at, 'infinity')};
is($node->safe_psql('postgres', $overlaps), 0, 'no job ran twice at once');

# Also where the next scheduler cannot read the jobs at first. No short run is left over for that.
$node->safe_psql('postgres', q{SELECT metrics_refresh.pause('slow')});
$node->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM metrics_refresh.running WHERE job_name = 'slow'})
  or die 'the short run does not end';
$node->safe_psql(
	'postgres', q{
	UPDATE slow_nap SET seconds = 600;
	SELECT metrics_refresh.resume('slow')});
$run = wait_for_run($node, 'postgres', 'slow');
$locking = $node->background_psql('postgres');
$locking->query_safe('BEGIN; LOCK TABLE metrics_refresh_internal.job');
$offset = -s $node->logfile;
$node->safe_psql('postgres',
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'});
ok($node->wait_for_log(qr/the jobs cannot be read now/, $offset),
	'a scheduler that cannot read the jobs says so');
$locking->query_safe('COMMIT');
$locking->quit;
wait_for_runs($node, 'postgres', 'steady', 2, 'and reads them as soon as it can');
is( $node->safe_psql(
		'postgres', q{
		SELECT run_id, status FROM metrics_refresh.run_log
		WHERE job_name = 'slow' AND run_id >= } . $run),
	"$run|running",
	'the run under way is still the only one of its job');
$node->safe_psql(
	'postgres', qq{
	SELECT metrics_refresh.alter_job('slow', schedule => '10 hours');
	SELECT metrics_refresh.cancel($run)});
until_ok(
	$node, 'postgres',
	"SELECT status = 'canceled' FROM metrics_refresh.run_log WHERE run_id = $run",
	'and can be canceled');

# Over and over, with several jobs: whatever moment the scheduler dies at, no due time is served
# twice and no run is lost from the log.
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule_command('beat' || n, '1 second', 'SELECT pg_sleep(' || n || ' * 0.1)')
	FROM generate_series(0, 3) n});
my $first = $node->safe_psql('postgres', 'SELECT max(run_id) FROM metrics_refresh.run_log');
for my $round (1 .. 3)
{
	$node->safe_psql(
		'postgres', qq{
		SELECT pg_sleep(0.25 * $round);
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE backend_type = 'metrics_refresh scheduler'});
	# It comes back sooner or later, and each job has run again before the next blow.
	my $seen = $node->safe_psql('postgres', 'SELECT max(run_id) FROM metrics_refresh.run_log');
	$node->poll_query_until(
		'postgres', qq{
		SELECT count(DISTINCT job_name) = 4 FROM metrics_refresh.run_log
		WHERE run_id > $seen AND job_name LIKE 'beat%' AND status = 'success'})
	  or die 'the jobs do not come back';
}
is( $node->safe_psql(
		'postgres', qq{
		SELECT count(*) FROM (SELECT FROM metrics_refresh.run_log WHERE run_id > $first
		GROUP BY job_id, due_at HAVING count(*) > 1) d}),
	0,
	'no due time was served twice');
is( $node->safe_psql(
		'postgres', qq{
		SELECT count(*) FROM metrics_refresh.run_log
		WHERE run_id > $first AND status NOT IN ('success', 'running')}),
	0,
	'no run suffered from the death of the scheduler');
is($node->safe_psql('postgres', $overlaps), 0, 'no job ran twice at once');
$node->safe_psql('postgres',
	q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE job_name LIKE 'beat%'});

# The same with workers: each is gone at some moment of its run, and no job stops.
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule_command('prey' || n, '1 second', 'SELECT pg_sleep(0.2)')
	FROM generate_series(0, 2) n});
for my $round (1 .. 3)
{
	my $seen = $node->safe_psql('postgres', 'SELECT max(run_id) FROM metrics_refresh.run_log');
	$node->safe_psql(
		'postgres', qq{
		SELECT pg_sleep(0.3 * $round);
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE backend_type = 'metrics_refresh worker'});
	$node->poll_query_until(
		'postgres', qq{
		SELECT count(DISTINCT job_name) = 4 FROM metrics_refresh.run_log
		WHERE run_id > $seen AND job_name ~ 'prey|steady' AND status = 'success'})
	  or die 'the jobs do not come back';
}
pass('jobs whose workers are terminated go on');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM metrics_refresh.run_log l JOIN metrics_refresh.job j USING (job_id)
		WHERE l.status = 'running' AND l.started_at < now() - interval '10 seconds'}),
	0,
	'no row is left running');

# The launcher.
my $launcher = process_id($node, 'launcher');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
until_ok(
	$node, 'postgres', qq{
	SELECT count(*) = 1 FROM pg_stat_activity
	WHERE backend_type = 'metrics_refresh launcher' AND pid <> $launcher},
	'a terminated launcher: another comes');
wait_for_runs($node, 'postgres', 'steady', 2, 'a terminated launcher: jobs run on');
$node->safe_psql('postgres', 'CREATE DATABASE late');
create_extension($node, 'late');
$node->safe_psql('late', q{SELECT metrics_refresh.schedule_command('c', '1 second', 'SELECT 1')});
wait_for_runs($node, 'late', 'c', 1, 'the new launcher serves a new database');

# A cancelled process of ours does not stay away either.
for my $kind (qw(scheduler launcher))
{
	$node->safe_psql('postgres',
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh $kind'");
	wait_for_runs($node, 'postgres', 'steady', 1, "a canceled $kind: jobs run on");
	is(process_id($node, $kind) > 0, 1, "there is a $kind");
}

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'),
	$start_time, 'nothing of this restarted the server');
$node->safe_psql('postgres',
	'SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job');
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()',
	'no worker slot leaks');
is(running_rows($node, 'postgres'), 0, 'no row is left running');
unlike(
	hurt($node, 'postgres'),
	qr/^(launcher|scheduler)\|/m,
	'health has nothing to say of launcher and scheduler');

$node->stop;

# At wal_level minimal the server does not log what a sequence gave away in the transaction that made
# it, as CREATE EXTENSION does for its default jobs, until something logs the sequence anew.
my $minimal = start_node('minimal', wal_level => 'minimal', max_wal_senders => 0);
$minimal->safe_psql('postgres',
	q{CREATE EXTENSION metrics_refresh; SELECT metrics_refresh.schedule_command('before', NULL, 'SELECT 1')});
kill_process($minimal, process_id($minimal, 'launcher'));
wait_for_server($minimal);
my ($code, $out, $err) = $minimal->psql('postgres',
	q{SELECT metrics_refresh.schedule_command('after', NULL, 'SELECT 1')});
is($err, '', 'wal_level minimal: after a crash no number of a job is given twice');
$minimal->stop;
done_testing();
