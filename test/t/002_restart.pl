# A restart in the middle of a run: the run is interrupted, the schedules go on, and what was due
# meanwhile runs once or not, as the job says. Requests survive.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('restart');
create_extension($node);
create_nap_view($node, 'postgres', 'slow', 600);
create_nap_view($node, 'postgres', 'quick', 0);

# Half an hour away from now, so that no due time comes while the test runs.
my $cron = $node->safe_psql('postgres',
	q{SELECT (extract(minute FROM now())::int + 30) % 60 || ' * * * *'});
$node->safe_psql(
	'postgres', qq{
	SELECT metrics_refresh.schedule('slow', job_name => 'slow');
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady');
	SELECT metrics_refresh.schedule_command('once', '$cron', 'SELECT 1', 'UTC');
	SELECT metrics_refresh.schedule_command('skip', '$cron', 'SELECT 1', 'UTC', on_missed => 'skip');
	SELECT metrics_refresh.schedule_command('none', '$cron', 'SELECT 1', 'UTC')});
wait_for_runs($node, 'postgres', 'steady', 1);

my $missed = 0;
for my $mode (qw(fast immediate))
{
	$node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('slow')});
	my $run = wait_for_run($node, 'postgres', 'slow');
	# As if the server had been down for three hours: these due times lie in the past when it
	# comes back. The scheduler that runs now has them behind it.
	$node->safe_psql(
		'postgres', q{
		UPDATE metrics_refresh_internal.job SET effective_from = now() - interval '3 hours'
		WHERE job_name IN ('once', 'skip');
		UPDATE metrics_refresh_internal.job_state SET handled_until = now() - interval '3 hours'
		WHERE job_id = (SELECT job_id FROM metrics_refresh.job WHERE job_name = 'once')});
	my $before = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
	wait_for_runs($node, 'postgres', 'steady', 1, "$mode: the others run beside the slow one");
	is( $node->safe_psql(
			'postgres',
			"SELECT count(*) FROM metrics_refresh.run_log WHERE job_name IN ('skip', 'none')"
			  . " OR job_name = 'once' AND started_at > '$before'"),
		0,
		"$mode: a scheduler that lives does not go back in time");

	$node->stop($mode);
	$node->start;

	until_ok(
		$node, 'postgres', qq{
		SELECT status = 'interrupted' AND finished_at >= started_at AND duration_ms > 0
		       AND error_message <> ''
		FROM metrics_refresh.run_log WHERE run_id = $run},
		"$mode: the run is interrupted and has an end");
	until_ok(
		$node, 'postgres', q{
		SELECT last_status = 'interrupted' AND consecutive_failures = 0
		FROM metrics_refresh.job_status WHERE job_name = 'slow'},
		"$mode: job_status says so, and counts it as nobody's fault");
	wait_for_runs($node, 'postgres', 'steady', 3, "$mode: schedules go on");
	$missed++;
	is( $node->safe_psql(
			'postgres', q{
			SELECT j.job_name, count(l.run_id) FROM metrics_refresh.job j
			LEFT JOIN metrics_refresh.run_log l USING (job_id)
			WHERE j.job_name IN ('once', 'skip', 'none') GROUP BY 1 ORDER BY 1}),
		"none|0\nonce|$missed\nskip|0",
		"$mode: what was missed runs once for on_missed once, not at all for skip");
	is( $node->safe_psql(
			'postgres', q{
			SELECT bool_and(next_due > now()) FROM metrics_refresh.job_status
			WHERE schedule IS NOT NULL AND job_name <> 'steady'}),
		't',
		"$mode: the next due times lie ahead");
	is( $node->safe_psql(
			'postgres', q{SELECT count(*) FROM metrics_refresh.run_log
			WHERE status = 'running' AND job_name <> 'steady'}),
		0,
		"$mode: no row is left running");
	is( $node->safe_psql(
			'postgres', q{
			SELECT count(*) FROM (SELECT job_id, due_at FROM metrics_refresh.run_log
			WHERE triggered_by = 'schedule' AND job_name = 'steady'
			GROUP BY 1, 2 HAVING count(*) > 1) d}),
		0,
		"$mode: no due time was served twice");
}

# A request that no worker has taken outlives a crash, and is served once.
$node->append_conf('postgresql.conf', 'metrics_refresh.enabled = off');
$node->reload;
until_ok(
	$node, 'postgres', q{
	SELECT setting = 'off' FROM pg_settings WHERE name = 'metrics_refresh.enabled'},
	'the setting is reloaded');
my $request = $node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('steady')});
is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($request, '0')"),
	'queued', 'a request waits while runs are disabled');
$node->stop('immediate');
$node->append_conf('postgresql.conf', 'metrics_refresh.enabled = on');
$node->start;
until_ok(
	$node, 'postgres', "SELECT count(*) = 1 FROM metrics_refresh.run_log
	WHERE run_id = $request AND status = 'success' AND triggered_by = 'manual'",
	'a request outlives a crash');
is($node->safe_psql('postgres', 'SELECT count(*) FROM metrics_refresh.run_request'),
	0, 'and is served once');
wait_for_runs($node, 'postgres', 'steady', 2);

# While it runs, an idle server has nothing left over.
$node->safe_psql('postgres', q{SELECT metrics_refresh.pause('steady')});
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()',
	'no worker slot leaks');
is(running_rows($node, 'postgres'), 0, 'no row is left running');

$node->stop;
done_testing();
