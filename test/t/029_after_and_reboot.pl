# Schedules that hang on more than the clock: @after counts from the end of a run, also over a restart;
# @reboot is due once at each start of the server.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('after_and_reboot');
create_extension($node);
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule_command('after', '@after 2 seconds', 'SELECT pg_sleep(1)');
	SELECT metrics_refresh.schedule_command('boot', '@reboot', 'SELECT 1', on_missed => 'skip')});
wait_for_runs($node, 'postgres', 'after', 3, 'the job runs again and again');

my $pauses = q{
	SELECT due_at, missed, extract(epoch FROM due_at - lag(finished_at) OVER (ORDER BY due_at)) AS pause,
	       extract(epoch FROM started_at - due_at) AS late
	FROM metrics_refresh.run_log WHERE job_name = 'after'};
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM ($pauses) p WHERE pause NOT BETWEEN 1.9 AND 2.5 OR missed > 0"),
	0, 'each run is due two seconds after the end of the one before, and none is missed');

is($node->safe_psql('postgres', q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'boot'}),
	0, 'a job made after the start of the server waits for the next');
for my $starts (1 .. 2)
{
	$node->restart;
	wait_for_server($node);
	until_ok(
		$node, 'postgres',
		qq{SELECT count(*) = $starts FROM metrics_refresh.run_log WHERE job_name = 'boot' AND status = 'success'},
		"start $starts of the server is served");
	is( $node->safe_psql(
			'postgres', q{SELECT count(*), max(due_at) = pg_postmaster_start_time()
			FROM metrics_refresh.run_log WHERE job_name = 'boot'}),
		"$starts|t",
		'once, and due when it was');
}
wait_for_runs($node, 'postgres', 'after', 2, '@after goes on');

$node->stop;
done_testing();
