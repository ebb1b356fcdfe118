# A run can always be ended, and nobody's open transaction holds what others need: attacks on the
# workers, each while another role's job must run on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'endings',
	'metrics_refresh.max_workers' => 2,
	'metrics_refresh.cancel_grace' => '1s',
	'deadlock_timeout' => '200ms');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

# As the attacker, and his log.
sub mallory { return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'mallory' ]) }
sub last_run
{
	my ($job, $columns) = @_;
	return sql("SELECT $columns FROM metrics_refresh.run_log WHERE job_name = '$job' ORDER BY run_id DESC LIMIT 1");
}

sql(q{
	CREATE ROLE mallory LOGIN;
	CREATE SCHEMA m AUTHORIZATION mallory;
	ALTER ROLE mallory SET search_path = m;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO mallory;
	CREATE TABLE quick_nap (n int);
	CREATE MATERIALIZED VIEW quick AS SELECT 1 AS id;
	SELECT metrics_refresh.schedule('quick', '1 second', job_name => 'steady')});

# What never gives up: it catches its cancel, again and again.
mallory(q{
	CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
	  LOOP
	    BEGIN PERFORM pg_catalog.pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END;
	  END LOOP;
	END $$;
	CREATE MATERIALIZED VIEW stubborn AS SELECT stubborn() AS n WITH NO DATA;
	SELECT metrics_refresh.schedule('stubborn', job_name => 'stubborn')});

sub trigger_and_wait_for
{
	my ($job) = @_;
	mallory("SELECT metrics_refresh.trigger('$job')");
	return wait_for_run($node, 'postgres', $job);
}

my $run = trigger_and_wait_for('stubborn');
is(mallory("SELECT metrics_refresh.cancel($run)"), 't', 'a run that catches its cancel is canceled');
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'canceled', 'and ends');
like(last_run('stubborn', 'sqlstate, error_message, error_detail'),
	qr/^57014\|the run did not end when it was canceled, so its worker was terminated\|.*cancel_grace/, 'the log says how');
wait_for_runs($node, 'postgres', 'steady', 1, 'the other job runs on');

mallory(q{SELECT metrics_refresh.alter_job('stubborn', max_runtime => '1 second', max_retries => 100, retry_delay => '1 millisecond')});
$run = trigger_and_wait_for('stubborn');
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'error', 'so does its max_runtime end it');
like(last_run('stubborn', 'sqlstate, error_message'),
	qr/^57014\|the run did not end when it exceeded its max_runtime, so its worker was terminated/, 'the log says so');
is(sql(q{SELECT permanent_failures, retry_at IS NULL FROM metrics_refresh.job_state s JOIN metrics_refresh.job USING (job_id) WHERE job_name = 'stubborn'}),
	'1|t', 'it is no failure that goes away, so it is not tried again');

# Deferred triggers that a command's deferred triggers put off until the commit.
mallory(q{
	CREATE TABLE late (n int);
	CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  IF TG_OP = 'INSERT' THEN SET CONSTRAINTS ALL DEFERRED; UPDATE m.late SET n = n + 1; RETURN NULL; END IF;
	  PERFORM pg_catalog.pg_sleep(1000);
	  RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON late DEFERRABLE INITIALLY DEFERRED
	  FOR EACH ROW EXECUTE FUNCTION late();
	SELECT metrics_refresh.schedule_command('late', NULL, 'INSERT INTO m.late VALUES (1)', max_runtime => '1 second')});
$run = trigger_and_wait_for('late');
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'error', 'triggers that are put off until the commit are within the limits');
is(mallory('SELECT count(*) FROM late'), 0, 'and nothing of the command is left');

# Both workers, by the schedule.
mallory(q{
	CREATE MATERIALIZED VIEW stubborn2 AS SELECT stubborn() AS n WITH NO DATA;
	SELECT metrics_refresh.schedule('stubborn2', '1 second', job_name => 'stubborn2', max_runtime => '1 second');
	SELECT metrics_refresh.alter_job('stubborn', schedule => '1 second')});
