# A long log costs nothing: what is asked often reads an index, never the whole table. Ten million
# rows differ from these by a level or two of a B-tree.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

use constant ROWS => $ENV{LOG_ROWS} // 200_000;

# No run of our own: the rows below are all there is.
my $node = start_node('log_scale', 'metrics_refresh.enabled' => 'off', jit => 'off');
$node->safe_psql('postgres', 'CREATE EXTENSION metrics_refresh');
my $rows = ROWS;
# Sixty days of runs, of twenty jobs of one view each; the jobs of platform_metrics among them.
$node->safe_psql(
	'postgres', qq{
	CREATE ROLE owner LOGIN; CREATE ROLE stranger LOGIN;
	GRANT CREATE ON SCHEMA public TO owner;
	SELECT metrics_refresh.schedule_command('job' || n, '5 minutes', 'SELECT 1') FROM generate_series(3, 20) n;
	INSERT INTO metrics_refresh_internal.run_log (job_id, job_name, view_schema, view_name, owner, triggered_by,
	  due_at, started_at, finished_at, duration_ms, status, error_message)
	SELECT 1 + n % 20, 'job' || n % 20, 'public', CASE n % 20 WHEN 0 THEN 'platform_metrics' ELSE 'v' || n % 20 END,
	  CASE WHEN n % 20 < 10 THEN 'postgres' ELSE 'owner' END,
	  'schedule', t, t, t + interval '1 second', 1000, CASE WHEN n % 100 < 98 THEN 'success' ELSE 'error' END,
	  CASE WHEN n % 100 >= 98 THEN 'it failed' END
	FROM (SELECT n, now() - n * (interval '60 days' / $rows) AS t FROM generate_series(1, $rows) n) g
	ORDER BY t;
	INSERT INTO metrics_refresh_internal.job_state (job_id, last_run_id, last_status)
	SELECT job_id, max(run_id), 'success' FROM metrics_refresh.run_log GROUP BY job_id
	ON CONFLICT (job_id) DO UPDATE SET last_run_id = EXCLUDED.last_run_id});
$node->safe_psql('postgres', 'VACUUM ANALYZE metrics_refresh_internal.run_log, metrics_refresh.job_state');

# The plans of a statement and of every statement inside the functions that it calls, as executed.
sub plans
{
	my ($sql, $role) = @_;
	my ($code, $out, $err) = $node->psql(
		'postgres', qq{
		LOAD 'auto_explain';
		SET auto_explain.log_min_duration = 0;
		SET auto_explain.log_nested_statements = on;
		SET auto_explain.log_analyze = on;
		SET auto_explain.log_timing = off;
		SET client_min_messages = log;
		SET log_min_messages = panic;
		} . ($role ? "SET SESSION AUTHORIZATION $role;" : '') . $sql);
	return "$code $err";
}

sub reads_an_index
{
	my ($name, $sql, $most, $role) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $plans = plans($sql, $role);
	like($plans, qr/^0 .*(Index Scan|Index Only Scan|Bitmap Index Scan)/s, "$name reads an index");
	unlike($plans, qr/Seq Scan on (metrics_refresh\.)?run_log/, "$name does not read the whole log")
	  or diag $plans;
	# What came out of run_log, and what was fetched from it and thrown away.
	my ($read, $loops) = (0, 0);
	for my $line (split /\n/, $plans)
	{
		if ($line =~ /\(actual rows=(\d+) loops=(\d+)\)/)
		{
			my ($rows_each, $times) = ($1, $2);
			$loops = $line =~ /(Scan using \w+|Heap Scan|Seq Scan|Backward using \w+) on run_log/ ? $times : 0;
			$read += $rows_each * $loops;
		}
		$read += $1 * $loops if $line =~ /Rows Removed by (?:Filter|Index Recheck): (\d+)/;
	}
	note "$name touches $read rows of the log";
	cmp_ok($read, '<=', $most, "$name touches few rows");
	return;
}

