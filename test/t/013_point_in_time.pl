# Archive recovery to a point in the past, then promotion: the restored server takes up the jobs as
# they were at that point. What was under way then is interrupted, what has been missed since is made
# up for as the jobs say, and what has been served already is not served again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Cluster;
use Test::More;

use constant HOUR => 3600;
# Noon of a day without surprises, UTC.
use constant NOON => 1_811_851_200;

my $clock = FakeClock->new;
$clock->set(NOON - 0.5 * HOUR);
my $primary = start_node('primary', timezone => 'UTC', max_wal_senders => 4);
$primary->enable_archiving;
$primary->restart;
create_extension($primary);
create_nap_view($primary, 'postgres', 'slow', 600);
create_nap_view($primary, 'postgres', 'quick', 0);
my $session = $primary->background_psql('postgres');
$session->set_query_timer_restart;
$session->query_safe(
	q{SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady');
	SELECT metrics_refresh.schedule('slow', job_name => 'slow');
	SELECT metrics_refresh.schedule_command('once', '0 * * * *', 'SELECT 1', 'UTC');
	SELECT metrics_refresh.schedule_command('skip', '0 * * * *', 'SELECT 1', 'UTC', on_missed => 'skip');
	SELECT metrics_refresh.schedule_command('dropped', '1 second', 'SELECT 1')});
$primary->backup('base');

# Twelve o'clock is served, and a run is under way.
$clock->set(NOON - 0.2);
$clock->wake($session);
until_ok(
	$primary, 'postgres', q{
	SELECT count(*) = 2 FROM metrics_refresh.run_log WHERE job_name IN ('once', 'skip') AND status = 'success'},
	'the hour is served');
my $run = $session->query_safe(q{SELECT metrics_refresh.trigger('slow')});
wait_for_run($primary, 'postgres', 'slow');
$primary->safe_psql('postgres', 'UPDATE slow_nap SET seconds = 0');
my $queued = $session->query_safe(q{SELECT metrics_refresh.trigger('slow')});
wait_for_runs($primary, 'postgres', 'steady', 1);
$session->query_safe(q{SELECT pg_create_restore_point('here')});
my $target_time = $session->query_safe('SELECT clock_timestamp()');

# What comes later is undone by the restore: the run ends, a job is removed, the next hour is served.
$session->query_safe("SELECT metrics_refresh.cancel($run)");
$session->query_safe(q{SELECT metrics_refresh.unschedule('dropped')});
$clock->set(NOON + HOUR - 0.2);
$clock->wake($session);
until_ok(
	$primary, 'postgres', q{
	SELECT count(*) = 4 FROM metrics_refresh.run_log WHERE job_name IN ('once', 'skip') AND status = 'success'},
	'the next hour is served');
$session->query_safe('SELECT pg_switch_wal()');
$session->quit;
$primary->stop;

# Three hours after the point; 13:00, 14:00 and 15:00 have passed.
$clock->set(NOON + 3.5 * HOUR);

my $ours = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'metrics_refresh%'";

sub is_restored
{
	my ($node, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_for_runs($node, 'postgres', 'steady', 2, "$name: jobs run");
	wait_for_runs($node, 'postgres', 'dropped', 2, "$name: one that was removed later too");
	until_ok(
		$node, 'postgres', qq{SELECT status = 'interrupted' AND finished_at > started_at
		FROM metrics_refresh.run_log WHERE run_id = $run}, "$name: what was under way is interrupted");
	until_ok($node, 'postgres', "SELECT status = 'success' FROM metrics_refresh.run_log WHERE run_id = $queued",
		"$name: a request that waited is served");
	my $hours = q{
		SELECT string_agg(job_name || to_char(due_at, ' HH24:MI'), ', ' ORDER BY job_name, due_at)
		FROM metrics_refresh.run_log WHERE job_name IN ('once', 'skip')};
	my $due = 'once 12:00, once 13:00, skip 12:00';
	until_ok($node, 'postgres', "SELECT ($hours) = '$due'", "$name: the hours that passed ran once, or not at all");
	# Another scheduler has nothing to add.
	$node->safe_psql('postgres',
		q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'});
	wait_for_runs($node, 'postgres', 'steady', 2, "$name: jobs run under another scheduler");
	is($node->safe_psql('postgres', $hours), $due, "$name: which makes up for nothing again");
	is(twice_served($node, 'postgres'), 0, "$name: no due time was served twice");
	is(unended($node, 'postgres'), 0, "$name: every run has an end");
	$node->safe_psql('postgres', 'SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job');
	until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()', "$name: all runs end");
	is(running_rows($node, 'postgres'), 0, "$name: no row is left running");
	return;
}

# To a named point, and on at once.
my $named = PostgreSQL::Test::Cluster->new('named');
$named->init_from_backup($primary, 'base', has_restoring => 1, standby => 0);
$named->append_conf('postgresql.conf',
	"archive_mode = off\nrecovery_target_name = 'here'\nrecovery_target_action = promote");
$named->start;
$named->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
is_restored($named, 'restore point');
$named->stop;

# To a point of time, where somebody looks around before he lets the server go on.
my $timed = PostgreSQL::Test::Cluster->new('timed');
$timed->init_from_backup($primary, 'base', has_restoring => 1, standby => 0);
$timed->append_conf('postgresql.conf',
	"archive_mode = off\nrecovery_target_time = '$target_time'\nrecovery_target_action = pause");
$timed->start;
$timed->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'})
  or die 'recovery does not pause';
is($timed->safe_psql('postgres', $ours), 0, 'point of time: before it is promoted nothing of ours is there');
is($timed->safe_psql('postgres', "SELECT status FROM metrics_refresh.run_log WHERE run_id = $run"),
	'running', 'point of time: and the log is as it was');
$timed->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$timed->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
is_restored($timed, 'point of time');
$timed->stop;
done_testing();
