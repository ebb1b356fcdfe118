# The flush of ends. A crash finds a job that has ended a moment ago, before a handler that takes long. The WAL writer is
# stopped, so nothing is on disk by chance. If the end is lost, the job runs twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'flush',
	'metrics_refresh.max_workers' => 2,
	'metrics_refresh.queue_workers' => 1,
	'metrics_refresh.queue_notify' => 'off',
	autovacuum => 'off');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

# A handler waits at the gate as long as a session has locked it. A crash opens it.
sql(q{
	CREATE TABLE effect (job bigint);
	CREATE SEQUENCE exits;
	CREATE TABLE flush_delay (ms float8);
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		ended pg_lsn := pg_current_wal_insert_lsn();
		began timestamptz := clock_timestamp();
	BEGIN
		-- At the start of a page, it is behind the page's header, which is not written before the next record.
		IF (ended - '0/0') % 8192 = 24 THEN ended := ended - 24; END IF;
		RAISE LOG 'job % runs, the end before is at %', job_id, ended;
		IF payload ? 'measure' AND pg_current_wal_flush_lsn() < ended THEN
			WHILE pg_current_wal_flush_lsn() < ended AND clock_timestamp() < began + interval '1 s' LOOP
				PERFORM pg_sleep(0.001);
			END LOOP;
			INSERT INTO flush_delay SELECT extract(epoch FROM clock_timestamp() - began) * 1000;
		END IF;
		IF payload ? 'exit' AND nextval('exits') = 1 THEN
			PERFORM pg_terminate_backend(pg_backend_pid());
			PERFORM pg_sleep(60);
		END IF;
		IF payload ? 'wait' THEN PERFORM pg_advisory_xact_lock_shared(1); END IF;
		INSERT INTO effect VALUES (job_id);
	END $$;
	SELECT metrics_refresh.register_job_type('work', 'work(bigint, jsonb)')});

sub runs
{
	my ($job) = @_;
	my $count = () = slurp_file($node->logfile) =~ /job $job runs,/g;
	return $count;
}

# The server accepts connections a moment before it is there.
sub walwriter
{
	my $from = q{FROM pg_stat_activity WHERE backend_type = 'walwriter'};
	$node->poll_query_until('postgres', "SELECT count(*) = 1 $from") or die 'there is no WAL writer';
	return sql("SELECT pid $from");
}

my ($gate, $writer, $launcher, $long_job);

