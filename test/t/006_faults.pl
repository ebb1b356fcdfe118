# One bad job never stops the others: roles, views, statements and limits that fail, each beside a
# job that runs on, and each with words in the log and in health_check().
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'faults',
	max_worker_processes => 6,
	max_parallel_workers => 0,
	max_logical_replication_workers => 0,
	'metrics_refresh.max_workers' => 3,
	'metrics_refresh.suspend_after' => 3,
	'metrics_refresh.worker_idle_timeout' => '0');
create_extension($node);
create_nap_view($node, 'postgres', 'quick', 0);
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady');
	CREATE ROLE mortal LOGIN; CREATE ROLE gone LOGIN; CREATE ROLE nologin LOGIN;
	CREATE ROLE limited LOGIN CONNECTION LIMIT 0;
	GRANT CREATE ON SCHEMA public TO mortal;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO gone, nologin, limited});

# Waits until the job has failed so; the other one must run on meanwhile.
sub fails_with
{
	my ($job, $sqlstate, $message, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	until_ok(
		$node, 'postgres', qq{
		SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = '$job'
		AND status = 'error' AND sqlstate = '$sqlstate' AND error_message ~ '$message'},
		"$name: the log says what happened");
	return wait_for_runs($node, 'postgres', 'steady', 1, "$name: the other job runs on");
}

sub health_says
{
	my ($pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like(hurt($node, 'postgres'), $pattern, "$name: health says so");
}

sub end_job
{
	return $node->safe_psql('postgres', "SELECT metrics_refresh.unschedule('$_[0]')");
}

# A statement that is wrong suspends its job after a while.
$node->safe_psql('postgres',
	q{SELECT metrics_refresh.schedule_command('wrong', '1 second', 'SELEKT 1')});
fails_with('wrong', '42601', 'syntax error at or near "SELEKT"', 'a syntax error');
until_ok(
	$node, 'postgres', q{SELECT suspended_at IS NOT NULL AND next_due IS NULL AND consecutive_failures = 3
	FROM metrics_refresh.job_status WHERE job_name = 'wrong'}, 'it is suspended');
health_says(qr/^suspended\|critical\|job wrong is suspended.*syntax error/m, 'a syntax error');
wait_for_runs($node, 'postgres', 'steady', 2);
is($node->safe_psql('postgres', q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'wrong'}),
	3, 'a suspended job does not run');
end_job('wrong');

# The owner of a command is dropped.
$node->safe_psql('postgres', q{SELECT metrics_refresh.schedule_command('orphan', '1 second', 'SELECT 1')},
	extra_params => [ '-U', 'gone' ]);
wait_for_runs($node, 'postgres', 'orphan', 1);
$node->safe_psql('postgres', 'DROP OWNED BY gone; DROP ROLE gone');
fails_with('orphan', '42704', 'role "gone" does not exist', 'a dropped role');
health_says(qr/^owner\|critical\|job orphan belongs to the role gone, which does not exist/m,
	'a dropped role');
end_job('orphan');

# The owner of a view is dropped with all that is his.
$node->safe_psql(
	'postgres', q{
	CREATE MATERIALIZED VIEW mortals AS SELECT 1 AS id;
	SELECT metrics_refresh.schedule('mortals', '1 second', job_name => 'mortals')},
	extra_params => [ '-U', 'mortal' ]);
wait_for_runs($node, 'postgres', 'mortals', 1);
$node->safe_psql('postgres', 'DROP OWNED BY mortal; DROP ROLE mortal');
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'mortals' AND status = 'skipped'
	AND error_message = 'materialized view public.mortals does not exist'},
	'a dropped view: the log says once that it is missing');
health_says(qr/^view_missing\|warning\|job mortals waits for the materialized view public\.mortals/m,
	'a dropped view');
wait_for_runs($node, 'postgres', 'steady', 2, 'a dropped view: the other job runs on');
is( $node->safe_psql('postgres',
		q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'mortals' AND status = 'skipped'}),
	1,
	'and once only');
$node->safe_psql('postgres', 'CREATE MATERIALIZED VIEW mortals AS SELECT 2 AS id');
$node->safe_psql('postgres', q{SELECT metrics_refresh.alter_job('mortals', owner => 'postgres')});
wait_for_runs($node, 'postgres', 'mortals', 1, 'made again, it is refreshed again');
end_job('mortals');

