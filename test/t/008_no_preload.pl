# Not preloaded, the library explains itself and does what needs no worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('no_preload', shared_preload_libraries => '');

my ($code, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION metrics_refresh');
isnt($code, 0, 'CREATE EXTENSION fails');
like($err, qr/ERROR:  metrics_refresh must be loaded via shared_preload_libraries/,
	'with a clear error');
like($err, qr/HINT:  .*shared_preload_libraries in postgresql\.conf and restart the server/,
	'and a hint');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_namespace WHERE nspname = 'metrics_refresh'"),
	0, 'and leaves nothing behind');

$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'metrics_refresh'\nmetrics_refresh.max_workers = 2");
$node->restart;
create_extension($node);
create_nap_view($node, 'postgres', 'slow', 600);
create_nap_view($node, 'postgres', 'quick', 0);
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady', timezone => 'Asia/Tokyo');
	SELECT metrics_refresh.schedule('slow', job_name => 'slow');
	SELECT metrics_refresh.trigger('slow')});
wait_for_runs($node, 'postgres', 'steady', 1);
my $run = wait_for_run($node, 'postgres', 'slow');

# Taken away, with a run under way and its settings still in the file.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'metrics%'"),
	0, 'there are no processes');
is( $node->safe_psql(
		'postgres', q{
		SELECT check_name, severity FROM metrics_refresh.health_check()
		WHERE check_name IN ('preload', 'launcher', 'scheduler') ORDER BY 1}),
	"launcher|critical\npreload|critical\nscheduler|critical",
	'health says that it is not preloaded');
is($node->safe_psql('postgres', 'SELECT status FROM metrics_refresh.health_summary()'),
	'critical', 'health_summary() too');
for my $call ("trigger('steady')", "wait($run, '1 s')", "cancel($run)")
{
	($code, $out, $err) = $node->psql('postgres', "SELECT metrics_refresh.$call");
	like($err, qr/ERROR:  metrics_refresh must be loaded via shared_preload_libraries\nHINT:/,
		"$call says what is missing");
}
is( $node->safe_psql(
		'postgres', q{
		SELECT n AT TIME ZONE 'UTC' FROM metrics_refresh.next_runs('30 2 * * *', 2, '2024-03-30 12:00+00', 'Europe/Berlin') n}),
	"2024-03-31 01:00:00\n2024-04-01 00:30:00",
	'next_runs() works');
is( $node->safe_psql(
		'postgres', q{
		SELECT r ->> 'success' FROM metrics_refresh.refresh('quick') r}),
	'true',
	'refresh() works in the session');
# What reads only, reads.
for my $relation (
	qw(job_status running run_log view_dependencies settings worker_slots() get_refresh_stats()))
{
	($code, $out, $err) =
	  $node->psql('postgres', "SELECT count(*) FROM metrics_refresh.$relation");
	is("$code$err", '0', "$relation can be read");
}
for my $call (
	'get_metrics_refresh_stats(24)', 'trigger_platform_metrics_refresh()',
	'refresh_platform_metrics_with_logging()', 'cleanup_old_metrics_logs()')
{
	($code, $out, $err) = $node->psql('postgres', "SELECT $call");
	is("$code$err", '0', "$call works");
}
# Configuration may be changed or not, but says so and breaks nothing.
$node->psql('postgres', "SELECT metrics_refresh.$_")
  for (
	"schedule_command('new', '1 second', 'SELECT 1')",
	"alter_job('new', schedule => '2 seconds')",
	"pause('new')", "resume('new')", "unschedule('new')");
unlike(
	PostgreSQL::Test::Utils::slurp_file($node->logfile),
	qr/PANIC|TRAP|was terminated by signal/, 'nothing broke');

# It comes back where it was.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'metrics_refresh'");
$node->restart;
wait_for_runs($node, 'postgres', 'steady', 2, 'preloaded again, jobs run again');
until_ok($node, 'postgres', "SELECT status = 'interrupted' FROM metrics_refresh.run_log WHERE run_id = $run",
	'the run that was under way is interrupted');

# And can be dropped without being loaded.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$node->safe_psql('postgres', 'DROP EXTENSION metrics_refresh');
pass('DROP EXTENSION works without preload');

$node->stop;
done_testing();