until_ok($node, 'postgres', q{SELECT count(*) > 2 FROM metrics_refresh.run_log WHERE job_name ~ 'stubborn' AND status = 'error' AND triggered_by = 'schedule'},
	'all workers are taken by such runs, and they end');
wait_for_runs($node, 'postgres', 'steady', 1, 'the other job gets a worker');
mallory(q{SELECT metrics_refresh.unschedule('stubborn2'); SELECT metrics_refresh.unschedule('stubborn');
	SELECT metrics_refresh.schedule('stubborn', job_name => 'stubborn', max_runtime => '1 second')});
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh.run_log WHERE job_name ~ 'stubborn' AND status = 'running'}, 'no such run is left');

# No scheduler that could end it.
my $scheduler = process_id($node, 'scheduler', 'postgres');
$run = trigger_and_wait_for('stubborn');
kill 'STOP', $scheduler;
until_ok($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity a JOIN metrics_refresh.run_log l ON l.worker_pid = a.pid WHERE l.run_id = $run)",
	'a run ends although the scheduler cannot end it');
kill 'CONT', $scheduler;
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'error', 'its end is logged');
like(last_run('stubborn', 'error_message'), qr/exceeded its max_runtime, so its worker was terminated/, 'as what it was');

# Another scheduler than the one that knew of the cancel.
mallory(q{SELECT metrics_refresh.alter_job('stubborn', max_runtime => '1 hour')});
$run = trigger_and_wait_for('stubborn');
$scheduler = process_id($node, 'scheduler', 'postgres');
kill 'STOP', $scheduler;
mallory("SELECT metrics_refresh.cancel($run)");
sql("SELECT pg_terminate_backend($scheduler)");
kill 'CONT', $scheduler;
is(mallory("SELECT metrics_refresh.wait($run, '30 seconds')"), 'canceled', 'a new scheduler ends what was canceled before');
like(last_run('stubborn', 'error_message'), qr/did not end when it was canceled, so its worker was terminated/, 'and knows why');

# A command that commits meanwhile.
mallory(q{
	CREATE TABLE done (n serial);
	CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN
	  LOOP
	    INSERT INTO done DEFAULT VALUES;
	    BEGIN PERFORM pg_catalog.pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END;
	    COMMIT;
	  END LOOP;
	END $$;
	SELECT metrics_refresh.schedule_command('commits', NULL, 'CALL m.commits()', max_runtime => '1 second')});
$run = trigger_and_wait_for('commits');
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'error', 'a command that goes on and commits ends');
like(last_run('commits', 'error_message'), qr/exceeded its max_runtime, so its worker was terminated/, 'the log says how');
is(sql('SELECT count(*) > 0 FROM m.done'), 't', 'what it had committed stays');

# Locks. Whoever holds them below does so in a transaction that he does not end.
sub session { return $node->background_psql('postgres', on_error_stop => 1, extra_params => [ '-U', $_[0] ]) }
my $holder;
sub hold { $holder = session('mallory'); $holder->query_safe($_) for 'BEGIN', @_; return }
sub let_go { $holder->query_safe($_[0] // 'ROLLBACK'); $holder->quit; return }

# A set-up that waits for a table's lock is under the limits of its run.
mallory(q{
	CREATE TABLE source (id int PRIMARY KEY, n int);
	CREATE MATERIALIZED VIEW kept AS SELECT n, count(*) AS c FROM source GROUP BY n;
	SELECT metrics_refresh.schedule('kept', job_name => 'kept', strategy => 'incremental',
	  max_runtime => '1 second', lock_timeout => '1 hour');
	DROP MATERIALIZED VIEW kept;
	CREATE MATERIALIZED VIEW kept AS SELECT n, count(*) AS c FROM source GROUP BY n});
hold('LOCK TABLE source IN ACCESS EXCLUSIVE MODE');
$run = mallory(q{SELECT metrics_refresh.trigger('kept')});
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'error', 'a set-up that waits ends with its max_runtime');
is(last_run('kept', 'sqlstate, error_message'), '57014|the run was ended because it exceeded its max_runtime', 'the log says so');
mallory(q{SELECT metrics_refresh.alter_job('kept', max_runtime => '1 hour')});
$run = mallory(q{SELECT metrics_refresh.trigger('kept')});
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker' AND wait_event_type = 'Lock'});
mallory("SELECT metrics_refresh.cancel($run)");
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'canceled', 'or with its cancel');
let_go();