# Roles that cannot connect.
$node->safe_psql(
	'postgres', q{
	SET ROLE nologin;
	SELECT metrics_refresh.schedule_command('nologin', '1 second', 'SELECT 1');
	SET ROLE limited;
	SELECT metrics_refresh.schedule_command('limited', '1 second', 'SELECT 1');
	RESET ROLE;
	ALTER ROLE nologin NOLOGIN});
fails_with('nologin', '28000', 'role "nologin" is not permitted to log in', 'a role that cannot log in');
health_says(qr/^owner\|critical\|job nologin cannot run: role "nologin" is not permitted to log in/m, 'a role that cannot log in');
wait_for_runs($node, 'postgres', 'limited', 1,
	'a connection limit, which is for clients, does not stop a command');
$node->safe_psql('postgres', 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
fails_with('limited', '42501', 'role "limited" is not permitted to connect to this database', 'a role that may not connect');
health_says(qr/^success_rate\|(critical|warning)\|job limited: /m, 'a role that may not connect');
$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
wait_for_runs($node, 'postgres', 'limited', 1, 'allowed again, its command runs again');
end_job($_) for qw(nologin limited);
$node->safe_psql('postgres', 'ALTER DATABASE postgres CONNECTION LIMIT 0');
wait_for_runs($node, 'postgres', 'steady', 1, 'a limit of the database does not stop refreshes');
$node->safe_psql('postgres', 'ALTER DATABASE postgres CONNECTION LIMIT -1');

# Settings meant for interactive sessions.
$node->safe_psql(
	'postgres', q{
	ALTER DATABASE postgres SET statement_timeout = 1; ALTER DATABASE postgres SET default_transaction_read_only = on;
	ALTER DATABASE postgres SET role = limited; ALTER DATABASE postgres SET search_path = nowhere;
	ALTER DATABASE postgres SET default_transaction_isolation = serializable;
	SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'metrics_refresh %'
	AND backend_type <> 'metrics_refresh launcher'});
my $sane = q{SET statement_timeout = 0; SET default_transaction_read_only = off; RESET role;
  SET default_transaction_isolation = 'read committed'; };
# They can end this session's own statements, too, before it has put them off.
local $ENV{PGOPTIONS} = '-c statement_timeout=0';
my ($code, $last) = $node->psql('postgres', "$sane RESET SESSION AUTHORIZATION; SET ROLE postgres;
	SELECT max(run_id) FROM metrics_refresh.run_log WHERE status = 'success'");
my $seen = 0;
for (1 .. 100)
{
	($code, $seen) = $node->psql('postgres', "$sane SET ROLE postgres;
		SELECT count(*) FROM metrics_refresh.run_log WHERE status = 'success' AND run_id > $last");
	last if $seen >= 2;
	select(undef, undef, undef, 0.1);
}
cmp_ok($seen, '>=', 2, 'settings of the database that are meant for sessions do not stop refreshes');
$node->safe_psql('template1', 'ALTER DATABASE postgres RESET ALL');

# Off and on by reload.
$node->append_conf('postgresql.conf', 'metrics_refresh.enabled = off');
$node->reload;
until_ok(
	$node, 'postgres', q{
	SELECT clock_timestamp() > max(started_at) + interval '3 seconds' FROM metrics_refresh.run_log},
	'metrics_refresh.enabled = off: nothing starts');
health_says(qr/^scheduler\|warning\|metrics_refresh\.enabled is off/m, 'disabled');
$node->append_conf('postgresql.conf', 'metrics_refresh.enabled = on');
$node->reload;
wait_for_runs($node, 'postgres', 'steady', 1, 'metrics_refresh.enabled = on: runs start again');

# No process to be had: max_worker_processes is taken by the launcher, this scheduler, and others.
$node->safe_psql('postgres', 'CREATE DATABASE hog');
create_extension($node, 'hog');
$node->safe_psql(
	'hog', q{
	SELECT metrics_refresh.schedule_command('hog' || n, NULL, 'SELECT pg_sleep(600)')
	FROM generate_series(1, 3) n;
	SELECT metrics_refresh.trigger('hog' || n) FROM generate_series(1, 3) n});
until_ok($node, 'hog', q{SELECT count(*) = 3 FROM metrics_refresh.run_log WHERE status = 'running'},
	'every worker is busy');
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 1 FROM metrics_refresh.health_check()
	WHERE check_name = 'scheduler' AND severity = 'warning' AND detail ~ 'runs? waits?'},
	'health says that runs wait');
my $waiting = $node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('steady')});
is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($waiting, '100 ms')"),
	'queued', 'a request waits too');
