# Failures in the moment when a run gets its worker: the process cannot be started, the scheduler dies
# before it learns that, a session cancels the run, or the worker dies before it can report its begin.
# No run is lost or logged twice, no cancel is lost, and no slot stays in use.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

# An hour before a full one, UTC.
use constant NOON => 1_811_851_200;

my $clock = FakeClock->new;
$clock->set(NOON + 1800);
my $module = build_module('registry');
my $node = start_node(
	'slot_faults',
	max_worker_processes => 8,
	max_parallel_workers => 0,
	max_logical_replication_workers => 0,
	'metrics_refresh.max_workers' => 4,
	'metrics_refresh.worker_idle_timeout' => '0');
create_extension($node);
$node->safe_psql(
	'postgres', qq{
	CREATE FUNCTION hold_registry(text) RETURNS void LANGUAGE c STRICT AS '$module', 'hold_registry';
	SELECT metrics_refresh.schedule_command('hourly', '0 * * * *', 'SELECT 1', 'UTC');
	SELECT metrics_refresh.schedule_command('asked' || n, NULL, 'SELECT 1') FROM generate_series(1, 3) n;
	SELECT metrics_refresh.schedule_command('nap' || n, NULL, 'SELECT pg_sleep(600)') FROM generate_series(1, 4) n});
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart;

# Asks in the session that is there: a stopped postmaster starts no other one.
sub soon_true
{
	my ($query, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return pass($name) if $session->query_safe($query) eq 't';
		select(undef, undef, undef, 0.1);
	}
	fail($name);
	die "what follows would wait as long\n";
}

sub trigger
{
	my ($job) = @_;
	return $session->query_safe("SELECT metrics_refresh.trigger('$job')");
}

sub ends_as
{
	my ($run, $status, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($session->query_safe("SELECT metrics_refresh.wait($run, '20 s')"), $status, $name);
}

sub assigned
{
	my ($count) = @_;
	return "(SELECT count(*) = $count FROM metrics_refresh.worker_slots() WHERE state = 'starting')";
}

sub postmaster
{
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	return $pid;
}

sub limit_processes
{
	my ($soft) = @_;
	system_or_bail('prlimit', '--pid=' . postmaster(), "--nproc=$soft:");
	return;
}
# A test that dies must not leave a stopped server.
END { kill 'CONT', postmaster() if defined $node && -e $node->data_dir . '/postmaster.pid' }
my ($unlimited) = slurp_file('/proc/self/limits') =~ /^Max processes\s+\S+\s+(\S+)/m;

# Two runs and a worker for a third one have slots, but the postmaster cannot fork their processes.
# The scheduler dies before it hears of that. One of the runs was canceled before.
my $scheduler = process_id($node, 'scheduler', 'postgres');
kill 'STOP', postmaster();
$clock->set(NOON + 3599.8, 0);
my %run = map { $_ => trigger($_) } qw(asked1 asked2);
soon_true('SELECT ' . assigned(2), 'two runs wait for processes');
is($session->query_safe("SELECT metrics_refresh.cancel($run{asked2})"), 't', 'one of them is canceled');
# One more pass of the scheduler, which starts a worker for the run that is due soon.
stop_asleep($session, $scheduler);
my $offset = -s $node->logfile;
limit_processes(1);
kill 'CONT', postmaster();
ok($node->wait_for_log(qr/(?:could not fork (?:background )?worker process.*?){3}/s, $offset),
	'three processes cannot be forked');
kill 'TERM', $scheduler;
limit_processes($unlimited);
kill 'CONT', $scheduler;
$clock->set(NOON + 3599.8, 1);
ends_as($run{asked1}, 'success', 'the next scheduler starts the run');
ends_as($run{asked2}, 'canceled', 'and not the one that was canceled');
is( $session->query_safe("SELECT error_message, initiated_by FROM metrics_refresh.run_log WHERE run_id = $run{asked2}"),
	'canceled before it began|postgres',
	'the log says so');
soon_true(q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'hourly' AND status = 'success'},
	'the run that was due has run');
$run{"nap$_"} = trigger("nap$_") for 1 .. 4;
soon_true(q{SELECT count(*) = 4 FROM metrics_refresh.worker_slots() WHERE state = 'running'}, 'each slot is usable again');
$session->query_safe("SELECT metrics_refresh.cancel($run{qq(nap$_)})") for 1 .. 4;
ends_as($run{"nap$_"}, 'canceled', "nap$_ ends") for 1 .. 4;

