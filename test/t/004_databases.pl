# Several databases: each is found, served and left again, without a restart and without a process
# that stands in somebody's way.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_node(
	'databases',
	'metrics_refresh.scheduler_idle_timeout' => '1s',
	'metrics_refresh.worker_idle_timeout' => '0');

my $ours = q{FROM pg_stat_activity WHERE backend_type LIKE 'metrics_refresh %'
  AND backend_type <> 'metrics_refresh launcher'};

# Without the extension: looked into once, then left alone.
$node->safe_psql('postgres', 'CREATE DATABASE plain');
until_ok($node, 'postgres', "SELECT count(*) = 0 $ours",
	'no process stays where the extension is not');
is(processes($node, 'launcher'), 1, 'there is one launcher');

# Two at a time. Their jobs have the same numbers.
for my $database (qw(one two))
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	create_extension($node, $database);
	$node->safe_psql($database,
		q{SELECT metrics_refresh.schedule_command('beat', '1 second', 'SELECT pg_sleep(0.3)')});
}
wait_for_runs($node, $_, 'beat', 2, "database $_, made without a restart, is served") for qw(one two);
for my $database (qw(one two))
{
	is( $node->safe_psql(
			$database, q{
			SELECT count(*) FROM (SELECT due_at - lag(due_at) OVER (ORDER BY due_at) AS step
			FROM metrics_refresh.run_log) s WHERE step <> interval '1 second'}),
		0,
		"database $database: no slot is lost beside the other");
}
is(processes($node, 'scheduler', $_), 1, "database $_ has one scheduler") for qw(one two);
is( $node->safe_psql('one', 'SELECT count(*) FROM metrics_refresh.running WHERE job_name <> \'beat\''),
	0, 'a database sees its own runs only');
is(processes($node, 'scheduler', 'plain'), 0, 'the one without the extension has none');

# The scheduler leaves when nothing is due for a while, and is back in time.
$node->safe_psql('two', q{SELECT metrics_refresh.alter_job('beat', schedule => '4 seconds')});
my $idle = q{
	SELECT next_due > clock_timestamp() + interval '1 second' AND NOT EXISTS (SELECT FROM pg_stat_activity
	  WHERE backend_type LIKE 'metrics_refresh %' AND datname = 'two')
	FROM metrics_refresh.job_status};
until_ok($node, 'two', $idle, 'an idle scheduler leaves before the next due time');
like(
	$node->safe_psql('two', "SELECT severity, detail FROM metrics_refresh.health_check() WHERE check_name = 'scheduler'"),
	qr/^ok\|asleep until/, 'health says that it sleeps');
my $due = $node->safe_psql('two', 'SELECT next_due FROM metrics_refresh.job_status');
until_ok($node, 'two', "SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE due_at = '$due'",
	'it is back for the next due time');
my $late = $node->safe_psql('two',
	"SELECT extract(epoch FROM started_at - due_at) FROM metrics_refresh.run_log WHERE due_at = '$due'");
note "after the scheduler's absence the run started $late s late";
cmp_ok($late, '<', 0.5, 'in time');

# Asleep for hours, it is woken by a change.
$node->safe_psql('two', q{SELECT metrics_refresh.alter_job('beat', schedule => '0 0 1 1 *')});
until_ok($node, 'postgres', "SELECT count(*) = 0 $ours AND datname = 'two'", 'it leaves for long');
my $run = $node->safe_psql('two', q{SELECT metrics_refresh.trigger('beat')});
is($node->safe_psql('two', "SELECT metrics_refresh.wait($run, '30 s')"),
	'success', 'a request wakes a scheduler that sleeps');
until_ok($node, 'postgres', "SELECT count(*) = 0 $ours AND datname = 'two'", 'it leaves again');

# A copy of a database with the extension is served from the start. A template must have no
# connection at all while it is copied: our processes make room, and come back.
$node->safe_psql('two', q{SELECT metrics_refresh.alter_job('beat', schedule => '1 second')});
wait_for_runs($node, 'two', 'beat', 1);
$node->safe_psql(
	'two', q{
	INSERT INTO metrics_refresh_internal.run_log (run_id, job_id, job_name, triggered_by, started_at, status)
	SELECT 1000000, job_id, job_name, 'schedule', now(), 'running' FROM metrics_refresh.job;
	INSERT INTO metrics_refresh_internal.active_run SELECT 1000000, job_id FROM metrics_refresh.job});
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE two');
pass('CREATE DATABASE … TEMPLATE of a database whose jobs run');
wait_for_runs($node, 'copy', 'beat', 2, 'a database copied from a template is served');
is($node->safe_psql('copy', 'SELECT status FROM metrics_refresh.run_log WHERE run_id = 1000000'),
	'interrupted', 'runs that were copied as running are closed');
$node->safe_psql('postgres', 'ALTER DATABASE two RENAME TO zwei');
wait_for_runs($node, 'zwei', 'beat', 2, 'after ALTER DATABASE … RENAME too, which needs the same');
wait_for_runs($node, 'one', 'beat', 1, 'and the other database was served all the time');
is( $node->safe_psql(
		'one', q{
		SELECT count(*) FROM (SELECT due_at - lag(due_at) OVER (ORDER BY due_at) AS step
		FROM metrics_refresh.run_log) s WHERE step <> interval '1 second'}),
	0,
	'without a lost slot');
