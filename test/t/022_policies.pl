# What a job says about its runs, in a server: who goes first, how many at once, what comes of a due
# time during a run, and the settings in force.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('policies', 'metrics_refresh.max_workers' => 1);
create_extension($node);

sub setting
{
	my ($name, $value) = @_;
	$node->append_conf('postgresql.conf', "$name = $value");
	return;
}

# A job without a schedule that lasts until the advisory lock is free.
sub gate
{
	my ($database, $name, $options) = @_;
	$options //= '';
	$node->safe_psql($database,
		qq{SELECT metrics_refresh.schedule_command('$name', NULL, 'SELECT pg_advisory_xact_lock_shared(1)' $options)});
	return;
}

# Priorities. One worker, which is busy until all the others wait.
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
gate('postgres', 'busy');
my %priority = (low => -5, plain => 0, later => 0, high => 5, highest => 1000);
gate('postgres', $_, ", priority => $priority{$_}") for sort keys %priority;
$node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('busy')});
until_ok($node, 'postgres',
	q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'busy' AND status = 'running'},
	'the only worker is busy');
$node->safe_psql('postgres', "SELECT metrics_refresh.trigger('$_')") for qw(low plain later high highest);
until_ok($node, 'postgres', q{SELECT count(*) = 5 FROM metrics_refresh.job_status WHERE state = 'queued'},
	'the others wait');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
until_ok($node, 'postgres', q{SELECT count(*) = 6 FROM metrics_refresh.run_log WHERE status = 'success'}, 'all run');
is( $node->safe_psql(
		'postgres', q{SELECT string_agg(job_name, ' ' ORDER BY started_at) FROM metrics_refresh.run_log}),
	'busy highest high plain later low',
	'by priority, then in the order in which they came');

# A limit of workers for each database.
setting('metrics_refresh.max_workers', 4);
setting('metrics_refresh.max_workers_per_database', 2);
$node->restart;
$node->safe_psql('postgres', 'CREATE DATABASE other');
create_extension($node, 'other');
$holder = $node->background_psql('postgres');
my $other = $node->background_psql('other');
$_->query_safe('SELECT pg_advisory_lock(1)') for $holder, $other;
$node->safe_psql('postgres', "SELECT metrics_refresh.trigger('$_')") for qw(low high busy);
my $states = q{SELECT string_agg(state, ' ' ORDER BY state) FROM metrics_refresh.job_status WHERE state IN ('queued', 'running')};
until_ok($node, 'postgres', "SELECT ($states) = 'queued running running'",
	'the third run waits, though the cluster has workers');
gate('other', 'there');
$node->safe_psql('other', q{SELECT metrics_refresh.trigger('there')});
until_ok($node, 'other', "SELECT ($states) = 'running'", 'which another database gets');
is($node->safe_psql('postgres', $states), 'queued running running', 'while that run still waits');
$_->query_safe('SELECT pg_advisory_unlock(1)') for $holder, $other;
until_ok($node, 'postgres', q{SELECT count(*) = 9 FROM metrics_refresh.run_log WHERE status = 'success'},
	'it starts when one of its database ends');
is( $node->safe_psql(
		'postgres', q{SELECT count(*) FROM metrics_refresh.run_log a JOIN metrics_refresh.run_log b
		  ON a.started_at > b.started_at AND a.started_at < b.finished_at AND a.job_name = 'busy' AND b.job_name IN ('low', 'high')
		WHERE a.run_id > 6 AND b.run_id > 6 AND b.finished_at > a.started_at + interval '1 s'}),
	0,
	'not before');

# A due time that comes during a run.
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job;
	SELECT metrics_refresh.schedule_command('skip', '1 second', 'SELECT pg_sleep(1.3)', on_overlap => 'skip');
	SELECT metrics_refresh.schedule_command('queue', '1 second', 'SELECT pg_sleep(1.3)', on_overlap => 'queue_one')});
wait_for_runs($node, 'postgres', $_, 3) for qw(skip queue);
$node->safe_psql('postgres', q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job});
# Of each run, whether it was due while the one before it was under way.
my $pairs = q{(SELECT job_name, due_at < lag(finished_at) OVER w AS overlapped, due_at = lag(due_at) OVER w AS again,
	started_at < lag(finished_at) OVER w AS together FROM metrics_refresh.run_log WHERE job_name IN ('skip', 'queue')
	WINDOW w AS (PARTITION BY job_name ORDER BY run_id)) p WHERE overlapped IS NOT NULL};
is( $node->safe_psql('postgres', "SELECT job_name, bool_and(overlapped), bool_or(again), bool_or(together) FROM $pairs GROUP BY 1 ORDER BY 1"),
	"queue|t|f|f\nskip|f|f|f",
	'queue_one serves the due time afterwards, skip waits for the next; none runs twice or at once');
is($node->safe_psql('postgres', q{SELECT bool_and(missed > 0) FROM metrics_refresh.run_log
	WHERE job_name = 'skip' AND finished_at > due_at + interval '1.1 s' AND status = 'success'}),
	't', 'what was skipped is counted');

# Settings in force, of that run alone: the only worker serves both.
$_->quit for $holder, $other;
setting('metrics_refresh.max_workers', 1);
setting('metrics_refresh.worker_idle_timeout', "'10min'");
$node->restart;
$node->safe_psql(
	'postgres', q{
	CREATE TABLE seen (who text, work_mem text, search_path text);
	CREATE MATERIALIZED VIEW v AS SELECT current_setting('work_mem') AS work_mem;
	CREATE UNIQUE INDEX ON v (work_mem);
	SELECT metrics_refresh.schedule_command(who, NULL,
	  format('INSERT INTO seen VALUES (%L, current_setting(''work_mem''), current_setting(''search_path''))', who), settings => s)
	FROM (VALUES ('with', '{"work_mem": "12MB", "search_path": "public, pg_catalog"}'::jsonb), ('without', NULL)) t (who, s);
	SELECT metrics_refresh.schedule('v', job_name => 'v', settings => '{"work_mem": "13MB"}')});
for my $job (qw(with without with v))
{
	my $run = $node->safe_psql('postgres', "SELECT metrics_refresh.trigger('$job')");
	is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($run, '60 s')"), 'success', "$job runs");
}
is($node->safe_psql('postgres', 'SELECT DISTINCT who, work_mem, search_path FROM seen ORDER BY who'),
	qq{with|12MB|public, pg_catalog\nwithout|4MB|"\$user", public}, 'a command has its own settings, and the next one has not');
is($node->safe_psql('postgres', 'TABLE v'), '13MB', 'and so has a refresh');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT worker_pid) FROM metrics_refresh.run_log WHERE job_name IN ('with', 'without')}),
	1, 'in one worker');

until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh_internal.active_run', 'all runs end');
is(running_rows($node, 'postgres'), 0, 'no row is left running');
$node->stop;
done_testing();
