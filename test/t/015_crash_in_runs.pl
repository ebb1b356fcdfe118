# The server ends in the middle of many runs: stopped fast, stopped at once, or because some backend
# that is not ours crashed. Each time hours pass. Afterwards nothing is left `running`, every run
# has an end, what was missed is made up for as the jobs say, and no due time is served twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant HOUR => 3600;
# Noon of a day without surprises, UTC.
use constant NOON => 1_811_851_200;

my $clock = FakeClock->new;
my $time = NOON - 3.5 * HOUR;
$clock->set($time);
my $node = start_node('crash', timezone => 'UTC', 'metrics_refresh.max_workers' => 10);
create_extension($node);
create_nap_view($node, 'postgres', "slow$_", 864000) for 1 .. 2;
$node->safe_psql(
	'postgres', q{
	CREATE TABLE payment (n int);
	INSERT INTO payment VALUES (0);
	CREATE MATERIALIZED VIEW tally AS SELECT count(*) AS n FROM payment;
	CREATE UNIQUE INDEX ON tally (n);
	SELECT metrics_refresh.schedule('slow' || n, job_name => 'slow' || n) FROM generate_series(1, 2) n;
	SELECT metrics_refresh.schedule_command('long' || n, NULL,
	  'INSERT INTO payment VALUES (1); SELECT pg_sleep(864000)') FROM generate_series(1, 2) n;
	SELECT metrics_refresh.schedule_command('beat' || n, '1 second', 'SELECT pg_sleep(0.2 * ' || n || ')')
	FROM generate_series(0, 3) n;
	SELECT metrics_refresh.schedule('tally', '1 second', job_name => 'tally');
	SELECT metrics_refresh.schedule_command('once', '0 * * * *', 'SELECT 1', 'UTC');
	SELECT metrics_refresh.schedule_command('skip', '0 * * * *', 'SELECT 1', 'UTC', on_missed => 'skip')});
my @beats = qw(beat0 beat1 beat2 beat3 tally);

# Each of them has had another successful run.
sub all_beat
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_for_server($node);
	my $last = $node->safe_psql('postgres', 'SELECT max(run_id) FROM metrics_refresh.run_log');
	$last = 0 if $last eq '';
	return until_ok(
		$node, 'postgres', qq{
		SELECT count(DISTINCT job_name) = 5 FROM metrics_refresh.run_log
		WHERE run_id > $last AND status = 'success' AND job_name ~ '^(beat.|tally)\$'}, $name);
}

sub stop_and_start
{
	my ($mode) = @_;
	$node->stop($mode);
	$clock->set($time);
	$node->start;
	return;
}

# An ordinary client's backend is killed. The clock goes first (the runs sleep longer than that), for the server comes back by itself;
# who of ours sees it in time does the same work.
sub crash
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$clock->set($time);
	kill_process($node, $pid);
	eval { $session->quit };
	return;
}

# The hours that were served, of the two jobs that are due on the hour.
my $hours = q{
	SELECT string_agg(format(' %s %s', job_name, to_char(due_at, 'FMHH24')), '' ORDER BY due_at, job_name)
	FROM metrics_refresh.run_log WHERE job_name IN ('once', 'skip') AND status = 'success'};
my $hour = 8;
my $expected = '';
for my $how (
	[ 'fast stop', sub { stop_and_start('fast') } ],
	[ 'immediate stop', sub { stop_and_start('immediate') } ],
	[ 'crash of a client\'s backend', \&crash ])
{
	my ($name, $end) = @$how;
	all_beat("$name: jobs run before");
	my @long = split /\n/, $node->safe_psql('postgres',
		q{SELECT metrics_refresh.trigger(j) FROM unnest('{slow1,slow2,long1,long2}'::text[]) j});
	wait_for_run($node, 'postgres', $_) for qw(slow1 slow2 long1 long2);
	$time += 3 * HOUR;
	$end->();
	all_beat("$name: jobs run again");
	my $runs = join ',', @long;
	until_ok(
		$node, 'postgres', qq{
		SELECT count(*) = 4 FROM metrics_refresh.run_log WHERE run_id IN ($runs) AND status = 'interrupted'
		AND finished_at > started_at AND duration_ms > 0 AND error_message <> ''},
		"$name: the runs under way are interrupted, and have an end");
	is($node->safe_psql('postgres', 'SELECT sum(n) FROM payment'), 0, "$name: and did nothing");
	$expected .= ' once ' . ($hour += 1);
	until_ok($node, 'postgres', "SELECT ($hours) = '$expected'",
		"$name: three hours that were missed run once, or not at all");
	# The next hour, and a scheduler that knows only what is in the tables.
	$node->safe_psql('postgres',
		q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'});
	all_beat("$name: jobs run under another scheduler");
	$time += 0.5 * HOUR;
	$clock->set($time - 0.2);
	$node->reload;
	$hour += 3;
	$expected .= " once $hour skip $hour";
	until_ok($node, 'postgres', "SELECT ($hours) = '$expected'", "$name: the next hour is served, and nothing else was");
	$time += 0.5 * HOUR;
	$clock->set($time);
	$node->reload;
	is(unended($node, 'postgres'), 0, "$name: every run has an end");
	is(twice_served($node, 'postgres'), 0, "$name: no due time was served twice");
	is( $node->safe_psql(
			'postgres', q{
			SELECT count(*) FROM metrics_refresh.run_log l LEFT JOIN metrics_refresh.worker_slots() s USING (run_id)
			WHERE l.status = 'running' AND s.run_id IS NULL AND l.job_name !~ '^(beat.|tally)$'}),
		0,
		"$name: no row is left running");
}

$node->safe_psql('postgres',
	'INSERT INTO payment VALUES (0); SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job');
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()', 'all runs end');
is(running_rows($node, 'postgres'), 0, 'no row is left running');
my $run = $node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('tally')});
is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '30 s')"), 'success', 'a last refresh');
is($node->safe_psql('postgres', 'SELECT n FROM tally'), 2, 'the view is as it should be');

# Scheduler and worker die together, when the run is assigned and has not begun: it stands before the
# log, whose lock somebody holds. Whatever becomes of it, its due time is served once.
$node->safe_psql('postgres', q{SELECT metrics_refresh.resume('once')});
my $locking = $node->background_psql('postgres');
$locking->query_safe('BEGIN; LOCK TABLE metrics_refresh_internal.run_log IN SHARE MODE');
$time += 0.5 * HOUR;
$clock->set($time - 0.2);
$node->reload;
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 1 FROM pg_locks p JOIN pg_stat_activity a USING (pid)
	WHERE NOT p.granted AND a.backend_type = 'metrics_refresh worker'}, 'a run is about to begin');
$node->safe_psql('postgres',
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE backend_type IN ('metrics_refresh scheduler', 'metrics_refresh worker') ORDER BY backend_type});
$locking->query_safe('COMMIT');
$locking->quit;
$run = $node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('tally')});
is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '30 s')"), 'success', 'another scheduler comes');
until_ok($node, 'postgres',
	"SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'once' AND due_at = to_timestamp($time)",
	'the run is in the log');
is(twice_served($node, 'postgres'), 0, 'no due time was served twice');
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()', 'all runs end');
is(running_rows($node, 'postgres'), 0, 'no row is left running');
$node->stop;
done_testing();
