# A lone job is on time: it starts within a second of its commit, then at every slot, once, within
# milliseconds, without drift; a changed schedule holds at once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

use constant SLOTS => 60;
# Between a commit and the first start lies up to one slot of the schedule, and a process start.
use constant SLACK => 0.25;

my $node = start_node('on_time');
create_extension($node);

$node->safe_psql('postgres',
	'CREATE MATERIALIZED VIEW v AS SELECT 1 AS id; CREATE UNIQUE INDEX ON v (id)');

my $committed = $node->safe_psql(
	'postgres', q{
	BEGIN;
	SELECT FROM metrics_refresh.schedule('v', '1 second', job_name => 'lone');
	COMMIT;
	SELECT extract(epoch FROM clock_timestamp())});
until_ok(
	$node, 'postgres',
	q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'lone'},
	'the first run begins');
my $delay = $node->safe_psql('postgres',
	"SELECT extract(epoch FROM min(started_at)) - $committed FROM metrics_refresh.run_log");
note "the first run started $delay s after the commit";
cmp_ok($delay, '<=', 1 + SLACK, 'a job scheduled every second starts within a second of its commit');

# The runs are counted by the log alone: looking every 100 ms would be load of its own.
my $slots = SLOTS;
$node->safe_psql(
	'postgres', qq{DO \$\$
	BEGIN
	  WHILE (SELECT count(*) <= $slots FROM metrics_refresh.run_log WHERE status <> 'running') LOOP
	    PERFORM pg_sleep(1);
	    COMMIT;
	  END LOOP;
	END \$\$}, timeout => 3 * SLOTS);

my $lateness = q{
	SELECT due_at, 1000 * extract(epoch FROM started_at - due_at)::float8 AS late_ms,
	       due_at - lag(due_at) OVER (ORDER BY due_at) AS step,
	       row_number() OVER (ORDER BY due_at) AS n, status, missed
	FROM metrics_refresh.run_log};
is( $node->safe_psql(
		'postgres', "SELECT count(*) FROM ($lateness) l WHERE step <> interval '1 second'"),
	0,
	"no slot of $slots was lost and none served twice");
is( $node->safe_psql(
		'postgres',
		"SELECT count(*) FROM ($lateness) l WHERE missed > 0 OR status NOT IN ('success', 'running')"),
	0,
	'each run succeeded within its slot');
is($node->safe_psql('postgres', "SELECT count(*) FROM ($lateness) l WHERE late_ms < 0"),
	0, 'no run started early');
my ($median, $p95, $longest, $drift) = split /\|/,
  $node->safe_psql(
	'postgres', qq{
	SELECT round(m[1]::numeric, 1), round(m[2]::numeric, 1), round(longest::numeric, 1),
	       round(drift::numeric, 4)
	FROM (SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY late_ms) AS m,
	             max(late_ms) AS longest, regr_slope(late_ms, n) AS drift FROM ($lateness) l) s});
note "start lateness over $slots slots: median $median ms, p95 $p95 ms, longest $longest ms,"
  . " slope $drift ms a slot";
cmp_ok($median, '<=', 50, 'the median start is at most 50 ms late');
# A schedule that counted from the end of each run would lose milliseconds every second, and
# soon slots; counting from the clock, the latest start stays within its slot.
cmp_ok($longest, '<', 1000, 'no start drifted out of its slot');

# A changed schedule holds at once. A second job tells how time passes.
$node->safe_psql(
	'postgres', q{
	CREATE MATERIALIZED VIEW w AS SELECT 1 AS id;
	SELECT metrics_refresh.schedule('w', '1 second', job_name => 'clock')});
my $altered = $node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.alter_job('lone', schedule => '10 hours');
	SELECT clock_timestamp()});
$altered =~ s/^\s+//;
wait_for_runs($node, 'postgres', 'clock', 2, 'time passes');
is( $node->safe_psql(
		'postgres', "SELECT count(*) FROM metrics_refresh.run_log"
		  . " WHERE job_name = 'lone' AND due_at > '$altered'"),
	0,
	'no run of the old schedule follows alter_job');
$altered = $node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.alter_job('lone', schedule => '1 second');
	SELECT clock_timestamp()});
$altered =~ s/^\s+//;
my $since = "FROM metrics_refresh.run_log WHERE job_name = 'lone' AND started_at > '$altered'";
until_ok($node, 'postgres', "SELECT count(*) > 0 $since", 'runs of the new schedule follow');
cmp_ok(
	$node->safe_psql('postgres', "SELECT extract(epoch FROM min(started_at) - '$altered') $since"),
	'<=', 1 + SLACK, 'the first within a second');

# pause and resume
$node->safe_psql('postgres', q{SELECT metrics_refresh.pause('lone')});
my $paused = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
wait_for_runs($node, 'postgres', 'clock', 2, 'time passes');
is( $node->safe_psql(
		'postgres', "SELECT count(*) FROM metrics_refresh.run_log"
		  . " WHERE job_name = 'lone' AND due_at > '$paused'"),
	0,
	'a paused job does not run');
$node->safe_psql('postgres', q{SELECT metrics_refresh.resume('lone')});
my $resumed = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
wait_for_runs($node, 'postgres', 'lone', 2, 'a resumed job runs');
is( $node->safe_psql(
		'postgres', "SELECT count(*) FROM metrics_refresh.run_log"
		  . " WHERE job_name = 'lone' AND due_at > '$paused' AND due_at < '$resumed'::timestamptz - interval '1 s'"),
	0,
	'what was due during the pause does not count');

$node->stop;
done_testing();
