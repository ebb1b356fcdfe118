# The bytes of WAL that a job costs, from its enqueue to its end, each in a transaction of its own.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $jobs = 4000;
my $node = start_node('queue_wal', autovacuum => 'off', checkpoint_timeout => '1h', max_wal_size => '4GB',
	'metrics_refresh.enabled' => 'off', synchronous_commit => 'off');
$node->safe_psql('postgres', q{
	CREATE EXTENSION metrics_refresh;
	CREATE FUNCTION handler(payload jsonb) RETURNS void LANGUAGE sql AS '';
	SELECT metrics_refresh.register_job_type('type', 'handler(jsonb)');
	CREATE PROCEDURE enqueue_jobs(jobs int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR n IN 1..jobs LOOP
			PERFORM metrics_refresh.enqueue('type', jsonb_build_object('n', n));
			COMMIT;
		END LOOP;
	END $$});

sub position { return $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()') }

# What pg_waldump counts between two positions, for a job. Most of it is of the job itself; the rest is of pages
# that are new, of processes that start, and of the scheduler.
sub bytes
{
	my ($from, $to) = @_;
	$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
	my ($out, $error) = run_command([ 'pg_waldump', '--stats=record', '--path', $node->data_dir . '/pg_wal', '--start', $from, '--end', $to ]);
	note $out;
	my ($total) = $out =~ /^Total\s+\d+\s+\d+ \[[\d.]+%\]\s+\d+ \[[\d.]+%\]\s+(\d+) \[100%\]/m or die "pg_waldump: $out$error";
	return $total / $jobs;
}

# The first jobs make the tables' first pages, and the plans.
$node->safe_psql('postgres', 'CALL enqueue_jobs(10); CHECKPOINT');
my $begun = position();
$node->safe_psql('postgres', "CALL enqueue_jobs($jobs)");
my $enqueued = position();
$node->safe_psql('postgres', 'ALTER SYSTEM SET metrics_refresh.enabled = on; SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', "SELECT count(*) = $jobs + 10 FROM metrics_refresh_internal.queue_history"), 'all jobs are done');
my $done = position();

my ($to_enqueue, $to_process) = (bytes($begun, $enqueued), bytes($enqueued, $done));
cmp_ok($to_enqueue, '<=', 250, 'to enqueue');
cmp_ok($to_process, '<=', 400, 'to process');
cmp_ok($to_enqueue + $to_process, '<=', 650, 'both');

done_testing();
