# A run or a change that nothing stands in the way of is not late: after ALTER ROLE or ALTER DATABASE, and where the
# news comes while the scheduler waits for a lock. And each run has all of its tries to begin.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'at_once',
	'metrics_refresh.worker_idle_timeout' => '10min',
	'metrics_refresh.scheduler_idle_timeout' => '1h',
	'metrics_refresh.max_workers' => 4);
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
	CREATE ROLE dj LOGIN; CREATE ROLE boss LOGIN SUPERUSER;
	GRANT CREATE ON SCHEMA public TO dj;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO dj;
	SET SESSION AUTHORIZATION dj;
	SELECT metrics_refresh.schedule_command('work', NULL, $$SELECT set_config('app.seen', current_setting('work_mem'), false)$$);
	CREATE TABLE seen (memory text, superuser text, at timestamptz DEFAULT clock_timestamp());
	SELECT metrics_refresh.schedule_command('see', NULL, $$INSERT INTO seen VALUES (current_setting('work_mem'), current_setting('is_superuser'))$$)});

# The run of a job that is triggered now: its row's columns, when it has ended.
sub run_of
{
	my ($job, $columns) = @_;
	my $run = sql("SELECT metrics_refresh.trigger('$job')");
	sql("SELECT metrics_refresh.wait($run, '60 s')");
	return sql("SELECT $columns FROM metrics_refresh.run_log WHERE run_id = $run");
}

# How late (ms) the run after each of some changes begins: the least, for the machine may be busy.
sub least_late
{
	my ($job, @changes) = @_;
	my @late;
	for my $change (@changes)
	{
		run_of($job, 'status');
		sql($change);
		push @late, run_of($job, 'round(extract(epoch FROM started_at - due_at) * 1000)');
	}
	note("$job is late by @late ms");
	return (sort { $a <=> $b } @late)[0];
}

cmp_ok(least_late('see', map { "ALTER ROLE dj SET work_mem = '${_}MB'" } 11 .. 14), '<', 900,
	'the run after ALTER ROLE SET does not wait');
is(sql('SELECT memory FROM seen ORDER BY at DESC LIMIT 1'), '14MB', 'and has the new setting');
cmp_ok(least_late('see', 'ALTER ROLE dj RESET work_mem', map { "ALTER DATABASE postgres SET work_mem = '${_}MB'" } 15 .. 17), '<', 900,
	'nor after ALTER ROLE RESET or ALTER DATABASE SET');
is(sql('SELECT memory FROM seen ORDER BY at DESC LIMIT 1'), '17MB', 'which it has as well');

# What a worker's session keeps from its beginning are rights, too.
sql(q{GRANT INSERT ON seen TO boss; SET SESSION AUTHORIZATION boss;
	SELECT metrics_refresh.schedule_command('of boss', NULL, $$INSERT INTO public.seen VALUES ('boss', current_setting('is_superuser'))$$)});
run_of('of boss', 'status');
is(sql(q{SELECT superuser FROM seen WHERE memory = 'boss'}), 'on', 'a superuser is one');
sql(q{ALTER ROLE boss NOSUPERUSER; GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO boss});
is(run_of('of boss', 'status'), 'success', 'no more: the run');
is(sql(q{SELECT superuser FROM seen WHERE memory = 'boss' ORDER BY at DESC LIMIT 1}), 'off', 'has no session of a superuser');
sql(q{ALTER ROLE boss RENAME TO chief});
cmp_ok(least_late('of boss', 'ALTER ROLE chief PASSWORD \'x\'', 'ALTER ROLE chief VALID UNTIL \'infinity\'', 'ALTER ROLE chief CONNECTION LIMIT 3',
	'ALTER ROLE chief CREATEDB'), '<', 900, 'other changes of a role make no run late');
is(sql(q{SELECT count(*) FROM metrics_refresh.run_log WHERE status <> 'success'}), '0', 'no run has failed for any of it');

# A run that was canceled while it could not begin leaves its tries to nobody.
sql(q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	    PERFORM nextval('public.refusals'); RAISE EXCEPTION 'not now' USING ERRCODE = '22023'; END $$;
	CREATE TABLE refused (n int);
	CREATE SEQUENCE refusals;
	CREATE TRIGGER refuse BEFORE INSERT ON metrics_refresh_internal.run_log FOR EACH ROW
	    WHEN (NEW.job_name = 'see' AND NEW.worker_pid <> 0) EXECUTE FUNCTION refuse()});
