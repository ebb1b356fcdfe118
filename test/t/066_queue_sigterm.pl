# A worker that is ended by SIGTERM while it performs jobs. The job under way starts again at once in another
# worker, and the attempt does not count. Jobs that wait behind it are not lost either.
use strict;
use warnings;

use FindBin;
use List::Util qw(min);
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('sigterm', 'metrics_refresh.max_workers' => 4, 'metrics_refresh.queue_workers' => 2);
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql(q{
	CREATE TABLE effect (job bigint);
	CREATE TABLE pace (seconds float8);
	INSERT INTO pace VALUES (600);
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO effect VALUES (job_id);
		PERFORM pg_sleep(seconds) FROM pace;
	END $$;
	SELECT metrics_refresh.register_job_type('work', 'work(bigint, jsonb)', timeout => '1 h')});

my $processing = q{FROM background_jobs WHERE status = 'processing'};

# Terminates the worker of the only running job. Returns the time until another one has started it, in milliseconds.
sub terminate
{
	my ($pid, $before) = split /\|/, sql("SELECT worker, started_at $processing");
	my $killed = sql("SELECT clock_timestamp() FROM pg_terminate_backend($pid)");
	until_ok($node, 'postgres', "SELECT count(*) = 1 $processing AND started_at > '$before' AND worker <> '$pid'",
		'the job starts again in another worker');
	return sql("SELECT 1000 * extract(epoch FROM started_at - '$killed') $processing");
}

# The job sleeps no longer when it starts again.
sub let_go
{
	sql('UPDATE pace SET seconds = 0');
	sql("SELECT pg_terminate_backend(worker::int) $processing");
	return;
}

my $job = sql(q{SELECT metrics_refresh.enqueue('work')});
until_ok($node, 'postgres', "SELECT count(*) = 1 $processing", 'a job runs');
# The machine may be busy; the fastest of some shows what the workers need.
my @delays = map { terminate() } 1 .. 5;
note("delays: @delays ms");
cmp_ok(min(@delays), '<=', 200, 'within 200 ms, with a new worker');
is(sql("SELECT attempts, last_error IS NULL $processing"), '1|t', 'the attempts do not count');

# Jobs that a worker has claimed and not started are free as well.
let_go();
is(sql("SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', 'it ends');
sql(q{SELECT count(*) FROM metrics_refresh.enqueue_many('work', array_fill('{}'::jsonb, ARRAY[20000]))});
my $ended = 0;
while ($ended < 20 && sql(q{SELECT sum(pending + processing) FROM metrics_refresh.job_counts()}) > 0)
{
	$ended += sql(q{
		SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
			WHERE backend_type = 'metrics_refresh worker' ORDER BY random() LIMIT 1) worker});
}
until_ok($node, 'postgres', q{SELECT sum(pending + processing) = 0 FROM metrics_refresh.job_counts()}, 'all jobs end');
cmp_ok($ended, '>', 0, "$ended workers were terminated while they performed short jobs");
is(sql('SELECT count(*), count(DISTINCT job) FROM effect'), '20001|20001', 'each job has its effect once');
is(sql(q{SELECT status, count(*), max(attempts) FROM background_jobs GROUP BY status}), 'completed|20001|1',
	'each has one end');
is(sql('SELECT count(*) FROM metrics_refresh_internal.job_failure'), 0, 'none of them has failed');

# The server stops at once, and jobs that were not ended run after its next start.
sql('UPDATE pace SET seconds = 600');
$job = sql(q{SELECT metrics_refresh.enqueue('work')});
until_ok($node, 'postgres', "SELECT count(*) = 1 $processing", 'a job runs');
$node->stop('fast');
$node->start;
until_ok($node, 'postgres', "SELECT count(*) = 1 $processing AND id = $job AND attempts = 1", 'it runs after a restart');
let_go();
is(sql("SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', 'and ends');
is(sql("SELECT count(*) FROM effect WHERE job = $job"), 1, 'with one effect');

done_testing();
