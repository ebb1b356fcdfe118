# The clock is set while the server runs, and while it is down, by minutes and by hours, forward and
# back, whoever of ours is there to notice. A step forward makes up for what was missed as the job
# says; a step back stops nobody, and repeats nothing if it is small.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use Test::More;

use constant HOUR => 3600;
# Midnight of a day without surprises, UTC.
use constant DAY => 1_811_808_000;

# Ten times as fast as the real one: nothing here is about how long something takes.
my $clock = FakeClock->new;
$clock->set(DAY + 12.5 * HOUR, 10);
my $node = start_node('steps', timezone => 'UTC', 'metrics_refresh.worker_idle_timeout' => '0');
create_extension($node);
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart;
$session->query_safe(
	q{SELECT metrics_refresh.schedule_command('once', '0 * * * *', 'SELECT 1', 'UTC');
	SELECT metrics_refresh.schedule_command('skip', '0 * * * *', 'SELECT 1', 'UTC', on_missed => 'skip');
	SELECT metrics_refresh.schedule_command('steady', '1 second', 'SELECT 1')});
wait_for_runs($node, 'postgres', 'steady', 1);

# A test: these runs began since the last call, of the two jobs that are due on the hour, and no others.
# The log's order is that of run_id: started_at goes back with the clock.
my $seen = 0;