my $run = sql(q{SELECT metrics_refresh.trigger('see')});
until_ok($node, 'postgres', 'SELECT last_value >= 2 FROM refusals', 'a run could not begin twice');
sql("SELECT metrics_refresh.cancel($run)");
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.run_request', 'and is canceled');
my $refused = sql('SELECT last_value FROM refusals');
$run = sql(q{SELECT metrics_refresh.trigger('see')});
until_ok($node, 'postgres', "SELECT last_value > $refused FROM refusals", 'the next could not either');
sql('ALTER TABLE metrics_refresh_internal.run_log DISABLE TRIGGER refuse');
sql("SELECT metrics_refresh.wait($run, '60 s')");
is(sql("SELECT status FROM metrics_refresh.run_log WHERE run_id = $run"), 'success', 'and is tried again');
sql('DROP TRIGGER refuse ON metrics_refresh_internal.run_log');

# Sessions that act while the scheduler waits for a lock, which is a tenth of a second at most: one holds a table
# that its clean-up reads, until what another does can be seen.
my $waits = q{EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted
	AND a.backend_type = 'metrics_refresh scheduler' AND a.datname = 'postgres')};

sub while_it_waits
{
	my ($act, $is_done) = @_;
	my @psql = ('psql', '-XqAt', '-d', $node->connstr('postgres'), '-c');
	my $loop = 'FOR i IN 1..100000 LOOP EXIT WHEN %s; PERFORM pg_sleep(0.0005); END LOOP;';
	my $holder = IPC::Run::start([ @psql, sprintf(
		"DO \$\$ BEGIN LOCK TABLE metrics_refresh_internal.incremental_leftover; PERFORM pg_advisory_xact_lock(1); $loop END \$\$", $is_done) ]);
	$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted})
	  or die 'nobody holds the table';
	# It has done it once before, in vain, and so is quick.
	my $actor = IPC::Run::start([ @psql, sprintf(
		"DO \$\$ BEGIN BEGIN $act RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END;"
		  . " PERFORM pg_advisory_xact_lock(2); $loop $act END \$\$", $waits) ]);
	$node->poll_query_until('postgres', q{SELECT count(*) > 1 FROM pg_locks WHERE locktype = 'advisory' AND granted})
	  or die 'nobody looks at the scheduler';
	sql(q{SELECT metrics_refresh.pause('idle'), metrics_refresh.resume('idle')});  # has it clean up
	$actor->finish or die 'the scheduler does not wait';
	$holder->finish or die 'what was to be done is not';
	return;
}

# The end of the time that it would wait for the lock wakes it as well, and is no more than the lock's time away.
sql(q{
	CREATE TABLE asked (at timestamptz DEFAULT clock_timestamp());
	SELECT metrics_refresh.schedule_command('idle', '@yearly', 'SELECT 1')});
my @late;
for my $time (1 .. 5)
{
	until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh.running}, 'nothing is under way');
	my $before = sql(q{SELECT coalesce(max(run_id), 0) FROM metrics_refresh.run_log});
	while_it_waits(q{INSERT INTO asked DEFAULT VALUES; PERFORM metrics_refresh.trigger('work');},
		q{EXISTS (SELECT FROM metrics_refresh_internal.run_request)});
	my $of_run = qq{FROM metrics_refresh.run_log WHERE job_name = 'work' AND run_id > $before AND status = 'success'};
	until_ok($node, 'postgres', "SELECT count(*) > 0 $of_run", "a request that comes in such a wait is served ($time)");
	push @late, sql("SELECT round(extract(epoch FROM started_at - (SELECT max(at) FROM asked)) * 1000) $of_run");
}
note("served @late ms after it was made");
cmp_ok((sort { $a <=> $b } @late)[0], '<', 60, 'and at once');

# A transaction that alters more databases than it can name.
my @databases = map { "d$_" } 1 .. 17;
$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE template0") for @databases;
create_extension($node, 'd17');
$node->safe_psql('d17', q{SELECT metrics_refresh.schedule_command('beat', '1 second', 'SELECT 1')});
wait_for_runs($node, 'd17', 'beat', 1, 'a job runs in the last of many databases');
sql('ALTER DATABASE d17 IS_TEMPLATE true');
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'd17'}, 'and rests while that is a template');
sql('BEGIN; ' . join(' ', map { "ALTER DATABASE $_ IS_TEMPLATE false;" } @databases) . ' COMMIT');
wait_for_runs($node, 'd17', 'beat', 1, 'it goes on when all of them are altered at once');

$node->stop;
done_testing();
