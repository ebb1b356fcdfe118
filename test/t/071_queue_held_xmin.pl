# A transaction that keeps its snapshot for the whole time neither slows the queue down nor makes the storage of ready
# jobs grow: segments are emptied, not vacuumed. A transaction that has locked a segment only keeps that one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant SEGMENT => 64 * 1024 * 1024;

my $node = start_node(
	'held',
	'metrics_refresh.max_workers' => 4,
	'metrics_refresh.queue_workers' => 2,
	autovacuum_naptime => '1s',
	max_wal_size => '4GB');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
	CREATE TABLE done (job bigint);
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO done VALUES (job_id)';
	SELECT metrics_refresh.register_job_type('work', 'work(bigint, jsonb)', mode => 'grouped');
	SELECT metrics_refresh.register_job_type('single', 'work(bigint, jsonb)');
	-- About 40 kB that cannot be compressed.
	CREATE FUNCTION noise() RETURNS jsonb LANGUAGE sql VOLATILE
	AS $$ SELECT jsonb_build_object('noise', string_agg(md5(random()::text), '')) FROM generate_series(1, 1250) $$;
	CREATE TABLE noise AS SELECT noise() AS payload FROM generate_series(1, 200)});

my $hot = q{(SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE nspname = 'metrics_refresh_internal' AND relname ~ '^queue_(hot|ended|claim)_\d$')};

# Enqueues jobs of 8 MB, and waits until they are done. Returns the size of the hot part.
sub do_some
{
	sql(q{SELECT count(*) FROM metrics_refresh.enqueue_many('work', (SELECT array_agg(payload) FROM noise))});
	$node->poll_query_until('postgres',
		q{SELECT pending + processing + failed = 0 FROM metrics_refresh.job_counts() WHERE type = 'work'})
	  or die 'jobs are not done';
	return sql("SELECT $hot");
}

# The median delay from the commit of a short job to its start, in milliseconds.
sub delay
{
	my @jobs = map { sql(q{SELECT metrics_refresh.enqueue('single')}) } 1 .. 41;
	sql("SELECT metrics_refresh.wait_job($jobs[-1], '60 s')");
	my $ids = join ',', @jobs;
	return sql(qq{SELECT 1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at))
		FROM background_jobs WHERE id IN ($ids)});
}

do_some();
my $before = delay();
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM noise; SELECT pg_current_xact_id()');

my $largest = 0;
for (1 .. 24)
{
	my $size = do_some();
	$largest = $size if $size > $largest;
}
is(sql('SELECT count(*) - count(DISTINCT job) FROM done'), 0, 'each job is done once');
cmp_ok(sql('SELECT count(*) FROM done'), '>=', 4_800, 'all of them');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND state = 'idle in transaction'}), 1,
	'all the time, a transaction kept its snapshot');
# All of these jobs have more than three times the size of a segment.
cmp_ok($largest, '<', 2.2 * SEGMENT, 'the hot part stays small');
until_ok($node, 'postgres', q{SELECT count(*) >= 6 FROM metrics_refresh_internal.queue_segment WHERE state = 'free'},
	'segments are free again');
my $after = delay();
note("delay $before ms before, $after ms after");
cmp_ok($after, '<', 2 * $before + 1, 'jobs start as fast as before');

# A session that has an uncommitted job keeps its segment, and others take its place.
my $enqueuer = $node->background_psql('postgres');
my $open = $enqueuer->query_safe(q{BEGIN; SELECT metrics_refresh.enqueue('single')});
do_some() for 1 .. 18;
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh_internal.queue_segment WHERE state = 'sealed'},
	'a segment with an uncommitted job waits, and no other one');
$enqueuer->query_safe('COMMIT');
is(sql("SELECT metrics_refresh.wait_job($open, '30 s')"), 'completed', 'the job is done after its commit');
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh_internal.queue_segment WHERE state = 'sealed'},
	'and then the segment is emptied');

# A job that cannot start is copied out of the way.
sql(q{SELECT metrics_refresh.pause_job_type('single')});
my $paused = sql(q{SELECT metrics_refresh.enqueue('single')});
do_some() for 1 .. 10;
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh_internal.queue_segment WHERE state = 'sealed'},
	'a segment with a straggler is emptied, too');
is(sql("SELECT metrics_refresh.wait_job($paused, '0')"), 'pending', 'the straggler still waits');
sql(q{SELECT metrics_refresh.resume_job_type('single')});
is(sql("SELECT metrics_refresh.wait_job($paused, '30 s')"), 'completed', 'and is done when its type goes on');
$holder->query_safe('COMMIT');
$holder->quit;
$enqueuer->quit;

$node->stop;
done_testing();