# The same without the death: the scheduler learns that the process of a canceled run cannot be forked.
kill 'STOP', postmaster();
$run{asked3} = trigger('asked3');
soon_true('SELECT ' . assigned(1), 'a run waits for its process');
is($session->query_safe("SELECT metrics_refresh.cancel($run{asked3})"), 't', 'it is canceled');
$offset = -s $node->logfile;
limit_processes(1);
kill 'CONT', postmaster();
ok($node->wait_for_log(qr/could not fork (?:background )?worker process/, $offset), 'the process cannot be forked');
limit_processes($unlimited);
ends_as($run{asked3}, 'canceled', 'the run is logged as canceled');

# A worker dies in the begin of a run, and the scheduler cannot look whether the begin was committed. It
# was: the test commits it in the place of the worker, which it ends earlier. So the due time has a row.
my @tables = map { "metrics_refresh_internal.$_" } qw(run_log active_run);
$session->query_safe("BEGIN; LOCK TABLE $tables[0], $tables[1] IN SHARE ROW EXCLUSIVE MODE");
$offset = -s $node->logfile;
$clock->set(NOON + 7200 - 0.5);
$node->reload;
my $blocked = "FROM pg_locks WHERE NOT granted AND relation IN ('$tables[0]'::regclass, '$tables[1]'::regclass)";
soon_true("SELECT count(*) > 0 $blocked", 'a worker begins a run');
$session->query_safe("SELECT pg_terminate_backend(pid) $blocked");
ok($node->wait_for_log(qr/a run that did not begin cannot be logged.*interrupted runs cannot be closed/s, $offset),
	'the scheduler cannot read the log');
my $due = 'to_timestamp(' . (NOON + 7200) . ')';
$session->query_safe(
	qq{WITH head AS (
	  INSERT INTO metrics_refresh_internal.run_log (job_id, job_name, command, owner, owner_oid, triggered_by, due_at,
	    started_at, status)
	  SELECT job_id, job_name, command, owner, owner::regrole, 'schedule', $due, clock_timestamp(), 'running'
	  FROM metrics_refresh.job WHERE job_name = 'hourly' RETURNING run_id, job_id),
	state AS (
	  UPDATE metrics_refresh_internal.job_state s
	  SET handled_until = $due, last_run_id = h.run_id, last_started_at = clock_timestamp(), last_status = 'running'
	  FROM head h WHERE s.job_id = h.job_id)
	INSERT INTO metrics_refresh_internal.active_run SELECT run_id, job_id FROM head;
	COMMIT});
# A job has one run at a time, so this one begins after the other.
ends_as(trigger('hourly'), 'success', 'the job runs again');
soon_true("SELECT string_agg(status, ',') = 'interrupted' FROM metrics_refresh.run_log WHERE due_at = $due",
	'the due time has one row');
is(twice_served($node, 'postgres'), 0, 'no due time was served twice');

# There is no room for the process of a run, and the run is canceled before the scheduler knows that.
$session->quit;
$node->stop;
$node->append_conf('postgresql.conf', 'max_worker_processes = 2');
$node->start;
process_id($node, 'scheduler', 'postgres');
$session = $node->background_psql('postgres');
$session->set_query_timer_restart;
my $file = PostgreSQL::Test::Utils::tempdir() . '/released';
my $holder = $node->background_psql('postgres');
$holder->query_until(qr/holds/, "\\echo holds\nSELECT hold_registry('$file');\n");
# pg_stat_activity would need the lock, too.
soon_true(
	q{SELECT count(*) = 1 FROM pg_stat_get_backend_idset() AS b
	WHERE pg_stat_get_backend_activity(b) LIKE 'SELECT hold%' AND pg_stat_get_backend_wait_event(b) = 'Extension'},
	'no process can be registered');
my $run = trigger('asked1');
soon_true('SELECT ' . assigned(1), 'a run has a slot and no process');
is($session->query_safe("SELECT metrics_refresh.cancel($run)"), 't', 'it is canceled');
append_to_file($file, 'now');
ends_as($run, 'canceled', 'the cancel is not lost');
$holder->quit;

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'nothing broke');
$session->quit;
$node->stop;
done_testing();
