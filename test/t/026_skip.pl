# Skip: due times at which nothing has changed pass without a run, a log row or a byte of WAL, and no
# change is ever missed: in flight, prepared, replicated, before a crash, or among many writers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'skip',
	autovacuum => 'off',
	wal_level => 'logical',
	max_wal_senders => 5,
	max_replication_slots => 5,
	max_prepared_transactions => 5,
	synchronous_commit => 'local',
	'metrics_refresh.log_skips' => 'off',
	'metrics_refresh.max_workers' => 2);
create_extension($node);
$node->safe_psql(
	'postgres', q{
	CREATE TABLE base (id int PRIMARY KEY, n int);
	CREATE TABLE quiet (id int);
	CREATE MATERIALIZED VIEW v AS SELECT n, count(*) FROM base GROUP BY n;
	CREATE MATERIALIZED VIEW w AS SELECT count(*) FROM quiet;
	CREATE FUNCTION is_right() RETURNS boolean LANGUAGE sql AS $$
	  WITH d AS MATERIALIZED (SELECT n, count(*) FROM base GROUP BY n)
	  SELECT NOT EXISTS ((TABLE v EXCEPT TABLE d) UNION ALL (TABLE d EXCEPT TABLE v)) $$});

sub query { return $node->safe_psql('postgres', $_[0]); }
sub strategy { return query("SELECT metrics_refresh.refresh('v') ->> 'strategy'"); }
sub state { return query("SELECT change_state FROM metrics_refresh.explain_refresh('v')"); }
sub skipped { return query("SELECT skipped FROM metrics_refresh.job_status WHERE job_name = '$_[0]'"); }
sub logged { return query("SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = '$_[0]'"); }

