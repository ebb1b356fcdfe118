# Groups in workers: members in the order of their dependencies, independent ones at once, what a
# failure, a cancel, a death or a restart leaves, and one snapshot for all.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('groups', autovacuum => 'off', 'metrics_refresh.max_workers' => 4);
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# a <- (plain view v) <- b <- d -> c, and the independent e. How long each takes, and whether it
# fails, says a table.
sql(q{
	CREATE SCHEMA analytics;
	CREATE TABLE analytics.nap (name text PRIMARY KEY, seconds float8 NOT NULL DEFAULT 0, divisor int NOT NULL DEFAULT 1);
	INSERT INTO analytics.nap VALUES ('a'), ('b'), ('c'), ('d'), ('e');
	CREATE TABLE analytics.fact (n int);
	CREATE FUNCTION analytics.step(who text) RETURNS int LANGUAGE sql VOLATILE AS
	  $$SELECT 1 / divisor + (pg_sleep(seconds) IS NULL)::int FROM analytics.nap WHERE name = who$$;
	CREATE MATERIALIZED VIEW analytics.a AS SELECT count(*) AS n, analytics.step('a') FROM analytics.fact WITH NO DATA;
	CREATE VIEW analytics.v AS SELECT n FROM analytics.a;
	CREATE MATERIALIZED VIEW analytics.b AS SELECT n, analytics.step('b') FROM analytics.v WITH NO DATA;
	CREATE MATERIALIZED VIEW analytics.c AS SELECT count(*) AS n, analytics.step('c') FROM analytics.fact WITH NO DATA;
	CREATE MATERIALIZED VIEW analytics.d AS SELECT b.n, c.n AS m, analytics.step('d') FROM analytics.b, analytics.c WITH NO DATA;
	CREATE MATERIALIZED VIEW analytics.e AS SELECT count(*) AS n, analytics.step('e') FROM analytics.fact WITH NO DATA;
	SELECT metrics_refresh.schedule_group('analytics', schema_name => 'analytics', populate => false)});

# Runs the group and returns its run and how it ended.
sub run_group
{
	my ($group) = @_;
	my $run = sql("SELECT metrics_refresh.trigger('$group')");
	return ($run, sql("SELECT metrics_refresh.wait($run)"));
}

