# Chaos: for a while our processes are terminated and killed, runs canceled, jobs altered, paused,
# triggered and made anew, views dropped, re-created and renamed, while the base data changes. Then
# everything settles, and the log and the data have to tell one story: no run lost, none doubled, none
# stuck, every job alive, every view equal to its definition.
#
# CHAOS_SECONDS says how long (PG_TEST_EXTRA=long: four minutes), CHAOS_SEED repeats a run's decisions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $long = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/;
my $seconds = $ENV{CHAOS_SECONDS} // ($long ? 240 : 25);
my $seed = $ENV{CHAOS_SEED} // time % 100_000;
srand $seed;
note "CHAOS_SEED=$seed CHAOS_SECONDS=$seconds";

my $node = start_node(
	'chaos',
	max_worker_processes => 24,
	'metrics_refresh.max_workers' => 6,
	'metrics_refresh.worker_idle_timeout' => '1s',
	'metrics_refresh.scheduler_idle_timeout' => '1s',
	'metrics_refresh.suspend_after' => '0');
create_extension($node);
# Views over each other; the run of a ledger's job leaves exactly one row where it succeeds.
my %definition = (
	v0 => 'SELECT k, count(*) AS n, sum(v) AS v FROM base GROUP BY k',
	v1 => 'SELECT k % 7 AS k, max(v) AS v FROM base GROUP BY 1',
	v2 => 'SELECT b.k, b.v FROM base b WHERE b.v > 500',
	v3 => 'SELECT n AS k, count(*) AS c FROM v0 GROUP BY n');
my @views = sort keys %definition;

sub create_view { return "CREATE MATERIALIZED VIEW $_[0] AS $definition{$_[0]}" }
my %index = (v0 => 'k', v1 => 'k', v3 => 'k');
my $create_indexes = join ';', map { "CREATE UNIQUE INDEX ON $_ ($index{$_})" } sort keys %index;
$node->safe_psql(
	'postgres', q{
	CREATE TABLE base (k int, v int);
	INSERT INTO base SELECT n % 50, n FROM generate_series(1, 1000) n;
	CREATE TABLE ledger (job text);
	CREATE TABLE asked (run_id bigint PRIMARY KEY);
	} . join(';', map { create_view($_) } @views) . ";$create_indexes;" . q{
	SELECT metrics_refresh.schedule(v::regclass, '1 second', job_name => v) FROM unnest('{v0,v1,v2,v3}'::text[]) v;
	SELECT metrics_refresh.schedule_command('ledger' || n, n || ' seconds',
	  format('INSERT INTO ledger VALUES (%L); SELECT pg_sleep(0.3 * %s)', 'ledger' || n, n)) FROM generate_series(1, 3) n;
	SELECT metrics_refresh.schedule_command('metronome', '1 second', 'INSERT INTO ledger VALUES (''metronome'')');
	SELECT metrics_refresh.schedule_command('fleeting', '1 second', 'SELECT 1');
	SELECT metrics_refresh.schedule_command('asked', NULL, 'INSERT INTO ledger VALUES (''asked''); SELECT pg_sleep(0.2)')});
my @jobs = (@views, 'ledger1', 'ledger2', 'ledger3', 'metronome', 'fleeting');

# No more than can be served soon after.
my $if_few = 'WHERE (SELECT count(*) FROM metrics_refresh.run_request) < 10';

sub any { return $_[ rand @_ ] }

my $session;

# What fails here fails: the server may be in recovery, the view gone, the run over.
sub attempt
{
	my ($sql) = @_;
	my ($output, $failed) = eval {
		$session //= $node->background_psql('postgres', on_error_stop => 0, timeout => 10 * $seconds + 600);
		$session->{stderr} = '';
		$session->query("SET statement_timeout = '10s'; SET client_min_messages = error; $sql");
	};
	$session = undef if $@;
	return $@ || $failed ? undef : $output // '';
}

sub terminate
{
	my ($kind) = @_;
	attempt("SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE backend_type = 'metrics_refresh $kind' ORDER BY random() LIMIT 1");
	return;
}