# A test: the job lets this many more due times pass.
sub skips_on
{
	my ($job, $more, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $goal = skipped($job) + $more;
	return until_ok($node, 'postgres',
		"SELECT skipped >= $goal FROM metrics_refresh.job_status WHERE job_name = '$job'", $name);
}

# Due times without a run
query(q{SELECT metrics_refresh.schedule(view, '1 second', job_name => view) FROM (VALUES ('v'), ('w')) j (view)});
skips_on('v', 2, 'a job whose view is fresh is skipped');
my $rows = logged('v');
my $last = query("SELECT last_run_id FROM metrics_refresh.job_status WHERE job_name = 'v'");
skips_on('v', 3, 'again and again');
is(logged('v'), $rows, 'without a row in the log');
is(query(q{SELECT last_status, fresh_at > last_finished_at, state, next_due > clock_timestamp() FROM metrics_refresh.job_status WHERE job_name = 'v'}),
	'success|t|scheduled|t', 'job_status tells since when the view is known to be fresh');
is(query(q{SELECT freshness, age < interval '3 seconds', last_refresh_at < clock_timestamp() - age FROM metrics_refresh.view_status() WHERE view_name = 'v'}),
	'fresh|t|t', 'and so does view_status()');
is(hurt($node, 'postgres'), '', 'nothing is wrong with the health of skipped jobs');
my $silent = 0;
for (1 .. 20)
{
	my $before = query('SELECT pg_current_wal_insert_lsn()');
	my $count = skipped('v');
	$node->poll_query_until('postgres', "SELECT skipped >= $count + 2 FROM metrics_refresh.job_status WHERE job_name = 'v'");
	$silent = $before eq query('SELECT pg_current_wal_insert_lsn()');
	last if $silent;
}
ok($silent, 'a skip writes no WAL');

query('INSERT INTO base VALUES (1, 1)');
until_ok($node, 'postgres', 'SELECT is_right()', 'a change is found at the next due time');
is(query("SELECT status, strategy, rows_inserted FROM metrics_refresh.run_log WHERE job_name = 'v' ORDER BY run_id DESC LIMIT 1"),
	'success|diff|1', 'and is logged');
skips_on('v', 1, 'then it is skipped again');
is(query("SELECT count(*) FROM metrics_refresh.run_log WHERE missed > 0"), 0, 'skipped due times are not missed ones');

# Who keeps what was skipped
$rows = logged('v');
my $scheduler = process_id($node, 'scheduler', 'postgres');
query("SELECT pg_terminate_backend($scheduler)");
until_ok($node, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler' AND pid <> $scheduler", 'another scheduler comes');
skips_on('v', 2, 'which goes on skipping');
is(logged('v'), $rows, 'and takes no skipped due time for a missed one');

$node->append_conf('postgresql.conf', 'metrics_refresh.log_skips = on');
$node->reload;
until_ok($node, 'postgres', "SELECT count(*) > 1 FROM metrics_refresh.run_log WHERE job_name = 'v' AND strategy = 'skip'", 'log_skips has them logged');
is(query("SELECT DISTINCT status, triggered_by, rows_total IS NULL FROM metrics_refresh.run_log WHERE strategy = 'skip'"), 'success|schedule|t', 'as successes');
$node->append_conf('postgresql.conf', 'metrics_refresh.log_skips = off');
$node->reload;

# A group
query(q{SELECT metrics_refresh.pause('v'); SELECT metrics_refresh.pause('w');
	SELECT metrics_refresh.schedule_group('both', ARRAY['v', 'w']::regclass[], schedule => '1 second')});
skips_on('both', 2, 'a group is skipped when all its views are fresh');
$rows = query('SELECT count(*) FROM metrics_refresh.run_log');
skips_on('both', 2, 'as often as that is so');
is(query('SELECT count(*) FROM metrics_refresh.run_log'), $rows, 'without a row in the log');
query('INSERT INTO base VALUES (2, 2)');
until_ok($node, 'postgres', 'SELECT is_right()', 'it runs when one of them is not');
until_ok($node, 'postgres', q{SELECT string_agg(view_name || ' ' || strategy, ', ' ORDER BY view_name) = 'v diff, w skip'
	FROM metrics_refresh.run_log WHERE group_run_id = (SELECT max(run_id) FROM metrics_refresh.run_log WHERE job_name = 'both' AND group_run_id IS NULL)},
	'and its other views are skipped in it');
query(q{SELECT metrics_refresh.unschedule('both')});
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh_internal.active_run', 'the group comes to rest');

# A restart forgets what was counted.
for my $mode (qw(fast immediate))
{
	strategy();
	is(strategy(), 'skip', "fresh before the shutdown ($mode)");
	query('INSERT INTO base SELECT max(id) + 1, 7 FROM base') if $mode eq 'immediate';
	$node->stop($mode);
	$node->start;
	is(strategy(), 'diff', 'refreshed once after it');
	is(query('SELECT is_right()'), 't', 'and right');
	is(strategy(), 'skip', 'then skipped');
}

# Prepared transactions
query(q{BEGIN; INSERT INTO base VALUES (100, 3); PREPARE TRANSACTION 'p'});
is(state(), 'there are prepared transactions', 'while a transaction is prepared nothing is known');
is(strategy(), 'diff', 'so the view is refreshed') for 1 .. 2;
query(q{COMMIT PREPARED 'p'});
is(strategy(), 'diff', 'and when it is committed');
is(query('SELECT is_right()'), 't', 'with what it did');
is(strategy(), 'skip', 'then skipped');
query(q{BEGIN; INSERT INTO base VALUES (101, 3); PREPARE TRANSACTION 'p'});
query(q{COMMIT PREPARED 'p'});
is(strategy(), 'diff', 'a transaction that was prepared and committed in between counts');
is(strategy(), 'skip', 'once');
# A crash takes the keys that it captured for a view that is kept by them.
query(q{CREATE MATERIALIZED VIEW kept AS SELECT n, count(*) FROM base GROUP BY n});
query(q{SELECT metrics_refresh.schedule('kept', strategy => 'incremental')});
sub kept { return query(q{SELECT metrics_refresh.refresh('kept', 'incremental') ->> 'strategy'}); }
kept() for 1 .. 2;
query(q{BEGIN; INSERT INTO base VALUES (102, 3); PREPARE TRANSACTION 'p'});
is(kept(), 'incremental', 'a prepared transaction does not keep a view from being refreshed by keys');
$node->stop('immediate');
$node->start;
is(strategy(), 'diff', 'one that was prepared before a crash') for 1 .. 2;
is(kept(), 'diff', 'after it all rows are looked at') for 1 .. 2;
query(q{COMMIT PREPARED 'p'});
is(strategy(), 'diff', 'is seen when it is committed');
is(query('SELECT is_right()'), 't', 'with what it did');
is(strategy(), 'skip', 'then skipped');
is(kept(), 'diff', 'by the view that is kept by keys, too');
is(query('SELECT NOT EXISTS (TABLE v EXCEPT TABLE kept)'), 't', 'with what it did');
query('UPDATE base SET n = 8 WHERE id = 102');
is(kept(), 'incremental', 'then by keys again');
is(query('SELECT is_right()'), 'f', 'which the other one has not seen yet');
strategy();
is(query('SELECT NOT EXISTS (TABLE v EXCEPT TABLE kept)'), 't', 'and rightly');
query(q{SELECT metrics_refresh.unschedule('public.kept')});
query('DROP MATERIALIZED VIEW kept');

# A commit that is under way: its change is counted, and cannot be seen yet.
$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->reload;
my $writer = $node->background_psql('postgres');
$writer->query_until(qr/sent/, "SET synchronous_commit = on;\n\\echo sent\nINSERT INTO base VALUES (200, 4);\n");
until_ok($node, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'", 'a commit hangs');
is(strategy(), 'diff', 'the view is refreshed') for 1 .. 2;
is(query('SELECT count(*) FROM base WHERE id = 200'), 0, 'without its change, which nobody sees');
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$node->reload;
until_ok($node, 'postgres', 'SELECT count(*) = 1 FROM base WHERE id = 200', 'the commit is done');
is(strategy(), 'diff', 'the view is refreshed');
is(query('SELECT is_right()'), 't', 'and right');
is(strategy(), 'skip', 'then skipped');
$writer->quit;

# Changes that logical replication brings
$node->safe_psql('postgres', 'CREATE DATABASE publisher');
$node->safe_psql('publisher', q{CREATE TABLE base (id int PRIMARY KEY, n int); CREATE PUBLICATION p FOR TABLE base;
	SELECT pg_create_logical_replication_slot('s', 'pgoutput')});
my $source = $node->connstr('publisher');
query("CREATE SUBSCRIPTION s CONNECTION \$\$$source\$\$ PUBLICATION p WITH (create_slot = false, slot_name = 's', copy_data = false)");
strategy();
is(strategy(), 'skip', 'a subscriber that has nothing new is skipped');
for my $change ('INSERT INTO base VALUES (1000, 9)', 'UPDATE base SET n = 10 WHERE id = 1000', 'DELETE FROM base WHERE id = 1000')
{
	my $before = query("SELECT coalesce(max(n), 0) FROM base WHERE id = 1000");
	$node->safe_psql('publisher', $change);
	$node->poll_query_until('postgres', "SELECT coalesce(max(n), 0) <> $before FROM base WHERE id = 1000") or die 'no replication';
	is(strategy(), 'diff', "replicated: $change");
	is(query('SELECT is_right()'), 't', 'and right');
	is(strategy(), 'skip', 'then skipped');
}

# Kept by keys, it looks at all rows where a change came past the triggers.
query(q{SELECT metrics_refresh.schedule('v', strategy => 'incremental', job_name => 'v')});
sub by_keys { return query(q{SELECT (r ->> 'strategy') || ' ' || (r ->> 'reason') FROM metrics_refresh.refresh('v', 'incremental') r}); }
by_keys();
query('INSERT INTO base VALUES (300, 5)');
like(by_keys(), qr/^incremental the rows of 1 key/, 'a change that the triggers saw');
is(query('SELECT is_right()'), 't', 'is right');
$node->safe_psql('publisher', 'INSERT INTO base VALUES (1001, 5)');
until_ok($node, 'postgres', 'SELECT count(*) = 1 FROM base WHERE id = 1001', 'a change that is replicated');
like(by_keys(), qr/^diff since the last refresh .* the triggers do not see/, 'is noticed, although no trigger saw it');
is(query('SELECT is_right()'), 't', 'and right');
query('INSERT INTO base VALUES (301, 5)');
like(by_keys(), qr/^incremental/, 'from then on by keys again');
$node->restart;
like(by_keys(), qr/^diff since the last refresh the server was restarted/, 'and after a restart by all rows');
query('INSERT INTO base VALUES (302, 5)');
like(by_keys(), qr/^incremental/, 'once');
is(query('SELECT is_right()'), 't', 'and right');
query(q{SELECT metrics_refresh.unschedule('v')});
query('ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s');

# A transaction that began before the table was counted may commit uncounted.
my $older = $node->background_psql('postgres');
$older->query_safe('BEGIN; INSERT INTO base VALUES (400, 6)');
query('CREATE TABLE young (id int); CREATE MATERIALIZED VIEW y AS SELECT count(*) FROM young');
sub young { return query("SELECT metrics_refresh.refresh('y') ->> 'strategy'"); }
is(young(), 'diff', 'while an older transaction is open nothing is known of a table that is new here') for 1 .. 2;
$older->query_safe('INSERT INTO young VALUES (1); COMMIT');
is(young(), 'diff', 'it commits');
is(query('SELECT * FROM y'), 1, 'and is seen');
is(young(), 'skip', 'then skipped');
$older->quit;

# After a failure there is a run, and its success is logged.
query(q{CREATE TABLE n (n int); INSERT INTO n VALUES (0); CREATE MATERIALIZED VIEW f AS SELECT 1 / n AS f FROM n WITH NO DATA;
	SELECT metrics_refresh.schedule('f', job_name => 'f')});
my $run = query(q{SELECT metrics_refresh.trigger('f')});
is(query("SELECT metrics_refresh.wait($run, '1 minute')"), 'error', 'a run fails');
query('UPDATE n SET n = 1');
query(q{SELECT metrics_refresh.refresh('f')}) for 1 .. 2;
query(q{SELECT metrics_refresh.alter_job('f', schedule => '1 second')});
until_ok($node, 'postgres', q{SELECT strategy = 'skip' FROM metrics_refresh.run_log WHERE job_name = 'f' AND status = 'success' LIMIT 1},
	'somebody has refreshed the view meanwhile: the run after the failure finds it fresh and is logged');
skips_on('f', 1, 'the next is not');
is(query(q{SELECT last_status, last_error IS NULL, consecutive_failures FROM metrics_refresh.job_status WHERE job_name = 'f'}), 'success|t|0', 'and nothing is left of the failure');
is(hurt($node, 'postgres'), '', 'nor does health remember it');
query(q{SELECT metrics_refresh.unschedule('f')});

# More tables than there is room for
$node->append_conf('postgresql.conf', 'metrics_refresh.max_tracked_tables = 2');
$node->restart;
query('CREATE MATERIALIZED VIEW wide AS SELECT count(*) FROM base, quiet, young, n');
is(query("SELECT metrics_refresh.refresh('wide') ->> 'strategy'"), 'diff', 'a view of more tables than can be counted') for 1 .. 2;
like(query("SELECT change_state FROM metrics_refresh.explain_refresh('wide')"), qr/max_tracked_tables/, 'is refreshed, and it is said why');

$node->append_conf('postgresql.conf', 'metrics_refresh.max_tracked_tables = 1024');
$node->restart;

# Many writers: while nobody writes (the lock keeps them out), the view is refreshed or skipped, and right.
my $seconds = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/ ? 120 : 8;
my $script = PostgreSQL::Test::Utils::tempdir() . '/write.sql';
PostgreSQL::Test::Utils::append_to_file($script, q{
\set a random(1, 500)
\set b random(1, 500)
\set gap random(1, 200)
\set way random(1, 6)
BEGIN;
SAVEPOINT s;
\if :way = 1
DELETE FROM base WHERE id = :a;
\elif :way = 2
INSERT INTO base VALUES (:a, :b % 5) ON CONFLICT (id) DO UPDATE SET n = excluded.n;
\elif :way = 3
UPDATE base SET n = n + 1 WHERE id BETWEEN :a AND :a + 3;
\elif :way = 4
INSERT INTO quiet VALUES (:a);
\elif :way = 5
UPDATE base SET n = 0 WHERE id = :a;
ROLLBACK TO s;
INSERT INTO quiet VALUES (:a);
\else
SELECT count(*) FROM base;
\endif
COMMIT;
\sleep :gap ms
});
query('DROP MATERIALIZED VIEW v; TRUNCATE base; CREATE MATERIALIZED VIEW v AS SELECT n, count(*) FROM base GROUP BY n');
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', '3', '-T', $seconds, '-f', $script, $node->connstr('postgres') ],
	'>', \my $out, '2>', \my $err);
my %did;
my $end = time + $seconds;
while (time < $end)
{
	# Not while nobody writes: what it observes and remembers may be in the middle of commits.
	$did{strategy()}++;
	my $answer = query(q{BEGIN; LOCK TABLE base IN SHARE MODE;
		SELECT (metrics_refresh.refresh('v') ->> 'strategy') || is_right(); COMMIT;} x 4);
	$did{$_}++ for split /\n/, $answer;
}
$load->finish;
ok($did{skiptrue} > 5 && $did{difftrue} > 5, "skipped and refreshed ($did{skiptrue} and $did{difftrue} times)");
is(join(' ', grep { /false/ } keys %did), '', 'never was a view skipped that was not fresh');

$node->stop;
done_testing();
