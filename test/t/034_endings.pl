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

done_testing();
