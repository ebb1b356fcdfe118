# On a standby nothing runs and nothing breaks; promoted, it takes over by itself.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = start_node('primary', wal_level => 'replica', max_wal_senders => 4, max_prepared_transactions => 2, hot_standby => 'on');
$primary->append_conf('pg_hba.conf', 'local replication all trust');
$primary->reload;
create_extension($primary);
create_nap_view($primary, 'postgres', 'slow', 600);
create_nap_view($primary, 'postgres', 'quick', 0);
$primary->safe_psql(
	'postgres', q{
	CREATE TABLE base (k int, n int);
	INSERT INTO base VALUES (1, 1), (2, 2);
	CREATE MATERIALIZED VIEW kept AS SELECT k, sum(n) AS n FROM base GROUP BY k});
$primary->safe_psql('postgres', q{SELECT metrics_refresh.schedule('kept', strategy => 'incremental')});
sub kept { return $_[0]->safe_psql('postgres', q{SELECT metrics_refresh.refresh('kept', 'incremental') ->> 'strategy'}); }
kept($primary) for 1 .. 2;
$primary->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady');
	SELECT metrics_refresh.schedule('slow', job_name => 'slow');
	SELECT metrics_refresh.trigger('slow')});
my $run = wait_for_run($primary, 'postgres', 'slow');
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
wait_for_runs($primary, 'postgres', 'steady', 2, 'the primary runs its jobs');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is( $standby->safe_psql(
		'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'metrics_refresh%'"),
	0,
	'no process of ours runs on a standby');
for my $relation (qw(job_status running run_log health_check() health_summary() get_refresh_stats()))
{
	my ($code, $out, $err) =
	  $standby->psql('postgres', "SELECT count(*) > 0 FROM metrics_refresh.$relation");
	is("$code$err", '0', "$relation can be read there");
}
for my $call ("trigger('steady')", "pause('steady')", "refresh('quick')")
{
	my ($code, $out, $err) = $standby->psql('postgres', "SELECT metrics_refresh.$call");
	like($err, qr/ERROR:  (cannot|recovery)/, "$call is refused there");
}

# The keys that a prepared transaction has captured stay behind.
is($standby->safe_psql('postgres', q{SELECT change_state FROM metrics_refresh.explain_refresh('kept')}),
	'changes of its tables are not counted while the server is in recovery', 'nothing is counted there');
$primary->safe_psql('postgres', q{BEGIN; UPDATE base SET n = 99 WHERE k = 1; PREPARE TRANSACTION 'p'});
is(kept($primary), 'incremental', 'the primary refreshes by keys');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

$primary->stop('immediate');
$standby->promote;
is(kept($standby), 'diff', 'promoted, it looks at all rows') for 1 .. 2;
$standby->safe_psql('postgres', q{COMMIT PREPARED 'p'});
is(kept($standby), 'diff', 'until what was prepared before is over');
is($standby->safe_psql('postgres', 'SELECT n FROM kept WHERE k = 1'), '99', 'and seen');
$standby->safe_psql('postgres', 'UPDATE base SET n = 3 WHERE k = 2');
is(kept($standby), 'incremental', 'then it refreshes by keys');
wait_for_runs($standby, 'postgres', 'steady', 2, 'promoted, it runs the jobs');
until_ok(
	$standby, 'postgres',
	"SELECT status = 'interrupted' FROM metrics_refresh.run_log WHERE run_id = $run",
	'and closes what the primary left under way');

$standby->stop;
done_testing();