# A job of one run that somebody holds.
sql('GRANT CREATE ON DATABASE postgres TO mallory');
mallory(q{
	CREATE SCHEMA m2;
	CREATE MATERIALIZED VIEW m2.a AS SELECT 1 AS n;
	CREATE MATERIALIZED VIEW m2.b AS SELECT n FROM m2.a;
	CREATE MATERIALIZED VIEW m2.c AS SELECT n FROM m2.a});

# Asks for a run of all views of m2, and has the holder do something with its job or its number before
# it begins.
sub hold_before_it_begins
{
	my ($call) = @_;
	my ($asked, $name);
	for (1 .. 100)
	{
		$asked = mallory(q{SELECT metrics_refresh.refresh_all_views('m2')});
		$name = sql("SELECT job_name FROM metrics_refresh.job JOIN metrics_refresh_internal.run_request USING (job_id) WHERE run_id = $asked");
		next if $name eq '';
		$holder = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'mallory' ]);
		$holder->query('BEGIN');
		$holder->query("SELECT metrics_refresh." . sprintf($call, $call =~ /cancel/ ? $asked : "'$name'"));
		return ($asked, $name)
		  if sql("SELECT count(*) FROM metrics_refresh_internal.run_request WHERE run_id = $asked") == 1
		  && sql(q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'mallory' AND state = 'idle in transaction'}) == 1;
		let_go();
	}
	die 'the run always begins before it can be held';
}
sub enable
{
	$node->append_conf('postgresql.conf', "metrics_refresh.enabled = $_[0]");
	return $node->reload;
}
for my $call ('alter_job(%s, priority => -1)', 'trigger(%s)')
{
	enable('off');
	my ($asked, $name) = hold_before_it_begins($call);
	enable('on');
	is(mallory("SELECT metrics_refresh.wait($asked, '30 seconds')"), 'success', "a job of one run is held by $call: the run ends");
	is(sql("SELECT count(*) FROM metrics_refresh_internal.active_run WHERE run_id = $asked"), 0, 'nothing of it is left open');
	is(sql("SELECT count(*) FROM metrics_refresh.job WHERE job_name = '$name'"), 1, 'only the job is');
	wait_for_runs($node, 'postgres', 'steady', 1, 'the other job runs on');
	let_go();
	until_ok($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM metrics_refresh.job WHERE job_name = '$name')", 'it is removed once it can be');
}

# Calls of other roles do not wait for him.
sub at_once
{
	my ($statement, $name, $role) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '10s'; $statement", extra_params => [ '-U', $role // 'postgres' ]);
	return is("$code $err", '0 ', $name);
}
sub all_at_once
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	at_once(q{SELECT metrics_refresh.schedule('quick', '1 hour', job_name => 'other')}, "$what: schedule() does not wait");
	at_once(q{SELECT metrics_refresh.cancel(metrics_refresh.trigger('other'))}, "$what: nor trigger() and cancel()");
	at_once(q{SELECT metrics_refresh.schedule('kept2', job_name => 'kept2', strategy => 'incremental')}, "$what: nor a set-up");
	at_once(q{SELECT metrics_refresh.unschedule('kept2'), metrics_refresh.unschedule('other')}, "$what: nor unschedule()");
	at_once(q{SELECT metrics_refresh.cleanup_logs()}, "$what: nor cleanup_logs()");
	at_once(q{SELECT * FROM metrics_refresh.import_from_crontab('1 1 * * * psql -c "SELECT 1"', false)}, "$what: nor an import");
	sql(q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE job_name ~ 'crontab'});
	return wait_for_runs($node, 'postgres', 'steady', 2, "$what: the other job runs on");
}
sql(q{
	CREATE TABLE base2 (id int PRIMARY KEY, n int);
	CREATE MATERIALIZED VIEW kept2 AS SELECT n, count(*) AS c FROM base2 GROUP BY n});

