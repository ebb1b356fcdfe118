# Limits of a type hold exactly while many workers perform jobs and sessions enqueue: of jobs at a time, of jobs with
# the same key, and of starts in a period.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('limits', 'metrics_refresh.max_workers' => 10, 'metrics_refresh.queue_workers' => 8,
	max_worker_processes => 24);
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
# The handler notes its own times: a job is under way for at least this time.
sql(q{
	CREATE TABLE done (job bigint, type text, key text, begun timestamptz, ended timestamptz);
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		begun timestamptz := clock_timestamp();
	BEGIN
		PERFORM pg_sleep(0.001 * random());
		INSERT INTO done VALUES (job_id, payload->>'type', payload->>'key', begun, clock_timestamp());
	END $$;
	SELECT metrics_refresh.register_job_type('few', 'work(bigint, jsonb)', concurrency => 3);
	SELECT metrics_refresh.register_job_type('keys', 'work(bigint, jsonb)', concurrency_per_key => 2);
	SELECT metrics_refresh.register_job_type('rate', 'work(bigint, jsonb)', rate_limit => 40, rate_period => '300 ms');
	SELECT metrics_refresh.register_job_type('all', 'work(bigint, jsonb)', concurrency => 5, concurrency_per_key => 1,
		rate_limit => 100, rate_period => '500 ms');
	SELECT metrics_refresh.register_job_type('free', 'work(bigint, jsonb)')});

for my $round (1 .. 4)
{
	sql(qq{SELECT count(metrics_refresh.enqueue(type, jsonb_build_object('type', type, 'key', key), key => key))
		FROM unnest('{few,keys,rate,all,free}'::text[]) type, generate_series(1, 60) i, LATERAL (SELECT 'k' || i % 5 AS key) k});
}
until_ok($node, 'postgres', q{SELECT sum(pending + processing + failed) = 0 FROM metrics_refresh.job_counts()}, 'all jobs end');
is(sql('SELECT type, count(*), count(DISTINCT job) FROM done GROUP BY type ORDER BY type'),
	join("\n", map { "$_|240|240" } qw(all few free keys rate)), 'each of them once');

# How many jobs are under way at the begin of each, at most.
sub most_at_a_time
{
	my ($type, $same) = @_;
	return sql(qq{SELECT max((SELECT count(*) FROM done b WHERE b.type = a.type AND $same
		AND b.begun <= a.begun AND b.ended > a.begun)) FROM done a WHERE type = '$type'});
}

# Starts in the period that begins with each start, at most.
sub most_in_period
{
	my ($type, $period) = @_;
	return sql(qq{SELECT max((SELECT count(*) FROM done b WHERE b.type = a.type
		AND b.begun >= a.begun AND b.begun < a.begun + interval '$period')) FROM done a WHERE type = '$type'});
}

is(most_at_a_time('few', 'true'), 3, 'at most 3 jobs of the type at a time, and 3 at some time');
is(most_at_a_time('keys', 'b.key = a.key'), 2, 'at most 2 jobs with the same key at a time, and 2 at some time');
cmp_ok(most_at_a_time('keys', 'true'), '>', 2, 'jobs with other keys beside them');
cmp_ok(most_at_a_time('all', 'true'), '<=', 5, 'several limits: of the type');
is(most_at_a_time('all', 'b.key = a.key'), 1, 'of a key');
# A job starts when it is claimed, and its handler a moment later. So a period is a little shorter here.
cmp_ok(most_in_period('rate', '200 ms'), '<=', 40, 'at most 40 starts in 300 ms');
cmp_ok(most_in_period('rate', '200 ms'), '>=', 20, 'and not far fewer');
cmp_ok(most_in_period('all', '400 ms'), '<=', 100, 'several limits: of starts');
# By the times of the claims, exactly.
for my $limit ([ 'rate', '300 ms', 40 ], [ 'all', '500 ms', 100 ])
{
	my ($type, $period, $most) = @$limit;
	my $found = sql(qq{SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY started_at
			RANGE BETWEEN CURRENT ROW AND interval '$period' - interval '1 us' FOLLOWING) AS n
		FROM background_jobs WHERE type = '$type') starts});
	cmp_ok($found, '<=', $most, "$type: at most $most starts in any $period");
}

done_testing();