is(running_rows($node, 'zwei') <= 2, 1, 'no row is left running');

# After DROP EXTENSION nobody stands in the way of DROP DATABASE, and nobody tries to come back.
my $offset = -s $node->logfile;
$node->safe_psql('copy', 'DROP EXTENSION metrics_refresh');
until_ok($node, 'postgres', "SELECT count(*) = 0 $ours AND datname = 'copy'",
	'DROP EXTENSION ends the processes');
$node->safe_psql('postgres', 'DROP DATABASE copy');
wait_for_runs($node, 'one', 'beat', 2, 'the other database is served on');
# Dropped with the extension in it and a run under way.
$node->safe_psql('zwei',
	q{SELECT metrics_refresh.schedule_command('long', NULL, 'SELECT pg_sleep(600)'); SELECT metrics_refresh.trigger('long')});
wait_for_run($node, 'zwei', 'long');
$node->safe_psql('postgres', 'DROP DATABASE zwei');
pass('DROP DATABASE with a run under way');
wait_for_runs($node, 'one', 'beat', 2, 'the other database is served on');
is($node->safe_psql('postgres', "SELECT count(*) $ours AND datname IS DISTINCT FROM 'one'"),
	0, 'nobody is left of the dropped ones');
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset);
my $vain = () = $log =~ /scheduler FATAL: +database \d+ does not exist|scheduler FATAL: +database "/g;
cmp_ok($vain, '<=', 1, 'a scheduler looks for a database that was dropped once at most');
unlike($log, qr/PANIC|TRAP|server process .* was terminated/, 'nothing broke');

# A database that lets nobody in does not disturb the rest.
$node->safe_psql('postgres', 'CREATE DATABASE shut TEMPLATE plain ALLOW_CONNECTIONS false');
wait_for_runs($node, 'one', 'beat', 2, 'the other database is served on');

# One that becomes a template, or lets nobody in any more: what is under way ends, no other run begins, and
# nobody of ours is left in it; until that is taken back.
my $last = q{SELECT coalesce(max(run_id), 0) FROM metrics_refresh.run_log};
for my $change ('IS_TEMPLATE true', 'ALLOW_CONNECTIONS false')
{
	my $nap = $node->safe_psql('one', q{SELECT metrics_refresh.schedule_command('nap', NULL, 'SELECT pg_sleep(3)'); SELECT metrics_refresh.trigger('nap')});
	$nap =~ s/.*\n//;
	wait_for_run($node, 'one', 'nap');
	$node->safe_psql('postgres', "ALTER DATABASE one $change");
	until_ok($node, 'postgres', "SELECT count(*) = 0 $ours AND datname = 'one'", "$change: our processes leave");
	$node->safe_psql('postgres', 'UPDATE pg_database SET datallowconn = true') if $change =~ /ALLOW/;
	is($node->safe_psql('one', "SELECT status FROM metrics_refresh.run_log WHERE run_id = $nap"), 'success', "$change: after the run under way");
	my $before = $node->safe_psql('one', $last);
	sleep 2.5;
	is($node->safe_psql('one', $last), $before, "$change: no other run begins");
	is($node->safe_psql('postgres', "SELECT count(*) $ours AND datname = 'one'"), 0, "$change: nobody comes back");
	$node->safe_psql('postgres', 'ALTER DATABASE one ' . ($change =~ /TEMPLATE/ ? 'IS_TEMPLATE false' : 'ALLOW_CONNECTIONS true'));
	wait_for_runs($node, 'one', 'beat', 2, "$change: and all goes on when it is taken back");
}

# A database made anew, from a copy, with the number of one that was dropped: what was counted for that is of another
# time. The copy's table has changed since, and the dropped one's has not.
$node->safe_psql('postgres', 'CREATE DATABASE counted');
create_extension($node, 'counted');
$node->safe_psql('counted', q{
	CREATE TABLE t AS SELECT 1 AS n;
	CREATE MATERIALIZED VIEW v AS SELECT sum(n) FROM t});
my $refresh = q{SELECT r ->> 'strategy' FROM metrics_refresh.refresh('v') r};
# Transactions that are under way elsewhere leave open for a moment whether it is fresh.
$node->poll_query_until('counted', $refresh, 'skip') or die 'the view is never fresh';
my $oid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'counted'});
$node->safe_psql('postgres', 'CREATE DATABASE changed TEMPLATE counted');
$node->safe_psql('changed', 'UPDATE t SET n = 2');
$node->safe_psql('postgres', 'DROP DATABASE counted');
$node->safe_psql('postgres', "CREATE DATABASE counted TEMPLATE changed OID $oid");
isnt($node->safe_psql('counted', $refresh), 'skip', 'a database with the number of a dropped one: nothing counts that was counted before');
is($node->safe_psql('counted', 'SELECT * FROM v'), 2, 'and the view is right');

$node->stop;
done_testing();