# Short jobs, whose duration is known in the end, and a long one behind them. Returns the number of the last short one,
# which has ended. Unless the launcher may flush, it is stopped, too.
sub end_before_long_job
{
	my (%options) = @_;
	my ($batch, $after) = map { $options{$_} // '' } qw(batch after);
	my $long = $options{long} // '{"wait": true}';
	$gate = $node->background_psql('postgres');
	$gate->query_safe('SELECT pg_advisory_lock(1)');
	$writer = walwriter();
	$launcher = process_id($node, 'launcher');
	stop_asleep($gate, $writer, 'WalWriterMain');
	stop_asleep($gate, $launcher) if !$options{launcher_flushes};
	(my $job, $long_job) = split /\|/, sql(qq{
		BEGIN;
		SELECT count(*) AS count FROM metrics_refresh.enqueue_many('work', array_fill('{}'::jsonb, ARRAY[50])) \\gset
		\\set batch NULL
		$batch
		SELECT metrics_refresh.enqueue('work', batch => :batch) AS job \\gset
		SELECT metrics_refresh.enqueue('work', '$long') AS long \\gset
		$after
		COMMIT;
		SELECT :job, :long});
	until_ok($node, 'postgres', q{SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity a USING (pid)
		WHERE locktype = 'advisory' AND NOT granted AND backend_type = 'metrics_refresh worker'}, 'a long job runs');
	is(sql("SELECT status FROM background_jobs WHERE id = $job"), 'completed', 'the job before it has ended');
	return $job;
}

# The end before the long job is on disk, although the session that asks writes nothing.
sub until_flushed
{
	my ($end) = slurp_file($node->logfile) =~ /job $long_job runs, the end before is at (\S+)$/m;
	return until_ok($node, 'postgres', "SELECT pg_current_wal_flush_lsn() >= '$end'", 'its end is flushed');
}

sub crash
{
	kill 'KILL', $launcher;
	kill_process($node, $writer);
	wait_for_server($node);
	eval { $gate->quit };
	until_ok($node, 'postgres', q{SELECT sum(pending + processing + failed) = 0 AND bool_and(exact) FROM metrics_refresh.job_counts()},
		'all jobs end');
	return;
}

# What this file relies on: without a flush, the end is lost. On a busy machine a short job may last long.
my $is_lost = 0;
for (1 .. 5)
{
	my $job = end_before_long_job();
	crash();
	$is_lost = runs($job) == 2;
	last if $is_lost;
}
ok($is_lost, 'an end that nobody has flushed is lost, and the job runs again');

# The launcher flushes, although the worker is in the handler.
my $job = end_before_long_job(launcher_flushes => 1);
until_flushed();
crash();
is(runs($job), 1, 'an end is on disk, although a long job runs');

# The process of the worker ends at once, so that its timer does not ring.
$job = end_before_long_job(launcher_flushes => 1, long => '{"exit": true, "wait": true}');
until_flushed();
crash();
is(runs($job), 1, 'it is on disk after the end of its worker, too');

$job = end_before_long_job();
is(sql("SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', 'wait_job() answers');
crash();
is(runs($job), 1, 'after that, the end is on disk');

$job = end_before_long_job(after => q{SELECT metrics_refresh.enqueue('work', after => ARRAY[:job]) AS after \gset});
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh_internal.queue_dependency', 'a job after it is released');
crash();
is(runs($job), 1, 'after that, the end is on disk');

$job = end_before_long_job(batch => q{SELECT metrics_refresh.create_batch('work') AS batch \gset});
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh_internal.queue_batch', 'the callback of its batch is added');
crash();
is(runs($job), 1, 'after that, the end is on disk');

$node->append_conf('postgresql.conf', 'metrics_refresh.queue_notify = on');
$node->reload;
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN metrics_refresh');
$job = end_before_long_job();
my $told = 0;
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	$told += $_ for $listener->query('SELECT 1') =~ /"completed": (\d+)/g;
	last if $told == 51;
	select undef, undef, undef, 0.1;
}
is($told, 51, 'a listener is told of all ends');
crash();
eval { $listener->quit };
is(runs($job), 1, 'after that, the end is on disk');

# Each commit is flushed.
$node->append_conf('postgresql.conf', "metrics_refresh.queue_notify = off\nmetrics_refresh.queue_flush = per_job");
$node->reload;
$job = end_before_long_job();
crash();
is(runs($job), 1, 'with queue_flush = per_job, an end that is seen is on disk');
$node->append_conf('postgresql.conf', 'metrics_refresh.queue_flush = shared');
$node->reload;

# The delay, by a handler that looks. The machine may be busy, so the least of some counts. The disk does not matter,
# because fsync is off.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$writer = walwriter();
stop_asleep($session, $writer, 'WalWriterMain');
my $delays = 0;
for (1 .. 50)
{
	my $job = sql(q{SELECT max(job_id) FROM metrics_refresh.enqueue_many('work',
		array_fill('{}'::jsonb, ARRAY[100]) || '{"measure": true}'::jsonb || '{}'::jsonb)});
	sql("SELECT metrics_refresh.wait_job($job, '60 s')");
	$delays = sql('SELECT count(*) FROM flush_delay');
	last if $delays >= 10;
}
kill 'CONT', $writer;
$session->quit;
cmp_ok($delays, '>', 0, 'some ends are not on disk when the next job begins');
my $delay = sql('SELECT round(min(ms)::numeric, 1) FROM flush_delay');
cmp_ok($delay, '<', 20, "they are within some milliseconds ($delay ms)");

is(sql('SELECT count(*) - count(DISTINCT job) FROM effect'), 0, 'each job has one effect');
is(sql(q{SELECT count(*) FROM background_jobs WHERE status <> 'completed'}), 0, 'and one end');

done_testing();