my $kills = 0;
# The metronome's schedule stays as it is: its due times can be counted.
my @altered = grep { $_ ne 'metronome' } @jobs;
my %actions = (
	'terminate worker' => [ 4, sub { terminate('worker') } ],
	'terminate scheduler' => [ 2, sub { terminate('scheduler') } ],
	'terminate launcher' => [ 1, sub { terminate('launcher') } ],
	'kill' => [
		1,
		sub {
			return if $kills > $seconds / 15;
			my $pid = attempt(q{SELECT pid FROM pg_stat_activity
				WHERE backend_type LIKE 'metrics_refresh %' ORDER BY random() LIMIT 1});
			return if !$pid || !kill 0, $pid;
			$kills++;
			eval { $session->quit };
			$session = undef;
			kill_process($node, $pid);
		}
	],
	'cancel' => [ 4, sub { attempt('SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.running WHERE run_id > 0 ORDER BY random() LIMIT 1') } ],
	'cancel request' => [ 2, sub { attempt('SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.run_request ORDER BY random() LIMIT 1') } ],
	'alter' => [ 4, sub { attempt(sprintf q{SELECT metrics_refresh.alter_job('%s', schedule => '%d seconds')}, any(@altered), 1 + rand 3) } ],
	'pause' => [ 3, sub { attempt(sprintf q{SELECT metrics_refresh.pause('%s')}, any(@altered)) } ],
	'resume' => [ 6, sub { attempt(sprintf q{SELECT metrics_refresh.resume('%s')}, any(@altered)) } ],
	'make anew' => [ 1, sub { attempt(q{SELECT metrics_refresh.unschedule('fleeting');
		SELECT metrics_refresh.schedule_command('fleeting', '1 second', 'SELECT 1')}) } ],
	'replace view' => [ 2, sub { my $v = any(qw(v1 v2)); attempt("BEGIN; DROP MATERIALIZED VIEW $v; " . create_view($v) . '; COMMIT') } ],
	'drop view' => [ 1, sub { attempt('DROP MATERIALIZED VIEW ' . any(qw(v2 v3))) } ],
	'create view' => [ 2, sub { attempt(create_view($_)) for qw(v2 v3) } ],
	'rename view' => [ 2, sub { my $v = any(@views); defined attempt("ALTER MATERIALIZED VIEW $v RENAME TO x$v") && attempt("ALTER MATERIALIZED VIEW x$v RENAME TO $v") } ],
	'trigger' => [ 8, sub { attempt("INSERT INTO asked SELECT metrics_refresh.trigger('asked') $if_few") } ],
	'trigger view' => [ 4, sub { attempt(sprintf "INSERT INTO asked SELECT metrics_refresh.trigger('%s') $if_few", any(@views)) } ],
	'refresh' => [ 2, sub { attempt(sprintf q{SELECT metrics_refresh.refresh('%s')}, any(@views)) } ],
	'write' => [ 10, sub { attempt(sprintf 'UPDATE base SET v = v + %d WHERE k = %d; INSERT INTO base VALUES (%2$d, %1$d)', rand 1000, rand 60) } ]);
my @deck = map { ($_) x $actions{$_}[0] } sort keys %actions;
my %played;
my $end = time + $seconds;
while (time < $end)
{
	my $name = any(@deck);
	$played{$name}++;
	$actions{$name}[1]->();
}
note join ', ', map { "$_ $played{$_}" } sort keys %played;

# It settles. A rename may have been cut off in the middle.
wait_for_server($node);
attempt("ALTER MATERIALIZED VIEW x$_ RENAME TO $_") for @views;
attempt(create_view($_)) for @views;
$session->quit;
$node->safe_psql('postgres', "SELECT metrics_refresh.resume('$_'); SELECT metrics_refresh.alter_job('$_', schedule => '1 second')")
  for @altered;
# A view that is fresh is skipped, which is not logged.
$node->safe_psql('postgres', 'UPDATE base SET v = v + 1');
wait_for_runs($node, 'postgres', $_, 1, "$_ is alive") for @jobs;
$node->safe_psql('postgres', 'SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job WHERE schedule IS NOT NULL');
until_ok(
	$node, 'postgres', 'SELECT (SELECT count(*) FROM metrics_refresh.worker_slots())
	  + (SELECT count(*) FROM metrics_refresh.run_request) = 0', 'all runs end, and no request is left');
is(running_rows($node, 'postgres'), 0, 'no row is left running');
is(unended($node, 'postgres'), 0, 'every run has an end');
is(twice_served($node, 'postgres'), 0, 'no due time was served twice');
is( $node->safe_psql('postgres', q{
		SELECT count(*) FROM asked LEFT JOIN metrics_refresh.run_log l USING (run_id) WHERE l.run_id IS NULL}),
	0,
	'every run that was asked for is in the log');
is( $node->safe_psql(
		'postgres', q{
		SELECT string_agg(format('%s: %s in the log, %s done', job_name, said, done), ', ') FROM
		(SELECT job_name, count(*) AS said FROM metrics_refresh.run_log
		 WHERE status = 'success' AND job_name ~ 'ledger|metronome|asked' GROUP BY 1) l
		FULL JOIN (SELECT job AS job_name, count(*) AS done FROM ledger GROUP BY 1) d USING (job_name)
		WHERE said IS DISTINCT FROM done}),
	'',
	'what succeeded was done, and what was done succeeded');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM metrics_refresh.run_log a JOIN metrics_refresh.run_log b
		ON a.job_id = b.job_id AND a.run_id < b.run_id AND a.view_name IS NULL
		AND a.worker_pid > 0 AND b.worker_pid > 0 AND a.status <> 'interrupted' AND b.status <> 'interrupted'
		AND a.started_at < b.finished_at AND b.started_at < a.finished_at}),
	0,
	'no job ran twice at once');
# A due time without a run of its own passed while an earlier one's run was late or under way; the
# scheduler learns of a run's end a moment after it.
is( $node->safe_psql(
		'postgres', q{
		WITH run AS (SELECT * FROM metrics_refresh.run_log WHERE job_name = 'metronome')
		SELECT string_agg(due::text, ', ') FROM generate_series((SELECT min(due_at) FROM run),
		  (SELECT max(due_at) FROM run), interval '1 second') due
		WHERE NOT EXISTS (SELECT FROM run r WHERE r.due_at = due
		  OR r.due_at < due AND r.finished_at + interval '0.25 seconds' >= due)}),
	'',
	'no due time of the metronome was lost');
$node->safe_psql('postgres', "SELECT metrics_refresh.refresh('$_')") for @views;
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM ((TABLE $_ EXCEPT ALL ($definition{$_})) UNION ALL (($definition{$_}) EXCEPT ALL TABLE $_)) d"),
	0,
	"$_ is equal to its definition")
  for @views;
note $node->safe_psql('postgres',
	q{SELECT string_agg(n || ' ' || status, ', ') FROM (SELECT status, count(*) n FROM metrics_refresh.run_log GROUP BY 1) s});
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal (?!9)/, 'nothing broke but what was killed');
$node->stop;
done_testing();
