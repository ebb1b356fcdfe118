# A long history costs nothing: a look at jobs, and each step of the queue, reads an index, or only the tables of
# the states that it is about. PG_TEST_EXTRA=long has ten million jobs; QUEUE_ROWS says another number.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'time';

my $rows = $ENV{QUEUE_ROWS} // (($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/ ? 10_000_000 : 200_000);
# Of 100 jobs, 75 have completed, 10 wait for their time, and 15 are dead or canceled. Half of all are of type 1.
my ($completed, $later, $stopped) = map { $rows * $_ / 100 } 75, 10, 15;

chomp(my $libraries = `pg_config --pkglibdir`);
plan skip_all => 'auto_explain is not installed' unless -e "$libraries/auto_explain.so";

my $node = start_node(
	'queue_plans',
	shared_preload_libraries => 'metrics_refresh, auto_explain',
	'auto_explain.log_nested_statements' => 'on',
	'auto_explain.log_analyze' => 'on',
	'auto_explain.log_timing' => 'off',
	'auto_explain.log_buffers' => 'on',
	'metrics_refresh.enabled' => 'off',
	'metrics_refresh.queue_history' => '40d',
	jit => 'off',
	autovacuum => 'off',
	maintenance_work_mem => '256MB',
	max_wal_size => '8GB');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sub timed
{
	my ($name, $work) = @_;
	my $began = time;
	my $result = $work->();
	note sprintf '%s: %.1f s', $name, time - $began;
	return $result;
}

sql(q{
	CREATE ROLE client LOGIN; CREATE ROLE stranger LOGIN;
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
	SELECT metrics_refresh.register_job_type('type ' || n, 'work(jsonb)') FROM generate_series(1, 19) n;
	SELECT metrics_refresh.register_job_type('outside', mode => 'external')});
is(sql(q{SELECT string_agg(type_id || '=' || type, ' ' ORDER BY type_id) FROM metrics_refresh.job_types WHERE type_id IN (1, 19)}),
	'1=type 1 19=type 19', 'types have the numbers that the rows below have');

# Jobs of 30 days, as the queue would have left them. It does not run yet, and counts them when it starts. Numbers
# ascend by two; one of 2000 jobs is older than its neighbors.
my $type = '(CASE n % 2 WHEN 0 THEN 1 ELSE 1 + n / 2 % 19 END)';
my $enqueuer = q{(CASE n % 50 WHEN 0 THEN 'client' ELSE 'postgres' END)::regrole};
my $hash = 'CASE n % 10 WHEN 0 THEN hashint8extended(n, 0) END';
my $key = q{CASE n % 10 WHEN 0 THEN 'job ' || n END};

sub fill
{
	my ($table, $columns, $values, $from, $count, $day, $days) = @_;
	sql(qq{
		SET synchronous_commit = off;
		ALTER TABLE metrics_refresh_internal.$table DISABLE TRIGGER queue_row;
		INSERT INTO metrics_refresh_internal.$table
			(id, created_at, type_id, enqueued_by, attempts, priority, unique_hash, unique_key, payload, $columns)
		SELECT CASE WHEN n % 2000 = 0 THEN n + 1 ELSE 2 * n END, t, $type, $enqueuer, 0, 0, $hash, $key, '{"n": 123}', $values
		FROM (SELECT n, now() + ($day - 30 + $days * (n - $from) / ${count}::float8) * interval '1 day' AS t
			FROM generate_series($from + 1, $from + $count) n) g;
		ALTER TABLE metrics_refresh_internal.$table ENABLE ALWAYS TRIGGER queue_row});
	return;
}

timed('to fill the tables' => sub {
	for my $period (1 .. 9)
	{
		fill("queue_history_$period", 'started_at, finished_at', q{t, t + random() * interval '2 seconds'},
			$rows / 10 * $period, int($completed / 9), 30 / 9 * ($period - 1), 30 / 9);
	}
	# The last period is over.
	sql(q{UPDATE metrics_refresh_internal.queue_period
		SET (state, opened_at, closed_at) = (CASE period WHEN 0 THEN 'empty' WHEN 9 THEN 'current' ELSE 'closed' END,
			now() - interval '6 days', CASE WHEN period < 9 THEN now() - interval '6 days' END)});
	fill('queue_later', 'version, crashes, flags, waits, run_at',
		q{0, 0, CASE n % 4 WHEN 0 THEN 1 ELSE 0 END, 0, now() + interval '1 day' + random() * interval '1 year'}, $rows, $later, 0, 30);
	fill('queue_stopped', 'version, crashes, flags, status, finished_at',
		q{0, 0, 0, CASE n / 2 % 2 WHEN 0 THEN 'd' ELSE 'c' END::"char", t}, $rows + $later, $stopped, 0, 30);
	sql(qq{
		INSERT INTO metrics_refresh_internal.edge_function_log (function_name, level, job_id, owner, owner_oid)
		SELECT 'work', 'error', CASE n % 2 WHEN 0 THEN n END, 'client', 'client'::regrole FROM generate_series(1, $rows / 10) n;
		SELECT setval('metrics_refresh_internal.queue_job_id_seq', 3 * $rows)});
	sql('VACUUM ANALYZE');
	# As the scheduler does it when it closes a period.
	sql(q{SELECT brin_summarize_new_values(indexrelid) FROM pg_stat_user_indexes WHERE indexrelname ~ 'queue_history_[1-8]_id'})});

