# Primary and standby change places, twice: nothing runs on a standby, everything runs on the one
# that is promoted, from the state that was replicated, and the old primary comes back as a standby.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $one = start_node('one', max_wal_senders => 4, hot_standby => 'on', wal_log_hints => 'on', wal_keep_size => '1GB',
	'metrics_refresh.suspend_after' => 1);
$one->append_conf('pg_hba.conf', 'local replication all trust');
$one->reload;
$one->safe_psql('postgres', 'CREATE DATABASE other');
create_extension($one, $_) for qw(postgres other);
$one->safe_psql('other', q{SELECT metrics_refresh.schedule_command('beat', '1 second', 'SELECT 1')});
create_nap_view($one, 'postgres', 'slow', 600);
create_nap_view($one, 'postgres', 'quick', 0);
$one->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady');
	SELECT metrics_refresh.schedule('slow', job_name => 'slow', lock_timeout => '1 hour');
	SELECT metrics_refresh.schedule_command('long', NULL, 'SELECT pg_sleep(600)');
	SELECT metrics_refresh.schedule_command('paused', '1 second', 'SELECT 1');
	SELECT metrics_refresh.pause('paused');
	SELECT metrics_refresh.schedule_command('wrong', '1 second', 'SELEKT 1')});
until_ok($one, 'postgres',
	q{SELECT suspended_at IS NOT NULL FROM metrics_refresh.job_status WHERE job_name = 'wrong'},
	'a job is suspended');
$one->backup('base');

my $two = PostgreSQL::Test::Cluster->new('two');
$two->init_from_backup($one, 'base', has_streaming => 1);
$two->start;

# Runs under way, and a request that waits for the first of them.
my %run = map { $_ => $one->safe_psql('postgres', "SELECT metrics_refresh.trigger('$_')") } qw(slow long);
wait_for_run($one, 'postgres', $_) for sort keys %run;
$one->safe_psql('postgres', 'UPDATE slow_nap SET seconds = 0');
my $queued = $one->safe_psql('postgres', q{SELECT metrics_refresh.trigger('slow')});
wait_for_runs($one, 'postgres', 'steady', 1);

sub is_quiet
{
	my ($node, $primary, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	# Two due times pass for everybody.
	wait_for_runs($primary, $_->[0], $_->[1], 2, "$name: $_->[1] runs on the primary")
	  for [ 'postgres', 'steady' ], [ 'other', 'beat' ];
	$primary->wait_for_catchup($node, 'replay', $primary->lsn('insert'));
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'metrics_refresh%'"),
		0,
		"$name: the standby has no process of ours");
	is( $node->safe_psql('postgres', 'SELECT max(run_id) >= 0 FROM metrics_refresh.run_log'),
		't', "$name: and can be read");
	return;
}

my @state = (
	'postgres', q{
	SELECT s.job_name, j.active, s.suspended_at, s.consecutive_failures FROM metrics_refresh.job_status s
	JOIN metrics_refresh.job j USING (job_id) WHERE s.job_name IN ('paused', 'wrong') ORDER BY 1});

is_quiet($two, $one, 'at first');
is($two->safe_psql(@state), $one->safe_psql(@state), 'jobs and their state are replicated');

# Promoted while the old primary lives, as after a network split: both go their own way.
$two->promote;
my $promoted = $two->safe_psql('postgres', 'SELECT clock_timestamp()');
wait_for_runs($two, $_->[0], $_->[1], 2, "promoted: $_->[1] runs") for [ 'postgres', 'steady' ], [ 'other', 'beat' ];
for my $job (sort keys %run)
{
	until_ok(
		$two, 'postgres', qq{SELECT status = 'interrupted' AND finished_at > started_at
		FROM metrics_refresh.run_log WHERE run_id = $run{$job}},
		"promoted: the run of $job that the primary had under way is interrupted");
}
until_ok($two, 'postgres', "SELECT status = 'success' FROM metrics_refresh.run_log WHERE run_id = $queued",
	'promoted: the request that waited is served');
is( $two->safe_psql('postgres',
		"SELECT extract(epoch FROM min(started_at) - '$promoted') < 10 FROM metrics_refresh.run_log
		WHERE job_name = 'steady' AND started_at > '$promoted'"),
	't',
	'promoted: all this within seconds');
is($two->safe_psql(@state), $one->safe_psql(@state), 'promoted: a paused and a suspended job stay so');
is($two->safe_psql('postgres', q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'paused'}),
	0, 'promoted: the paused one does not run');
is(twice_served($two, $_), 0, "promoted: in $_ no due time was served twice") for qw(postgres other);
wait_for_runs($one, 'postgres', 'steady', 1, 'the old primary knows nothing of it');

# The old primary is wound back to where they parted.
$one->stop('immediate');
$two->safe_psql('postgres', 'CHECKPOINT');
my $conf = slurp_file($one->data_dir . '/postgresql.conf');
command_ok(
	[
		'pg_rewind', '--target-pgdata', $one->data_dir, '--source-server', $two->connstr('postgres'),
		'--no-sync', '--config-file', $one->data_dir . '/postgresql.conf'
	],
	'pg_rewind of the old primary');
unlink $one->data_dir . '/postgresql.conf';
append_to_file($one->data_dir . '/postgresql.conf', $conf);
$one->enable_streaming($two);
# Where it is off, nothing runs on a promoted one either, until it is on.
$one->append_conf('postgresql.conf', 'metrics_refresh.enabled = off');
$one->start;
is_quiet($one, $two, 'back');
is( $one->safe_psql('postgres', 'SELECT count(*) FROM metrics_refresh.run_log WHERE run_id < ' . $queued),
	$two->safe_psql('postgres', 'SELECT count(*) FROM metrics_refresh.run_log WHERE run_id < ' . $queued),
	'back: the log is that of the new primary');

$two->stop('fast');
my $last = $one->safe_psql('postgres', 'SELECT max(run_id) FROM metrics_refresh.run_log');
$one->promote;
until_ok($one, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh_internal.active_run},
	'promoted again: what the other had under way is closed');
like(hurt($one, 'postgres'), qr/^scheduler\|warning\|metrics_refresh\.enabled is off/m,
	'promoted again, but switched off: health says so');
is($one->safe_psql('postgres', "SELECT count(*) FROM metrics_refresh.run_log WHERE run_id > $last"),
	0, 'nothing runs');
$one->append_conf('postgresql.conf', 'metrics_refresh.enabled = on');
$one->reload;
wait_for_runs($one, $_->[0], $_->[1], 2, "switched on: $_->[1] runs")
  for [ 'postgres', 'steady' ], [ 'other', 'beat' ];
is(twice_served($one, $_), 0, "in $_ no due time was served twice") for qw(postgres other);
is(unended($one, $_), 0, "in $_ every run has an end") for qw(postgres other);
$one->safe_psql($_, 'SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job') for qw(postgres other);
until_ok($one, $_, 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()', "$_: all runs end")
  for qw(postgres other);
is(running_rows($one, $_), 0, "$_: no row is left running") for qw(postgres other);
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|was terminated by signal/, 'nothing broke on ' . $_->name)
  for $one, $two;

$one->stop;
done_testing();