sub members
{
	my ($run) = @_;
	return sql(
		"SELECT string_agg(view_name || ' ' || status, ', ' ORDER BY view_name)
		 FROM metrics_refresh.run_log WHERE group_run_id = $run");
}

# Pairs of members of which the first had ended before the second began, or that overlapped.
sub pairs
{
	my ($run, $relation) = @_;
	return sql(
		"SELECT string_agg(x.view_name || y.view_name, ' ' ORDER BY x.view_name, y.view_name)
		 FROM metrics_refresh.run_log x, metrics_refresh.run_log y
		 WHERE x.group_run_id = $run AND y.group_run_id = $run AND $relation");
}

sql(q{UPDATE analytics.nap SET seconds = 0.3});
my ($run, $status) = run_group('analytics');
is($status, 'success', 'the group is refreshed, never populated views included');
is(members($run), 'a success, b success, c success, d success, e success', 'each member has a row');
like(pairs($run, 'x.finished_at <= y.started_at'), qr/ab.*ad.*bd.*cd/, 'dependencies first, through a plain view');
like(
	pairs($run, 'x.run_id < y.run_id AND x.started_at < y.finished_at AND y.started_at < x.finished_at'),
	qr/\bac\b|\bae\b|\bce\b/, 'independent members at once');
is( sql("SELECT job_name, strategy, strategy_reason, triggered_by, initiated_by FROM metrics_refresh.run_log WHERE run_id = $run"),
	'analytics|group|5 views, each in a run of its own|manual|postgres',
	'the group has a row of its own');
is( sql("SELECT string_agg(DISTINCT triggered_by, ' ' ORDER BY triggered_by) FROM metrics_refresh.run_log WHERE group_run_id = $run"),
	'dependency manual', 'the members say what started them');

sql(q{SELECT metrics_refresh.alter_job('analytics', max_parallel => 1); UPDATE analytics.nap SET seconds = 0.05});
($run) = run_group('analytics');
is(pairs($run, 'x.run_id < y.run_id AND x.started_at < y.finished_at AND y.started_at < x.finished_at'),
	'', 'max_parallel => 1: one after the other');

# A failure.
sql(q{UPDATE analytics.nap SET seconds = 0, divisor = CASE WHEN name = 'b' THEN 0 ELSE 1 END});
($run, $status) = run_group('analytics');
is($status, 'error', 'a member that fails makes the group fail');
is(members($run), 'a success, b error, c success, d skipped, e success', 'what depends on it is skipped, the rest is not');
is( sql("SELECT error_message, sqlstate FROM metrics_refresh.run_log WHERE run_id = $run"),
	'1 of 5 views failed (analytics.b), 1 skipped: division by zero|22012', 'the group says which and why');
is( sql("SELECT error_message FROM metrics_refresh.run_log WHERE group_run_id = $run AND status = 'skipped'"),
	'materialized view analytics.b, which it depends on, was not refreshed', 'the skipped member says why');
sql(q{UPDATE analytics.nap SET divisor = 1});

# A transient failure of a scheduled run is tried again, for those alone that need it.
sql(q{
	CREATE UNIQUE INDEX ON analytics.e (n);
	SELECT metrics_refresh.alter_job('analytics', lock_timeout => '100 milliseconds', max_retries => 20,
	  retry_delay => '300 milliseconds', retry_max_delay => '300 milliseconds')});
my $locking = $node->background_psql('postgres');
$locking->query_safe('BEGIN; CREATE INDEX held ON analytics.b (n)');
# An interval that comes round in some seconds, and then not for years.
sql(q{
	SELECT metrics_refresh.alter_job('analytics', schedule => (floor(extract(epoch FROM now() + interval '10 seconds') / 8)::int8) || ' seconds')});
until_ok(
	$node, 'postgres', q{SELECT count(*) >= 2 FROM metrics_refresh.run_log WHERE job_name = 'analytics'
	AND strategy = 'group' AND status = 'error' AND sqlstate = '55P03'}, 'a lock that cannot be had is tried again');
is(sql(q{SELECT state FROM metrics_refresh.job_status WHERE job_name = 'analytics' AND state IN ('retrying', 'running', 'queued')}) ne '',
	1, 'job_status says so');
$locking->query_safe('COMMIT');
$locking->quit;
my $retry = q{SELECT run_id FROM metrics_refresh.run_log WHERE job_name = 'analytics' AND strategy = 'group'
	AND triggered_by = 'retry' AND status = 'success'};
until_ok($node, 'postgres', "SELECT EXISTS ($retry)", 'until it works');
is(members(sql($retry)), 'b success, d success', 'what an earlier attempt refreshed is left alone');
is( sql("SELECT count(DISTINCT due_at), bool_and(attempt > 1) FILTER (WHERE triggered_by = 'retry') FROM metrics_refresh.run_log
	WHERE job_name = 'analytics' AND strategy = 'group' AND triggered_by IN ('schedule', 'retry')"),
	'1|t', 'all attempts serve one due time');
sql(q{SELECT metrics_refresh.alter_job('analytics', lock_timeout => '10 seconds', max_retries => 0)});

# Somebody cancels it.
sql(q{UPDATE analytics.nap SET seconds = CASE WHEN name IN ('a', 'c') THEN 600 ELSE 0 END;
	UPDATE metrics_refresh_internal.job SET max_parallel = NULL});
sub start_group
{
	my $id = sql(q{SELECT metrics_refresh.trigger('analytics')});
	until_ok($node, 'postgres', "SELECT count(*) = 2 FROM metrics_refresh.run_log l JOIN pg_stat_activity p ON p.pid = l.worker_pid
		WHERE group_run_id = $id AND status = 'running' AND wait_event = 'PgSleep'", 'two members are under way');
	until_ok($node, 'postgres', "SELECT status = 'success' FROM metrics_refresh.run_log WHERE group_run_id = $id AND view_name = 'e'",
		'and one that waits for nobody is done');
	return $id;
}
$run = start_group();
is(sql("SELECT metrics_refresh.cancel($run)"), 't', 'a group can be canceled');
is(sql("SELECT metrics_refresh.wait($run)"), 'canceled', 'it is');
is(members($run), 'a canceled, c canceled, e success', 'and its members: those that had not begun have no row')
  or diag(members($run));

# A worker dies: its member is interrupted, the others go on.
$run = start_group();
sql(q{UPDATE analytics.nap SET seconds = 0});
sql("SELECT pg_terminate_backend(worker_pid) FROM metrics_refresh.run_log WHERE group_run_id = $run AND view_name = 'a'");
sql("SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.run_log WHERE group_run_id = $run AND view_name = 'c'");
is(sql("SELECT metrics_refresh.wait($run)"), 'error', 'a member whose worker died fails the group');
is(members($run), 'a interrupted, b skipped, c canceled, d skipped, e success', 'the members say how each ended');

# The server dies: what had not begun is done afterwards.
sql(q{UPDATE analytics.nap SET seconds = CASE WHEN name IN ('a', 'c') THEN 600 ELSE 0 END});
$run = start_group();
$node->stop('immediate');
$node->start;
until_ok($node, 'postgres', "SELECT status = 'error' FROM metrics_refresh.run_log WHERE run_id = $run",
	'after a crash the run is closed');
is(members($run), 'a interrupted, b skipped, c interrupted, d skipped, e success', 'no member is lost');
is(running_rows($node, 'postgres'), 0, 'nothing is left running');
is(sql('SELECT count(*) FROM metrics_refresh.group_run_member'), 0, 'nor of the plan');

# The job is removed under way.
$run = start_group();
sql(q{SELECT metrics_refresh.unschedule('analytics'); UPDATE analytics.nap SET seconds = 0});
sql("SELECT pg_cancel_backend(worker_pid) FROM metrics_refresh.run_log WHERE group_run_id = $run AND status = 'running'");
until_ok($node, 'postgres', "SELECT status = 'canceled' FROM metrics_refresh.run_log WHERE run_id = $run",
	'a group that is unscheduled begins no further member, and its run ends');
is(sql('SELECT count(*) FROM metrics_refresh.group_run_member'), 0, 'the plan is gone');

# One snapshot: a row that is committed while a is refreshed is in none of the views.
sql(q{
	SELECT metrics_refresh.schedule_group('agree', ARRAY['analytics.a', 'analytics.b', 'analytics.c', 'analytics.d']::regclass[],
	  isolation => 'repeatable_read', populate => false);
	UPDATE analytics.nap SET seconds = CASE WHEN name = 'a' THEN 1 ELSE 0 END});
my $before = sql('SELECT count(*) FROM analytics.fact');
$run = sql(q{SELECT metrics_refresh.trigger('agree')});
until_ok($node, 'postgres', "SELECT count(*) = 1 FROM metrics_refresh.run_log l JOIN pg_stat_activity p ON p.pid = l.worker_pid
	WHERE run_id = $run AND wait_event = 'PgSleep'", 'a is being refreshed');
sql('INSERT INTO analytics.fact VALUES (1)');
is(sql("SELECT metrics_refresh.wait($run)"), 'success', 'the group is refreshed in one transaction');
is(sql('SELECT (SELECT n FROM analytics.a), (SELECT n FROM analytics.c), (SELECT n FROM analytics.d), (SELECT m FROM analytics.d)'),
	"$before|$before|$before|$before", 'all views show one and the same moment');
is(members($run), 'a success, b success, c success, d success', 'each member has a row');
sql(q{UPDATE analytics.nap SET seconds = 0, divisor = CASE WHEN name = 'd' THEN 0 ELSE 1 END});
($run, $status) = run_group('agree');
is($status, 'error', 'it fails as a whole');
is(members($run), 'a skipped, b skipped, c skipped, d error', 'and says which member was to blame');
is(sql('SELECT n FROM analytics.a'), $before, 'nothing of it remains');
sql(q{UPDATE analytics.nap SET divisor = 1});

# DDL changes the dependencies: c comes to read b.
sql(q{
	DROP MATERIALIZED VIEW analytics.c CASCADE;
	CREATE MATERIALIZED VIEW analytics.c AS SELECT n FROM analytics.b WITH NO DATA;
	CREATE MATERIALIZED VIEW analytics.d AS SELECT n FROM analytics.c WITH NO DATA});
$run = sql(q{SELECT metrics_refresh.refresh_all_views('analytics')});
is(sql("SELECT metrics_refresh.wait($run)"), 'success', 'refresh_all_views: a run of its own');
like(pairs($run, 'x.finished_at <= y.started_at'), qr/ab.*bc.*cd/, 'in the order that the catalogs say now');
is(sql('SELECT count(*) FROM metrics_refresh.job WHERE one_time'), 0, 'its job is gone');
$run = sql(q{SELECT metrics_refresh.refresh_dependents('analytics.fact')});
is(sql("SELECT metrics_refresh.wait($run)"), 'success', 'refresh_dependents');
is(members($run), 'a success, b success, c success, d success, e success', 'everything that depends on the table, directly or not');

# A listed view is missing.
sql(q{DROP MATERIALIZED VIEW analytics.d});
sql(q{SELECT metrics_refresh.alter_job('agree', isolation => 'read_committed')});
($run, $status) = run_group('agree');
is($status, 'success', 'a view that does not exist is waited for');
is(members($run), 'a success, b success, c success, d skipped', 'and skipped meanwhile');

# Who reads a view is planned with what the refresh before has found out about it.
sql(q{
	CREATE SCHEMA fresh;
	CREATE TABLE fresh.base AS SELECT g AS n FROM generate_series(1, 1000) g;
	CREATE MATERIALIZED VIEW fresh.x AS SELECT n FROM fresh.base WITH NO DATA;
	CREATE MATERIALIZED VIEW fresh.y AS SELECT count(*) FROM fresh.x WITH NO DATA;
	SELECT metrics_refresh.schedule_group('fresh', schema_name => 'fresh', populate => false)});
sub analyzed { return sql("SELECT analyze_count FROM pg_stat_user_tables WHERE relid = 'fresh.x'::regclass") }
($run, $status) = run_group('fresh');
is("$status, " . analyzed(), 'success, 1', 'a view that was populated has statistics');
is(sql("SELECT last_analyze < started_at FROM pg_stat_user_tables, metrics_refresh.run_log
	WHERE relid = 'fresh.x'::regclass AND group_run_id = $run AND view_name = 'y'"), 't', 'when the next one begins');
sql('UPDATE fresh.base SET n = -n');
($run, $status) = run_group('fresh');
is("$status, " . analyzed(), 'success, 1', 'but not again within a minute');
is(sql('SELECT sum(n) FROM fresh.x'), -500500, 'though all of it has changed');
# It has the limits of the run.
sql(q{
	CREATE FUNCTION fresh.nap(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(600); RETURN $1; END $$;
	CREATE MATERIALIZED VIEW fresh.slow AS SELECT n FROM fresh.base WITH NO DATA;
	CREATE STATISTICS fresh.naps ON (fresh.nap(n)), n FROM fresh.slow;
	SELECT metrics_refresh.schedule('fresh.slow', NULL, job_name => 'slow', max_runtime => '1 second')});
my $offset = -s $node->logfile;
($run, $status) = run_group('slow');
is($status, 'success', 'a refresh succeeds');
ok($node->wait_for_log(qr/a view that was refreshed cannot be analyzed/, $offset), 'though its statistics would take too long');
($run, $status) = run_group('slow');
is($status, 'success', 'and again');

done_testing();