sub runs_are
{
	my ($expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $runs = qq{(SELECT coalesce(string_agg(job_name || to_char(due_at, ' HH24:MI'), ', ' ORDER BY job_name, run_id), '')
	  FROM metrics_refresh.run_log WHERE run_id > $seen AND job_name IN ('once', 'skip') AND status <> 'running')};
	$node->poll_query_until('postgres', "SELECT $runs = '$expected'");
	is($session->query_safe("SELECT $runs"), $expected, $name);
	$seen = $session->query_safe('SELECT max(run_id) FROM metrics_refresh.run_log');
	return;
}

# Sets the clock and wakes who sleeps; the job of every second has to go on by itself.
sub set_clock
{
	my ($hours, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$clock->set(DAY + $hours * HOUR);
	$clock->wake($session);
	return wait_for_runs($node, 'postgres', 'steady', $name =~ /back/ ? 2 : 1,
		"$name: a job of every second goes on");
}

# A test: shortly before the hour the clock is set, and its jobs start by themselves.
sub meets_the_hour
{
	my ($hour, $name, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$clock->set(DAY + $hour * HOUR - ($seconds // 1));
	$clock->wake($session);
	return runs_are(sprintf('once %02d:00, skip %02d:00', ($hour % 24) x 2), $name);
}

set_clock(12.5 + 1 / 3, '20 minutes forward');
runs_are('', 'where nothing was due meanwhile, nothing runs');
set_clock(13 + 1 / 6, '20 minutes forward');
runs_are('once 13:00', 'what was due meanwhile runs once, or not at all');
meets_the_hour(14, 'and the next hour is served on the hour');
set_clock(13 + 2 / 3, '20 minutes back');
runs_are('', 'nothing is due');
meets_the_hour(14, 'the hour that comes again is served again');
set_clock(18.1, '4 hours forward');
runs_are('once 15:00', 'what was due meanwhile, four times, runs once, or not at all');
set_clock(14.1, '4 hours back');
runs_are('', 'nothing is due');
meets_the_hour(15, 'the next hour is served');
# A time server's correction.
wait_for_runs($node, 'postgres', 'steady', 2);
my $first = $session->query_safe(
	q{SELECT max(run_id) FROM metrics_refresh.run_log WHERE job_name = 'steady'});
$clock->step(-30);
$clock->wake($session);
# The scheduler has seen the step when it has served this.
my $run = $session->query_safe(q{SELECT metrics_refresh.trigger('steady')});
$session->query_safe("SELECT metrics_refresh.wait($run)");
$clock->step(30);
$clock->wake($session);
wait_for_runs($node, 'postgres', 'steady', 2, 'half a minute back, and forward again: jobs go on');
is( $session->query_safe(
		qq{SELECT count(*) FROM (SELECT FROM metrics_refresh.run_log WHERE job_name = 'steady'
		AND run_id >= $first AND triggered_by = 'schedule' GROUP BY due_at HAVING count(*) > 1) d}),
	0,
	'a small step back repeats no due time');

# A run under way lasts as long as it lasts.
$session->query_safe(
	q{SELECT FROM metrics_refresh.schedule_command('long', NULL, 'SELECT pg_sleep(600)')});
$run = $session->query_safe(q{SELECT metrics_refresh.trigger('long')});
wait_for_run($node, 'postgres', 'long');
set_clock(11.1, '4 hours back in the middle of a run');
$session->query_safe("SELECT metrics_refresh.cancel($run)");
until_ok($node, 'postgres',
	"SELECT status = 'canceled' FROM metrics_refresh.run_log WHERE run_id = $run", 'that run ends');
is($session->query_safe("SELECT duration_ms >= 0 FROM metrics_refresh.run_log WHERE run_id = $run"),
	't', 'and did not last less than nothing');
$seen = $session->query_safe('SELECT max(run_id) FROM metrics_refresh.run_log');

# Set while our processes are away for a moment.
$session->query_safe(
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'});
set_clock(7.5, 'back while the launcher waits before it starts a scheduler again');
$node->safe_psql('postgres', 'CREATE DATABASE other');
create_extension($node, 'other');
$node->safe_psql('other', q{SELECT metrics_refresh.schedule_command('beat', '1 second', 'SELECT 1')});
wait_for_runs($node, 'other', 'beat', 1);
$node->safe_psql('postgres', 'ALTER DATABASE other RENAME TO another');
$clock->set(DAY + 3.5 * HOUR);
$clock->wake($session);
wait_for_runs($node, 'another', 'beat', 2, 'back while our processes make room for ALTER DATABASE: they return');
$node->safe_psql('postgres', 'DROP DATABASE another');
$seen = $session->query_safe('SELECT max(run_id) FROM metrics_refresh.run_log');

# While the server is down. The jobs must be older than what they miss, so it is evening now.
set_clock(20.5, '17 hours forward');
runs_are('once 04:00', 'what was due meanwhile runs once, or not at all');
meets_the_hour(21, 'an hour is served');
for my $step ([ 23.9, 'almost 3 hours forward', 'once 22:00' ], [ 21.5, 'more than 2 hours back', '' ])
{
	my ($hours, $name, $runs) = @$step;
	$session->quit;
	$node->stop('immediate');
	$clock->set(DAY + $hours * HOUR);
	$node->start;
	$session = $node->background_psql('postgres');
	$session->set_query_timer_restart;
	wait_for_runs($node, 'postgres', 'steady', 2, "the server was down, $name: jobs go on");
	runs_are($runs, 'what was missed runs once, or not at all');
	$session->query_safe(
		q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'});
	wait_for_runs($node, 'postgres', 'steady', 2, "$name: under another scheduler too");
	runs_are('', 'which makes up for nothing again');
}
meets_the_hour(22, 'the next hour is served');

# While no scheduler is there, which leaves when nothing is due for a while: the launcher alone.
$session->query_safe(q{SELECT metrics_refresh.unschedule('steady')});
$node->append_conf('postgresql.conf', q{metrics_refresh.scheduler_idle_timeout = '1s'});
$clock->wake($session);
for my $step ([ 25.2, '3 hours forward', 26, 'once 23:00' ], [ 21.5, '4 hours back', 22, '' ])
{
	my ($hours, $name, $hour, $runs) = @$step;
	until_ok(
		$node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity
		WHERE backend_type IN ('metrics_refresh scheduler', 'metrics_refresh worker')},
		'the scheduler leaves');
	# At the real speed: the launcher has its half second to have a scheduler there in time.
	$clock->set(DAY + $hours * HOUR, 1);
	$clock->wake($session);
	runs_are($runs, "no scheduler, $name: what was missed runs once, or not at all");
	# A while, too, to notice that the clock was set.
	meets_the_hour($hour, "no scheduler, $name: the next hour is served", 5);
}
is(running_rows($node, 'postgres'), 0, 'no row is left running');
$session->quit;
$node->stop;
done_testing();
