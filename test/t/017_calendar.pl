# Local time on a steered clock: daylight saving begins and ends in three zones, months and years
# end, a leap day comes. The clock is set to just before every due time of the window, and the job has
# to start by itself; the log must hold the due times that are listed here, and no other.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use Test::More;
use Time::Local 'timegm';

# In the order of time, for the clock is only set forward. Windows and due times in UTC. A job made at
# the start of its window has nothing to make up for.
my @windows = (
	[
		'a February without a leap day', '2027-02-28 20:00', '2027-03-01 02:00',
		[ 'leap day', '0 12 29 2 *', 'UTC' ],
		[ 'last days', '0 0 28-31 * *', 'UTC' ],
		[ 'first day', '@monthly', 'UTC', '2027-03-01 00:00' ],
	],
	[
		'New York, spring', '2027-03-14 06:00', '2027-03-14 09:00',
		[ 'in the gap', '30 2 * * *', 'America/New_York', '2027-03-14 07:00' ],
		[ 'around the gap', '0 1-4 * * *', 'America/New_York', '2027-03-14 07:00', '2027-03-14 08:00' ],
		[ 'hourly', '30 * * * *', 'America/New_York', map { "2027-03-14 0$_:30" } 6 .. 8 ],
	],
	[
		'Berlin, spring', '2027-03-28 00:00', '2027-03-28 03:00',
		[ 'in the gap', '30 2 * * *', 'Europe/Berlin', '2027-03-28 01:00' ],
		[ 'around the gap', '0 1-4 * * *', 'Europe/Berlin', '2027-03-28 01:00', '2027-03-28 02:00' ],
		[ 'hourly', '30 * * * *', 'Europe/Berlin', map { "2027-03-28 0$_:30" } 0 .. 2 ],
	],
	[
		'Lord Howe, autumn, by half an hour', '2027-04-03 14:00', '2027-04-03 17:00',
		[ 'twice', '45 1 * * *', 'Australia/Lord_Howe', '2027-04-03 14:45' ],
		[ 'hourly', '45 * * * *', 'Australia/Lord_Howe', map { "2027-04-03 $_" } qw(14:45 15:15 16:15) ],
	],
	[
		'a month of thirty days', '2027-04-30 20:00', '2027-05-01 02:00',
		[ 'the 31st', '0 0 31 * *', 'UTC' ],
		[ 'first day', '0 1 1 * *', 'UTC', '2027-05-01 01:00' ],
	],
	[
		'Lord Howe, spring, by half an hour', '2027-10-02 14:30', '2027-10-02 17:00',
		[ 'in the gap', '15 2 * * *', 'Australia/Lord_Howe', '2027-10-02 15:30' ],
		[ 'after the gap', '30 2 * * *', 'Australia/Lord_Howe', '2027-10-02 15:30' ],
		[ 'hourly', '15 * * * *', 'Australia/Lord_Howe', '2027-10-02 14:45', '2027-10-02 16:15' ],
	],
	[
		'Berlin, autumn', '2027-10-30 23:00', '2027-10-31 03:00',
		[ 'twice', '30 2 * * *', 'Europe/Berlin', '2027-10-31 00:30' ],
		[
			'hourly', '30 * * * *', 'Europe/Berlin', '2027-10-30 23:30', map { "2027-10-31 0$_:30" } 0 .. 2
		],
	],
	[
		'New York, autumn', '2027-11-07 04:30', '2027-11-07 07:30',
		[ 'twice', '30 1 * * *', 'America/New_York', '2027-11-07 05:30' ],
		[ 'hourly', '30 * * * *', 'America/New_York', map { "2027-11-07 0$_:30" } 5 .. 7 ],
	],
	[
		'the end of a year', '2027-12-31 14:00', '2028-01-01 02:00',
		[ 'last minute', '59 23 31 12 *', 'UTC', '2027-12-31 23:59' ],
		[ 'yearly', '@yearly', 'UTC', '2028-01-01 00:00' ],
		[ 'yearly in Tokyo', '@yearly', 'Asia/Tokyo', '2027-12-31 15:00' ],
		[ 'on Saturdays', '0 0 * * sat', 'UTC', '2028-01-01 00:00' ],
		[ 'every eight hours', '8 hours', 'UTC', '2027-12-31 16:00', '2028-01-01 00:00' ],
	],
	[
		'a leap day', '2028-02-28 20:00', '2028-03-01 02:00',
		[ 'leap day', '0 12 29 2 *', 'UTC', '2028-02-29 12:00' ],
		[ 'last days', '0 0 28-31 * *', 'UTC', '2028-02-29 00:00' ],
		[ 'late', '59 23 * * *', 'UTC', '2028-02-28 23:59', '2028-02-29 23:59' ],
		[ 'first day', '@monthly', 'UTC', '2028-03-01 00:00' ],
	]);