my $began = time;
$node->append_conf('postgresql.conf', 'metrics_refresh.enabled = on');
$node->restart;
sub status_is
{
	my ($condition) = @_;
	$node->poll_query_until('postgres', "SELECT $condition FROM metrics_refresh.queue_status()") or die $condition;
	return;
}
timed('from the start of the server until jobs can start' => sub { status_is(q{state = 'open'}) });
timed('and until they are counted' => sub { status_is('counts_exact') });
is(sql('SELECT sum(pending + failed), sum(dead + canceled) FROM metrics_refresh.job_counts()'), "$later|$stopped", 'all are counted');

# The plan of a query as it was executed, with the pages that it and the functions in it have read. Saved plans are those
# for all parameters. The session has done `before` first, and so has read the catalogs.
sub plan_of
{
	my ($query, $role, $before) = @_;
	return sql(($role ? "SET SESSION AUTHORIZATION $role;" : '') . qq{SET plan_cache_mode = force_generic_plan;
		$before \\g /dev/null
		EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) $query});
}

# The pages that a node has read: the first one behind `what`.
sub pages
{
	my ($plan, $what) = @_;
	my ($hit, $read) = $plan =~ /${what}Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?/s or return 0;
	return ($hit // 0) + ($read // 0);
}

sub reads
{
	my ($name, $most, $query, %how) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $plan = plan_of($query, $how{role}, $how{before} // $query);
	my ($planning, $time) = map { $plan =~ /$_ Time: (\S+)/ } 'Planning', 'Execution';
	my $pages = pages($plan, '');
	note "$name: $time ms and $planning ms to plan, $pages pages";
	cmp_ok($pages, '<=', $most, "$name: few pages") or diag $plan;
	like($plan, qr/rows=$how{rows}(?:\.00)? /, "$name: its rows") if defined $how{rows};
	unlike($plan, qr/ on queue_(?:$how{not})/, "$name: no other tables") if $how{not};
	return;
}

until_ok($node, 'postgres', q{SELECT state = 'closed' FROM metrics_refresh_internal.queue_period WHERE period = 9}, 'a period is closed');
reads('the index of a closed period', 30, 'SELECT FROM metrics_refresh_internal.queue_history_9 WHERE id = -1',
	before => 'SET enable_seqscan = off; SELECT');

my $jobs = 'SELECT * FROM background_jobs WHERE';
my $id = 2 * ($rows / 10 * 4 + 50);  # of a client
my ($later_id, $stopped_id) = (2 * ($rows + 3), 2 * ($rows + $later + 4));
reads('a completed job', 500, "$jobs id = $id", rows => 1);
reads('a job that waits', 500, "$jobs id = $later_id", rows => 1);
reads('a dead job', 500, "$jobs id = $stopped_id", rows => 1);
reads('a completed job, for a client', 500, "$jobs id = $id", role => 'client', rows => 1);
reads('a completed job, for a stranger', 500, "$jobs id = $id", role => 'stranger', rows => 0);
reads('wait_job()', 500, "SELECT metrics_refresh.wait_job($id, '0')");

# Of 30 days.
sub size
{
	return sql("SELECT sum(pg_relation_size(oid))::bigint / 8192 FROM pg_class
		WHERE relnamespace = 'metrics_refresh_internal'::regnamespace AND relkind = 'r' AND relname ~ '^$_[0]\$'");
}
reads('an hour of completed jobs', 500 + 9 * size('queue_history_3') / 720,
	"$jobs status = 'completed' AND finished_at >= now() - interval '1 hour'", not => 'later|stopped');
my %size = map { $_ => size("queue_$_") } 'later', 'stopped';
reads('dead jobs', $size{stopped} + 100, "SELECT count(*) FROM background_jobs WHERE status = 'dead'", not => 'history|later');
reads('the last dead jobs', $size{stopped} + 100, "$jobs status = 'dead' ORDER BY id DESC LIMIT 50", rows => 50, not => 'history|later');
reads('dead jobs of a type', 1.1 * $size{stopped} + 100, "$jobs status = 'dead' AND type = 'type 3'", not => 'history|later');
reads('failed jobs', $size{later} + 100, "SELECT count(*) FROM background_jobs WHERE status = 'failed'", not => 'history|stopped');
reads('the log of a job', 20, 'SELECT * FROM edge_function_logs WHERE job_id = 1000', rows => 1, role => 'client');
reads('job_counts()', 50, 'SELECT * FROM metrics_refresh.job_counts()');
reads('queue_status()', 50, 'SELECT * FROM metrics_refresh.queue_status()');
reads('health_check()', 200, 'SELECT * FROM metrics_refresh.health_check()');

# Many jobs are ready. Their tables are never analyzed.
my $ready = $rows / 20;
my $ready_id = timed('to enqueue ready jobs' => sub { sql(qq{
	DO \$\$ BEGIN
		FOR part IN 1 .. $ready BY 10000 LOOP
			PERFORM count(*) FROM metrics_refresh.enqueue_many('outside',
				array_fill('{}'::jsonb, ARRAY[least(10000, $ready - part + 1)::int]));
			COMMIT;
		END LOOP;
	END \$\$;
	SELECT max(id) - 1000 FROM metrics_refresh_internal.queue_hot}) });
reads('a job that is ready', 500, "$jobs id = $ready_id", rows => 1);
my $enqueue = "SELECT metrics_refresh.enqueue('outside', unique_key =>";
reads('enqueue() with a new unique key', 100, "$enqueue 'b')", before => "$enqueue 'a')");
reads('enqueue() with one that is there', 100, "$enqueue 'b')");
reads('claim_jobs()', 50, q{SELECT metrics_refresh.claim_jobs('{outside}')}, rows => 1);
reads('running jobs', size('queue_(hot|ended)_.') + 100, "SELECT FROM background_jobs WHERE status = 'processing'", rows => 2, not => 'history|later|stopped');
reads('cancel_job()', 100, "SELECT metrics_refresh.cancel_job($later_id)", before => "SELECT metrics_refresh.cancel_job($later_id + 2)");
reads('retry_job()', 100, "SELECT metrics_refresh.retry_job($stopped_id)", before => "SELECT metrics_refresh.retry_job($stopped_id + 8)");

# Jobs that are due are moved by the scheduler, whose plans are in the server's log.
sql(q{ALTER SYSTEM SET auto_explain.log_min_duration = 0; SELECT pg_reload_conf()});
my $offset = -s $node->logfile;
sql(q{SELECT count(*) FROM metrics_refresh.enqueue_many('outside', array_fill('{}'::jsonb, '{1000}'), delay => '500 ms')});
timed('1000 jobs are due half a second later, and are moved' => sub { status_is("ready > $ready + 900") });
sql(q{ALTER SYSTEM RESET auto_explain.log_min_duration; SELECT pg_reload_conf()});
my $log = slurp_file($node->logfile, $offset);
my @moves = grep { /^DELETE FROM metrics_refresh_internal\.queue_later/m } map { s/\n\d{4}-.*//sr } split / scheduler LOG:  duration: .* plan:\n\tQuery Text: /, $log;
cmp_ok(scalar @moves, '>=', 1, 'the mover deletes rows of queue_later');
for my $plan (@moves)
{
	like($plan, qr/Index Scan using queue_later_due/, 'by the index of due jobs');
	unlike($plan, qr/Seq Scan on queue/, 'and never reads the table');
}

# Changes of many jobs go on behind the jobs that they have changed.
sub changes
{
	my ($call, $table, $count) = @_;
	my $before = size($table);
	my ($out, $err);
	timed($call => sub { $node->psql('postgres', qq{
		SET client_min_messages = log; SET auto_explain.log_min_duration = 0; SELECT metrics_refresh.$call}, stdout => \$out, stderr => \$err) });
	is($out, $count, "$call: so many");
	my ($steps, $pages) = (0, 0);
	for my $plan (grep { /LockRows.* on $table/s } split /LOG:  duration/, $err)
	{
		$steps++;
		$pages += pages($plan, "LockRows.*?Scan[^\n]* on $table.*?");
	}
	note "$call: $steps steps read $pages pages, $before in the table";
	cmp_ok($pages, '<=', 2 * $before + 20 * $steps, "$call: passes each job once");
	return;
}
my ($failed) = sql(q{SELECT failed FROM metrics_refresh.job_counts() WHERE type = 'type 1'});
my ($dead) = sql(q{SELECT dead FROM metrics_refresh.job_counts() WHERE type = 'type 1'});
changes(q{retry_failed_jobs('type 1')}, 'queue_stopped', $failed + $dead);
changes(q{purge_jobs('0', 'canceled')}, 'queue_stopped', sql('SELECT sum(canceled) FROM metrics_refresh.job_counts()'));

# Times of the rest, for the eye.
timed('all jobs in order' => sub { sql("$jobs true ORDER BY id DESC LIMIT 50") });
timed('all jobs for a stranger' => sub { is(sql("SET SESSION AUTHORIZATION stranger; SELECT count(*) FROM background_jobs"), '0', 'a stranger sees nothing') });
timed('jobs of a type' => sub { sql("SELECT count(*) FROM background_jobs WHERE type = 'type 3'") });
$node->stop('immediate');
$node->start;
timed('after a crash until jobs can start' => sub { status_is(q{state = 'open'}) });

$node->stop;
done_testing();
