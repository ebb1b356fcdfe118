# The history over days: periods are opened, closed and emptied by the clock, and by purge_jobs(). What is known of a job
# is forgotten with its period. The starts that a rate limit counts are known from the history after a restart.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant DAY => 86400;
my $clock = FakeClock->new;
$clock->set(1_796_083_200, 1);    # 2026-12-01 00:00:00 UTC
# Periods of a day. Autovacuum would lock one of them just then.
my $node = start_node(
	'history',
	autovacuum => 'off',
	'metrics_refresh.queue_history' => '8d',
	'metrics_refresh.worker_idle_timeout' => '10min');
create_extension($node);

my $session = $node->background_psql('postgres', on_error_stop => 1);
sub sql { return $session->query_safe($_[0]) }

sql(q{
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql AS '';
	SELECT metrics_refresh.register_job_type('work', 'work(jsonb)');
	SELECT metrics_refresh.register_job_type('dropped', 'work(jsonb)');
	SELECT metrics_refresh.register_job_type('rated', 'work(jsonb)', rate_limit => 2, rate_period => '1 hour')});

# e: empty, n: the one that takes jobs, c: closed.
my $states = q{(SELECT string_agg(CASE state WHEN 'current' THEN 'n' ELSE left(state, 1) END, '' ORDER BY period)
	FROM metrics_refresh_internal.queue_period)};
# The scheduler has looked at the clock, and its workers know the period.
my $rests = q{EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler' AND wait_event_type = 'Extension')};

sub days { return sql(q{SELECT string_agg(payload ->> 'day', ' ' ORDER BY id) FROM background_jobs WHERE status = 'completed' AND payload ? 'day'}) }

# Completes a job, and returns its number.
sub complete
{
	my ($arguments) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $job = sql("SELECT metrics_refresh.enqueue($arguments)");
	is(sql("SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', "job $job completes: $arguments");
	return $job;
}

sub step_days { $clock->step($_[0] * DAY); $clock->wake($session); return }
sub until_states
{
	my ($wanted, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return until_ok($node, 'postgres', "SELECT $states = '$wanted' AND $rests", $name);
}

# Day 0. Later jobs ask for the first one.
my $first = complete(q{'work', '{"day": 0}', unique_key => 'once', unique_for => '100 days'});
my $completed = complete(q{'work', unique_key => 'completed'});
complete(q{'dropped'});
is(sql(q{SELECT metrics_refresh.drop_job_type('dropped')}), 't', 'a type with completed jobs only is dropped');
is(sql(q{SELECT string_agg(status, ' ') FROM background_jobs WHERE type IS NULL}), 'completed', 'its jobs have no type');
# Without the notice of a duplicate.
my $again = q{SET client_min_messages = warning; SELECT metrics_refresh.enqueue('work', unique_key => 'once'),
	metrics_refresh.enqueue('work', unique_key => 'completed', unique_states => '{completed}')};

for my $day (1 .. 8)
{
	step_days(1);
	until_states('c' x $day . 'n' . 'e' x (9 - $day), "day $day has a period of its own");
	complete(qq{'work', '{"day": $day}'});
}
is(days(), '0 1 2 3 4 5 6 7 8', 'no job has left yet');
is(sql($again), "$first|$completed", 'the unique keys of the first day are known');

# A period that a transaction reads is emptied when that has ended. Jobs complete meanwhile.
my $reader = $node->background_psql('postgres', on_error_stop => 1);
my $count = 'SELECT count(*) FROM background_jobs';
my $seen = $reader->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $count");
step_days(1);
complete(q{'work'});
is($reader->query_safe($count), $seen, 'a reader sees what it has seen before');
$reader->query_safe('COMMIT');
$reader->quit;
until_states('ecccccccc' . 'n', 'the jobs of the first day leave');
complete(q{'work', '{"day": 9}'});
is(days(), '1 2 3 4 5 6 7 8 9', 'and no others');
is(sql("SELECT count(*) FROM background_jobs WHERE id IN ($first, $completed) OR type IS NULL"), 0, 'the view does not show them');
my ($new, $other) = split /\|/, sql($again);
cmp_ok($_, '>', $completed, 'a unique key is free') for $new, $other;
complete("'work', after => '{$first}'");
is(sql("SELECT metrics_refresh.wait_job($new, '60 s')"), 'completed', 'the new job with the key completes');

# The setting is raised: a period that is still kept is not taken for new jobs.
sub keep
{
	my ($time) = @_;
	sql("ALTER SYSTEM SET metrics_refresh.queue_history = '$time'");
	sql('SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "SELECT current_setting('metrics_refresh.queue_history')::interval = '$time'::interval")
	  or die 'the setting does not change';
	return;
}
keep('30d');
step_days(4);
until_states('nccccccccc', 'all periods are in use');
my $later = sql(q{SELECT metrics_refresh.enqueue('work', '{"day": 17}', delay => '3 days')});
step_days(4);
until_ok($node, 'postgres', "SELECT $rests AND status = 'completed' FROM background_jobs WHERE id = $later", 'a job of day 17 completes');
is(sql("SELECT $states"), 'nccccccccc', 'the period goes on');
is(days(), '1 2 3 4 5 6 7 8 9 17', 'all jobs are kept');
keep('8d');
# A change is met within an hour.
step_days(1 / 24);
until_states('cneeeeeeec', 'with the setting of before, eight periods leave');
is(days(), '9 17', 'the jobs of the others are kept');

# A purge empties closed periods, and leaves the one that takes jobs.
step_days(1);
until_states('ccneeeeeec', 'day 18');
complete(q{'work', '{"day": 18}'});
is(sql(q{SELECT metrics_refresh.purge_jobs('8 days', 'completed')}), 0, 'nothing is old enough');
is(sql(q{SELECT metrics_refresh.purge_jobs('3 days', 'completed')}), 4, 'the jobs of periods that ended before are purged');
is(days(), '17 18', 'the others stay');
is(sql(q{SELECT metrics_refresh.purge_jobs('0')}), 1, 'more are purged');
is(days(), '18', 'the jobs of the present period stay');
is(sql("SELECT $states"), 'eeneeeeeee', 'the others are empty');

# Starts before a restart count for the rate.
my $rated = q{SELECT count(*) FROM background_jobs WHERE type = 'rated' AND status = 'completed'};
sql(q{SELECT count(*) FROM metrics_refresh.enqueue_many('rated', '{1,2,3,4}')});
until_ok($node, 'postgres', "SELECT ($rated) = 2", 'two jobs of four start in an hour');
$session->quit;
$node->restart;
$session = $node->background_psql('postgres', on_error_stop => 1);
complete(q{'work'}) for 1 .. 3;
is(sql($rated), 2, 'no more of them after a restart');
# A part of 1/64 is lost.
step_days(65 / 64 / 24);
until_ok($node, 'postgres', "SELECT ($rated) = 4", 'the others start an hour later');

$session->quit;
$node->stop;
done_testing();
