# Owners take turns: a worker serves one owner, and another owner who has jobs gets it within a bounded time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('owners', 'metrics_refresh.max_workers' => 4, 'metrics_refresh.queue_workers' => 2,
	'metrics_refresh.yield_after' => '1s', 'metrics_refresh.worker_idle_timeout' => '10min');
$node->safe_psql('postgres', 'CREATE DATABASE other');
for my $database (qw(postgres other))
{
	create_extension($node, $database);
	$node->safe_psql($database, 'GRANT CREATE ON SCHEMA public TO PUBLIC');
}
$node->safe_psql('postgres', "CREATE ROLE owner_$_ LOGIN") for qw(a b c);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sub add_type
{
	my ($database, $owner) = @_;
	$node->safe_psql($database, qq{
		SET ROLE owner_$owner;
		CREATE FUNCTION work_$owner(payload jsonb) RETURNS void LANGUAGE plpgsql AS
			'BEGIN PERFORM pg_sleep((payload->>''sleep'')::float8) WHERE payload ? ''sleep''; END';
		SELECT metrics_refresh.register_job_type('work_$owner', 'work_$owner(jsonb)', timeout => '1 h')});
	return;
}
add_type('postgres', $_) for qw(a b);
add_type('other', 'c');

# The time that a job of the owner needs from its enqueue to its end, in milliseconds.
sub delay
{
	my ($database, $owner) = @_;
	my $job = $node->safe_psql($database, "SELECT metrics_refresh.enqueue('work_$owner')");
	is($node->safe_psql($database, "SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', "a job of $owner is done");
	return $node->safe_psql($database, "SELECT 1000 * extract(epoch FROM finished_at - created_at) FROM background_jobs WHERE id = $job");
}

# Idle workers of another owner give way at once.
delay('postgres', 'a');
until_ok($node, 'postgres', q{SELECT count(*) > 0 AND bool_and(state = 'idle') FROM pg_stat_activity WHERE usename = 'owner_a'}, 'a worker rests');
delay('postgres', 'b');
cmp_ok(delay('other', 'c'), '<', 5000, 'the third owner replaces one of the two that rest');

# One owner has more jobs than all workers can do.
sql(q{SELECT count(*) FROM metrics_refresh.enqueue_many('work_a', array_fill('{"sleep": 0.002}'::jsonb, ARRAY[30000]))});
until_ok($node, 'postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE usename = 'owner_a'}, 'both workers serve one owner');
my @delays = map { delay('postgres', 'b') } 1 .. 3;
note("delays: @delays ms");
cmp_ok((sort { $a <=> $b } @delays)[1], '<', 2000, 'another owner has a turn');
cmp_ok(delay('other', 'c'), '<', 5000, 'also one of another database');
cmp_ok(sql(q{SELECT pending FROM metrics_refresh.job_counts() WHERE type = 'work_a'}), '>', 0, 'while the first one has jobs left');
sql(q{SELECT metrics_refresh.pause_job_type('work_a')});

# Jobs that go on for long: the owner with two workers gives one of them up, and its job starts again.
sql(q{SET ROLE owner_a; SELECT metrics_refresh.register_job_type('long_a', 'work_a(jsonb)', timeout => '1 h')});
sql(q{SELECT metrics_refresh.enqueue('long_a', '{"sleep": 600}') FROM generate_series(1, 2)});
until_ok($node, 'postgres', q{SELECT count(*) = 2 FROM background_jobs WHERE type = 'long_a' AND status = 'processing'}, 'long jobs run');
my $job = sql(q{SELECT metrics_refresh.enqueue('work_b')});
is(sql("SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', 'another owner has a turn beside long jobs');
until_ok($node, 'postgres', q{SELECT count(*) = 2 FROM background_jobs WHERE type = 'long_a' AND status = 'processing' AND attempts = 1},
	'the job that had to give way runs again, and the attempt did not count');

# A type and a job are given to a role at the moment at which the scheduler finds that their former owner is gone.
sql(q{
	CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one;
	SELECT metrics_refresh.schedule('seen', NULL, 'given');
	CREATE PROCEDURE give(role name) LANGUAGE plpgsql AS $$ BEGIN
		UPDATE metrics_refresh_internal.job_type SET owner = role WHERE name = 'work_b';
		UPDATE metrics_refresh_internal.job SET owner = role WHERE job_name = 'given';
		COMMIT;
	END $$;
	CREATE PROCEDURE give_again(INOUT lost int) LANGUAGE plpgsql AS $$ BEGIN
		FOR i IN 1 .. 400 LOOP
			CREATE ROLE short_lived;
			CALL give('short_lived');
			DROP ROLE short_lived;
			COMMIT;
			PERFORM pg_sleep(random() * 0.002);
			CALL give('owner_b');
			PERFORM pg_sleep(0.01);
			lost := lost + (SELECT count(*) FROM metrics_refresh_internal.job_type WHERE owner_gone AND owner = 'owner_b')
				+ (SELECT count(*) FROM metrics_refresh_internal.job WHERE owner_gone AND owner = 'owner_b');
			COMMIT;
		END LOOP;
	END $$});
is(sql(q{CALL give_again(0)}), 0, 'they belong to the role that exists');

done_testing();
