# Refreshes are on time beside a queue that is always full: they have workers of their own.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('beside', 'metrics_refresh.max_workers' => 4, 'metrics_refresh.queue_workers' => 2,
	max_wal_size => '2GB');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
create_nap_view($node, 'postgres', "view_$_", 0) for 1 .. 4;
sql(q{
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
	CREATE FUNCTION sleep(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); END';
	SELECT metrics_refresh.register_job_type('short', 'work(jsonb)');
	SELECT metrics_refresh.register_job_type('long', 'sleep(jsonb)');
	SELECT metrics_refresh.schedule('view_' || i, '1 second', job_name => 'view_' || i, strategy => 'full') FROM generate_series(1, 4) i});

# The 95th percentile of the lateness of the next runs, in milliseconds.
sub lateness
{
	my $last = sql('SELECT coalesce(max(run_id), 0) FROM metrics_refresh.run_log');
	until_ok($node, 'postgres', "SELECT count(*) >= 40 FROM metrics_refresh.run_log WHERE run_id > $last AND status = 'success'",
		'refreshes run');
	return sql(qq{SELECT round((1000 * percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - due_at)))::numeric, 2)
		FROM metrics_refresh.run_log WHERE run_id > $last AND status = 'success'});
}

lateness();
my $idle = lateness();
# Long jobs hold the workers of the queue.
sql(q{SELECT count(metrics_refresh.enqueue('long')) FROM generate_series(1, 20)});
until_ok($node, 'postgres', q{SELECT count(*) = 2 FROM background_jobs WHERE status = 'processing'}, 'as many jobs run as the queue has workers');
my $long = lateness();
sql(q{SELECT metrics_refresh.pause_job_type('long')});
sql(q{SELECT count(metrics_refresh.cancel_job(id)) FROM background_jobs WHERE type = 'long' AND status IN ('pending', 'processing')});
# Short jobs without end.
my $enqueuer = $node->background_psql('postgres');
$enqueuer->query_until(qr/begins/, q{\echo begins
	DO $$ BEGIN
		LOOP
			IF (SELECT pending < 5000 FROM metrics_refresh.job_counts() WHERE type = 'short') THEN
				PERFORM count(*) FROM metrics_refresh.enqueue_many('short', array_fill('{}'::jsonb, ARRAY[5000]));
				COMMIT;
			END IF;
			PERFORM pg_sleep(0.01);
		END LOOP;
	END $$;
});
my $short = lateness();
note("lateness, p95: idle $idle ms, beside long jobs $long ms, beside short jobs $short ms");
cmp_ok($long, '<=', 2 * $idle + 10, 'refreshes are on time beside long jobs');
cmp_ok($short, '<=', 2 * $idle + 10, 'and beside short ones');
cmp_ok(sql(q{SELECT completed_since_start FROM metrics_refresh.job_counts() WHERE type = 'short'}), '>', 1000, 'which were performed');

done_testing();