mallory('DROP MATERIALIZED VIEW kept');
hold(q{SELECT metrics_refresh.unschedule('kept')});
all_at_once('an incremental view that was dropped is unscheduled');
let_go();

mallory(q{CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'});
hold(q{DO $$ BEGIN ALTER FUNCTION f() DEPENDS ON EXTENSION metrics_refresh; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$},
	q{DO $$ BEGIN DROP SCHEMA metrics_refresh_internal; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$});
all_at_once('a function was to depend on the extension, and a schema of it to be dropped');
let_go();

hold(q{SELECT pg_advisory_xact_lock(hashtext('metrics_refresh'), hashtext('import'))});
all_at_once('the advisory lock of imports is held');
let_go();

enable('off');
hold_before_it_begins('cancel(%s)');
enable('on');
all_at_once('a run of one time is withdrawn');
let_go();

# What he may not change he cannot lock.
hold(q{DO $$ BEGIN PERFORM metrics_refresh.alter_job('steady', priority => 0); EXCEPTION WHEN OTHERS THEN NULL; END $$},
	q{DO $$ BEGIN PERFORM metrics_refresh.unschedule('steady'); EXCEPTION WHEN OTHERS THEN NULL; END $$});
at_once(q{SELECT metrics_refresh.pause('steady'), metrics_refresh.resume('steady')}, 'a job that he may not change is not locked');
my $victim = session('postgres');
$victim->query_safe($_) for 'BEGIN', q{SELECT metrics_refresh.pause('steady')};
for my $call (q{alter_job('steady', priority => 0)}, q{unschedule('steady')}, q{pause('steady')}, q{trigger('steady')})
{
	my ($code, $out, $err) = $node->psql('postgres', "SET lock_timeout = '5s'; SELECT metrics_refresh.$call", extra_params => [ '-U', 'mallory' ]);
	like($err, qr/permission denied for job "steady"/, "$call is refused before it could wait for a lock");
}
is(mallory(q{SET lock_timeout = '5s'; SELECT metrics_refresh.schedule('stubborn', job_name => 'steady') > 0}), 't',
	'a job of his own may have the name meanwhile');
is(mallory(q{SELECT metrics_refresh.unschedule('steady')}), 't', 'which is the one that he then means');
$victim->query_safe('ROLLBACK');
$victim->quit;

# A run that was canceled while it could not begin: it does not begin when it can.
mallory(q{
	CREATE TABLE begun (n int);
	CREATE FUNCTION begins() RETURNS int LANGUAGE sql AS 'INSERT INTO m.begun VALUES (1) RETURNING n';
	CREATE MATERIALIZED VIEW begins AS SELECT begins() AS n WITH NO DATA;
	SELECT metrics_refresh.schedule_command('begins', NULL, 'SELECT m.begins()');
	SELECT metrics_refresh.schedule_group('begins, a group', '{m.begins}', populate => false)});
for my $job ('begins', 'begins, a group')
{
	my $log = session('postgres');
	$log->query_safe($_) for 'BEGIN', 'LOCK TABLE metrics_refresh_internal.run_log IN SHARE MODE';
	$run = mallory("SELECT metrics_refresh.trigger('$job')");
	my $held = q{FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker' AND usename = 'mallory' AND wait_event_type = 'Lock'};
	until_ok($node, 'postgres', "SELECT count(*) = 1 $held", "$job: a run cannot begin");
	my $pid = sql("SELECT pid $held");
	my $offset = -s $node->logfile;
	is(mallory("SET lock_timeout = '10s'; SELECT metrics_refresh.cancel($run)"), 't', "$job: it is canceled");
	ok($node->wait_for_log(qr/\[$pid\] .*a run cannot begin now/, $offset), "$job: which cannot be logged yet");
	until_ok($node, 'postgres', "SELECT count(*) = 1 $held", "$job: and is tried again");
	$log->query_safe('ROLLBACK');
	$log->quit;
	is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'canceled', "$job: then it is over");
	is(mallory('SELECT count(*) FROM begun'), 0, "$job: nothing of it has been done");
}

# A remote server that does not answer the commit: what the view reads there has a deferred trigger.
SKIP:
{
	skip 'postgres_fdw is not installed', 7
	  unless sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'});
	sql('CREATE DATABASE remote');
	$node->safe_psql('remote', q{
		CREATE TABLE nap (catches boolean);
		INSERT INTO nap VALUES (false);
		CREATE TABLE touched (at timestamptz);
		CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		  LOOP
		    BEGIN PERFORM pg_sleep(1000);
		    EXCEPTION WHEN query_canceled THEN IF NOT (SELECT catches FROM public.nap) THEN RAISE; END IF; END;
		  END LOOP;
		END $$;
		CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON touched DEFERRABLE INITIALLY DEFERRED
		  FOR EACH ROW EXECUTE FUNCTION at_commit();
		CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS 'INSERT INTO public.touched VALUES (now()) RETURNING 1';
		CREATE VIEW far AS SELECT touch() AS n});
	my ($host, $port) = ($node->host, $node->port);
	my $superuser = sql('SELECT current_user');
	sql(qq{
		CREATE EXTENSION postgres_fdw;
		CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'remote');
		CREATE USER MAPPING FOR mallory SERVER remote OPTIONS (user '$superuser', password_required 'false');
		GRANT USAGE ON FOREIGN SERVER remote TO mallory});
	mallory(q{
		CREATE FOREIGN TABLE far (n int) SERVER remote OPTIONS (schema_name 'public');
		CREATE MATERIALIZED VIEW over_far AS SELECT n FROM far WITH NO DATA;
		SELECT metrics_refresh.schedule('over_far', job_name => 'far', strategy => 'full', max_retries => 0)});
	for my $catches ('false', 'true')
	{
		$node->safe_psql('remote', "UPDATE nap SET catches = $catches");
		$run = mallory(q{SELECT metrics_refresh.trigger('far')});
		until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'remote' AND wait_event = 'PgSleep'},
			"a remote commit hangs (it catches a cancel: $catches)");
		mallory("SELECT metrics_refresh.cancel($run)");
		is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'canceled', 'the run is canceled');
		sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'remote'});
	}
	mallory(q{SELECT metrics_refresh.alter_job('far', max_runtime => '1 second')});
	$run = mallory(q{SELECT metrics_refresh.trigger('far')});
	is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'error', 'a run ends by its max_runtime');
	is(mallory('SELECT relispopulated FROM pg_class WHERE relname = \'over_far\''), 'f', 'nothing of it is there');
	wait_for_runs($node, 'postgres', 'steady', 1, 'the other job runs on');
	sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'remote'});
}

# What an ordinary role may ask for.
my ($code, $out, $err) = $node->psql('postgres', q{SELECT metrics_refresh.schedule('stubborn', job_name => 'long', max_runtime => '2 days')}, extra_params => [ '-U', 'mallory' ]);
like($err, qr/max_runtime must not be longer than metrics_refresh.max_job_runtime, 1d/, 'max_runtime has a limit');
mallory(q{SELECT metrics_refresh.schedule('stubborn', job_name => 'long', max_runtime => '1 day')});
($code, $out, $err) = $node->psql('postgres', q{SELECT metrics_refresh.alter_job('long', max_runtime => '24 days')}, extra_params => [ '-U', 'mallory' ]);
like($err, qr/max_runtime must not be longer/, 'so it has in alter_job()');
at_once(q{SELECT metrics_refresh.alter_job('long', max_runtime => '24 days')}, 'a superuser may give more');
$node->append_conf('postgresql.conf', q{metrics_refresh.max_job_runtime = '1s'});
$node->restart;
$run = trigger_and_wait_for('long');
is(mallory("SELECT metrics_refresh.wait($run, '20 seconds')"), 'error', 'a run ends by the limit all the same');

done_testing();