SKIP:
{
	my ($code) = $node->psql('postgres', "LOAD 'auto_explain'");
	skip 'there is no auto_explain', 1 if $code != 0;

	# A day of one of the twenty jobs: its own index, not the whole window by time.
	my $day = $rows / 60 / 20 + 10;
	reads_an_index('get_metrics_refresh_stats()', 'SELECT * FROM get_metrics_refresh_stats(24)', $day);
	reads_an_index('get_metrics_refresh_stats() for an owner',
		'SELECT * FROM get_metrics_refresh_stats(24)', $day, 'owner');
	reads_an_index('the last 50 rows',
		'SELECT * FROM metrics_refresh_log ORDER BY started_at DESC LIMIT 50', 50);
	reads_an_index('the last 50 rows by id',
		'SELECT * FROM metrics_refresh_log ORDER BY id DESC LIMIT 50', 50);
	reads_an_index('the last 50 rows of a view',
		q{SELECT * FROM metrics_refresh_log WHERE view_schema = 'public' AND view_name = 'v3'
		ORDER BY started_at DESC LIMIT 50}, 50);
	reads_an_index('the last run of a job',
		'SELECT * FROM metrics_refresh.run_log WHERE job_id = 7 ORDER BY started_at DESC LIMIT 1', 10);
	reads_an_index('the last run of each job', q{
		SELECT j.job_name, l.* FROM metrics_refresh.job_status j
		LEFT JOIN metrics_refresh.run_log l ON l.run_id = j.last_run_id}, 20);
	reads_an_index('get_refresh_stats() of one job',
		q{SELECT * FROM metrics_refresh.get_refresh_stats(24, 'job7')}, $day);
	# Twenty jobs.
	reads_an_index('get_refresh_stats() of all', 'SELECT * FROM metrics_refresh.get_refresh_stats(24)', 20 * $day);
	reads_an_index('health_check()', 'SELECT * FROM metrics_refresh.health_check()', 20 * $day);
	unlike(plans('SELECT * FROM metrics_refresh.job_status'), qr/run_log/, 'job_status does not read the log');
}

# Times, for the eye: best of five, as what else the machine does is not ours.
for my $sql (
	'SELECT * FROM get_metrics_refresh_stats(24)',
	'SELECT * FROM metrics_refresh_log ORDER BY started_at DESC LIMIT 50',
	'SELECT * FROM metrics_refresh.job_status',
	'SELECT * FROM metrics_refresh.health_check()')
{
	my ($code, $out, $err) =
	  $node->psql('postgres', "\\timing on\n" . "$sql \\g /dev/null\n" x 5);
	my ($best) = sort { $a <=> $b } $out =~ /Time: ([\d.]+) ms/g;
	note "$sql: $best ms";
}

# The clean-up deletes in batches and blocks nobody who writes or reads the log.
my $cleaning = $node->background_psql('postgres');
# Rows grow old while it works, so it is asked before and after.
my $old = q{SELECT count(*) FROM metrics_refresh.run_log WHERE started_at < now() - interval '30 days'};
my $at_least = $node->safe_psql('postgres', $old);
my $removed = $cleaning->query_safe('BEGIN; SELECT cleanup_old_metrics_logs()');
my $at_most = $node->safe_psql('postgres', $old);
ok( $at_least <= $removed && $removed <= $at_most,
	'the clean-up removes what is older than the retention, and says how much')
  or diag("$at_least <= $removed <= $at_most");
my ($code, $out, $err) = $node->psql(
	'postgres', q{
	SET lock_timeout = '1s';
	CREATE MATERIALIZED VIEW mv AS SELECT 1 AS id;
	SELECT r ->> 'success' FROM metrics_refresh.refresh('mv') r;
	SELECT count(*) FROM metrics_refresh.run_log;
	SELECT metrics_refresh.cleanup_logs('40 days')});
is("$code$err$out", '0true' . "\n" . ($rows + 1) . "\n0", 'meanwhile runs are logged and the log is read');
$cleaning->query_safe('COMMIT');
$cleaning->quit;
is( $node->safe_psql('postgres',
		q{SELECT count(*) FROM metrics_refresh.run_log WHERE started_at < now() - interval '31 days'}),
	0,
	'what was cleaned up is gone');

$node->stop;
done_testing();
