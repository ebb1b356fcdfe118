# Time at 3600 times its speed, from one Saturday evening to Sunday noon, in between which summer time
# begins in Berlin; with PG_TEST_EXTRA=long the whole week before too. Every due time that next_runs()
# tells is in the log once, or passed while the run of an earlier one was late or under way: at this
# speed a minute is 17 ms, and a quarter of an hour is soon over on a busy machine.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use Test::More;
use Time::Local 'timegm';

use constant RATE => 3600;

my $long = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/;
my $until = timegm(0, 0, 12, 28, 2, 2027);
my $from = $until - ($long ? 7 * 24 : 18) * 3600;

my $clock = FakeClock->new;
$clock->set($from - 60);
my $node = start_node('week', timezone => 'UTC', 'metrics_refresh.worker_idle_timeout' => '1h');
create_extension($node);
my $session = $node->background_psql('postgres', timeout => 600);
# A view's worker stays; a command's is a new process each time.
$session->query_safe(
	q{CREATE MATERIALIZED VIEW v AS SELECT 1 AS id; CREATE UNIQUE INDEX ON v (id);
	SELECT metrics_refresh.schedule('v', '*/15 * * * *', job_name => 'quarter', timezone => 'Europe/Berlin');
	SELECT metrics_refresh.schedule('v', '30 * * * *', job_name => 'hourly', timezone => 'America/New_York');
	SELECT metrics_refresh.schedule_command('six hours', '6 hours', 'SELECT 1');
	SELECT metrics_refresh.schedule_command('morning', '30 2 * * *', 'SELECT 1', 'Europe/Berlin');
	SELECT metrics_refresh.schedule_command('night', '15 22 * * *', 'SELECT 1', 'Europe/Berlin')});

$clock->set($from, RATE);
$clock->wake($session);
select(undef, undef, undef, 0.1) while $clock->now < $until;
$clock->set($until + 1, 1);
$clock->wake($session);
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 5 FROM metrics_refresh.job j WHERE EXISTS (SELECT FROM metrics_refresh.run_log l
	WHERE l.job_id = j.job_id AND l.due_at = (SELECT max(n) FROM metrics_refresh.next_runs(j.schedule, 10000,
	  j.effective_from, j.timezone) n WHERE n <= to_timestamp(} . $until . '))
	  OR l.finished_at > to_timestamp(' . $until . '))', 'the last due times are served');
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh_internal.active_run', 'all runs end');

$session->query_safe(
	qq{CREATE TABLE due AS SELECT j.job_id, j.job_name, n AS due_at FROM metrics_refresh.job j,
	  metrics_refresh.next_runs(j.schedule, 10000, j.effective_from, j.timezone) n WHERE n <= to_timestamp($until);
	CREATE TABLE run AS SELECT * FROM metrics_refresh.run_log WHERE due_at <= to_timestamp($until)});
is( $session->query_safe(
		q{SELECT count(*) FROM run r WHERE NOT EXISTS
		(SELECT FROM due d WHERE d.job_id = r.job_id AND d.due_at = r.due_at)}),
	0,
	'every run is of a due time');
is(twice_served($node, 'postgres'), 0, 'no due time was served twice');
is($session->query_safe(q{SELECT count(*) FROM run WHERE started_at < due_at OR status <> 'success'}),
	0, 'no run was early, and all succeeded');
# Until the scheduler has noticed that a run ended, the job still counts as running. A busy machine may
# need a fifth of a second for it, which is less than the shortest distance of due times.
my $unnoticed = "interval '" . 0.2 * RATE . " seconds'";
my $lost = qq{
	FROM due d WHERE NOT EXISTS (SELECT FROM run r WHERE r.job_id = d.job_id AND
	  (r.due_at = d.due_at OR r.due_at < d.due_at AND r.finished_at + $unnoticed >= d.due_at))};
is($session->query_safe("SELECT string_agg(job_name || ' ' || due_at, ', ') $lost"), '', 'no due time was lost');
is( $session->query_safe(
		qq{SELECT count(*) FROM (SELECT *, lag(due_at, 1, '-infinity') OVER (PARTITION BY job_id ORDER BY due_at) AS before FROM run) r
		WHERE missed > (SELECT count(*) FROM due d WHERE d.job_id = r.job_id
		  AND d.due_at > r.before AND d.due_at <> r.due_at AND d.due_at <= r.finished_at + $unnoticed)}),
	0,
	'none was counted as missed that was not');
is( $session->query_safe(
		q{SELECT string_agg(job_name, ' ') FROM (SELECT job_id, job_name, count(*) AS due FROM due GROUP BY 1, 2) d
		JOIN (SELECT job_id, count(*) AS runs, sum(missed) AS missed FROM run GROUP BY 1) r USING (job_id) WHERE runs + missed > due}),
	'',
	'nor twice');
for my $job ('quarter', 'hourly', 'six hours', 'morning', 'night')
{
	my ($due, $served, $late) = split /\|/, $session->query_safe(
		qq{SELECT (SELECT count(*) FROM due WHERE job_name = '$job'), count(*),
		  round(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - due_at))) FROM run
		WHERE job_name = '$job'});
	note "$job: $due due times, $served runs, by $late s late at the median, that is " . int($late / RATE * 1000) . ' ms';
	next if $job eq 'quarter';
	cmp_ok($served, '>', $due / 2, "$job: most due times were served by runs of their own");
}
my %exact = (
	morning => '2027-03-28 01:00:00',
	night => '2027-03-27 21:15:00');
is( $session->query_safe("SELECT max(due_at) AT TIME ZONE 'UTC' FROM run WHERE job_name = '$_'"),
	$exact{$_}, "$_: at its local time") for sort keys %exact;
$session->quit;
$node->stop;
done_testing();