my $clock = FakeClock->new;
my $node = start_node('calendar', timezone => 'UTC');
create_extension($node);
$node->safe_psql(
	'postgres', q{
	-- Whether all jobs that are due then have succeeded, within a while.
	CREATE FUNCTION served(due timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
	  FOR i IN 1 .. 5000 LOOP
	    IF NOT EXISTS (
	      SELECT FROM metrics_refresh.job j, metrics_refresh.next_runs(j.schedule, 1, due - interval '1 us', j.timezone) n
	      WHERE n = due AND NOT EXISTS (SELECT FROM metrics_refresh.run_log l
	        WHERE l.job_id = j.job_id AND l.due_at = due AND l.status = 'success'))
	    THEN
	      RETURN true;
	    END IF;
	    PERFORM pg_sleep(0.002);
	  END LOOP;
	  RETURN false;
	END $$});
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart;

sub epoch
{
	my ($year, $month, @rest) = $_[0] =~ /\d+/g;
	my ($day, $hour, $minute) = @rest;
	return timegm(0, $minute, $hour, $day, $month - 1, $year);
}


for my $window (@windows)
{
	my ($name, $from, $until, @jobs) = @$window;
	$clock->set(epoch($from));
	$clock->wake($session);
	$session->query_safe(
		"SELECT FROM metrics_refresh.schedule_command('$_->[0]', '$_->[1]', 'SELECT 1', '$_->[2]')")
	  for @jobs;

	my @expected;
	my %moments;
	for my $job (@jobs)
	{
		my ($job_name, undef, undef, @due) = @$job;
		push @expected, map { "$_ $job_name" } @due;
		$moments{$_} = 1 for @due;
	}
	my $planned = $session->query_safe(
		qq{SELECT to_char(n, 'YYYY-MM-DD HH24:MI') || ' ' || job_name FROM metrics_refresh.job j,
		metrics_refresh.next_runs(j.schedule, 100, '$from', j.timezone) n WHERE n <= '$until'});
	is(join("\n", sort split /\n/, $planned), join("\n", sort @expected), "$name: next_runs()");

	my @late = ();
	for my $due (sort keys %moments)
	{
		$clock->set(epoch($due) - 0.03);
		$clock->wake($session);
		push @late, $due if $session->query_safe("SELECT served('$due')") ne 't';
	}
	is("@late", '', "$name: every job started when it was due");
	# To the end of the window and past it: whatever is due at a wrong time has run by then.
	$clock->set(epoch($until));
	$session->query_safe(
		q{SELECT FROM metrics_refresh.schedule_command('mark', '1 second', 'SELECT 1')});
	$clock->set(epoch($until) + 0.97);
	$clock->wake($session);
	until_ok($node, 'postgres',
		q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'mark' AND status = 'success'},
		"$name: time passes");
	my $log = $session->query_safe(
		qq{SELECT to_char(due_at, 'YYYY-MM-DD HH24:MI') || ' ' || job_name FROM metrics_refresh.run_log
		WHERE job_name <> 'mark'});
	is(join("\n", sort split /\n/, $log), join("\n", sort @expected), "$name: the log");
	is( $session->query_safe(
			q{SELECT count(*) FROM metrics_refresh.run_log WHERE missed > 0 OR started_at < due_at}),
		0,
		"$name: nothing was missed, nothing early");
	$session->query_safe('SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job');
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM metrics_refresh_internal.active_run')
	  or die 'runs do not end';
	$session->query_safe('DELETE FROM metrics_refresh_internal.run_log');
}

$session->quit;
$node->stop;
done_testing();