$node->safe_psql('hog', 'SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.running LIMIT 1');
wait_for_runs($node, 'postgres', 'steady', 2, 'they run once a worker is free');
is($node->safe_psql('postgres', "SELECT metrics_refresh.wait($waiting, '20 s')"), 'success',
	'the request too');

# Slots enough, but max_worker_processes too small.
$node->stop;
$node->append_conf('postgresql.conf', "max_worker_processes = 4\nmetrics_refresh.max_workers = 8");
my $offset = -s $node->logfile;
$node->start;
wait_for_runs($node, 'postgres', 'steady', 1, 'few processes: jobs run');
$node->safe_psql('hog', q{SELECT metrics_refresh.trigger('hog1')});
until_ok($node, 'hog', q{SELECT count(*) >= 1 FROM metrics_refresh.run_log WHERE status = 'running'},
	'few processes: the last one is taken');
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 1 FROM metrics_refresh.health_check()
	WHERE check_name = 'scheduler' AND severity <> 'ok'},
	'few processes: health says that runs wait');
$node->safe_psql('hog', 'SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.running');
wait_for_runs($node, 'postgres', 'steady', 1, 'few processes: then they run');
$node->safe_psql('postgres', 'DROP DATABASE hog WITH (FORCE)');

# A system that has no process left: the server forks none, neither for a scheduler nor for a worker.
# Once it has some, runs begin again by themselves, although nobody connects and wakes the postmaster.
sub limit_processes
{
	my ($soft) = @_;
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	system_or_bail('prlimit', "--pid=$pid", "--nproc=$soft:");
	return;
}
my ($unlimited) = slurp_file('/proc/self/limits') =~ /^Max processes\s+\S+\s+(\S+)/m;
for my $process ('worker', 'scheduler')
{
	my $scheduler = process_id($node, 'scheduler', 'postgres');
	$offset = -s $node->logfile;
	limit_processes(1);
	kill 'TERM', $scheduler if $process eq 'scheduler';
	ok($node->wait_for_log(qr/could not fork (?:background )?worker process/, $offset), "no $process can be forked");
	sleep 1;
	my $freed = time + 1;
	limit_processes($unlimited);
	sleep 6;
	is( $node->safe_psql(
			'postgres', qq{
			SELECT count(*) >= 2 FROM metrics_refresh.run_log WHERE job_name = 'steady' AND status = 'success'
			AND started_at BETWEEN to_timestamp($freed) AND to_timestamp($freed + 5)}),
		't',
		"no $process could be forked: runs begin soon after it can");
}

# One worker for many jobs that are due at once: all run, one after the other.
$node->stop;
$node->append_conf('postgresql.conf', "max_worker_processes = 6\nmetrics_refresh.max_workers = 1");
$node->start;
$node->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.unschedule('steady');
	SELECT metrics_refresh.schedule_command('one of ' || n, '2 seconds', 'SELECT pg_sleep(0.2)')
	FROM generate_series(1, 5) n});
my $stamp = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
my $ran = q{SELECT count(DISTINCT job_name) FROM metrics_refresh.run_log
  WHERE job_name LIKE 'one of%' AND status = 'success'};
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 1 FROM metrics_refresh.health_check()
	WHERE check_name = 'scheduler' AND severity = 'warning' AND detail ~ 'runs? waits?'},
	'one worker: health says that runs wait');
until_ok($node, 'postgres', "SELECT ($ran AND started_at > '$stamp') = 5", 'one worker: all jobs run');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM metrics_refresh.run_log a JOIN metrics_refresh.run_log b
		ON a.run_id < b.run_id AND a.job_name LIKE 'one of%' AND b.job_name LIKE 'one of%'
		AND a.started_at < b.finished_at AND b.started_at < a.finished_at}),
	0,
	'one worker: one at a time');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'nothing broke');
$node->stop;
done_testing();
