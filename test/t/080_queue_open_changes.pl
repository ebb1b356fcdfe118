# Jobs of a group that runs singly survive the end of their worker, and an open transaction that has changed a waiting
# job delays only that job.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('open_changes', 'metrics_refresh.queue_group_time' => '2s',
	'metrics_refresh.queue_workers' => 1);
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# A deferred constraint lets the group fail, so that its jobs run singly. The second job then waits.
sql(q{
	CREATE TABLE ran (job bigint);
	CREATE TABLE once (value int UNIQUE DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO once VALUES (3);
	CREATE SEQUENCE starts;
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO ran VALUES (job_id);
		INSERT INTO once VALUES ((payload->>'n')::int);
		IF payload->>'n' = '2' AND nextval('starts') = 2 THEN
			PERFORM pg_sleep(600);
		END IF;
	END $$;
	SELECT metrics_refresh.register_job_type('group', 'work(bigint, jsonb)', mode => 'grouped', max_attempts => 1);
	SELECT count(*) FROM metrics_refresh.enqueue_many('group', ARRAY['{"n": 1}', '{"n": 2}', '{"n": 3}', '{"n": 4}']::jsonb[])});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM ran}) or die 'the first job has not run singly';
is( sql(q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE wait_event = 'PgSleep' AND backend_type = 'metrics_refresh worker'}),
	1, 'the worker is terminated in the second job of four');
ok( $node->poll_query_until('postgres',
		q{SELECT string_agg(status, ' ' ORDER BY id) = 'completed completed dead completed' FROM background_jobs}),
	'the others run all the same');

sql(q{
	CREATE TABLE done (name text, at timestamptz DEFAULT clock_timestamp());
	CREATE SEQUENCE tries;
	CREATE FUNCTION note(payload jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO done (name) SELECT payload->>'name' $$;
	CREATE FUNCTION fail_once(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('tries') = 1 THEN
			RAISE 'not yet';
		END IF;
		INSERT INTO done VALUES ('retried');
	END $$;
	SELECT metrics_refresh.register_job_type('note', 'note(jsonb)');
	SELECT metrics_refresh.register_job_type('fail', 'fail_once(jsonb)', backoff => '2 s', max_backoff => '2 s')});

sub enqueue { my ($name, $options) = @_; return sql(qq{SELECT metrics_refresh.enqueue('note', '{"name": "$name"}'$options)}) }
sub is_done { return $node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM done WHERE name = '$_[0]'}) }

# One session has a waiter of two locked. The other one starts when its predecessor has completed.
my ($first, $second) = map { enqueue("before $_", q{, delay => '1 s'}) } 1, 2;
my ($held, $free) = (enqueue('held', ", after => ARRAY[$first]"), enqueue('free', ", after => ARRAY[$second]"));
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe("BEGIN; SELECT metrics_refresh.cancel_job($held)");
ok(is_done('before 1') && is_done('before 2'), 'the predecessors complete');
ok(is_done('free'), 'a waiter starts while another one is locked');
unlike(slurp_file($node->logfile), qr/cannot be released now/, 'the scheduler waits for no lock');
$session->query_safe('ROLLBACK');
ok(is_done('held'), 'the other one starts after the rollback');

# While the transaction is open, the job's time comes, and that of a job behind it.
my $failed = sql(q{SELECT metrics_refresh.enqueue('fail')});
$node->poll_query_until('postgres', qq{SELECT status = 'failed' FROM background_jobs WHERE id = $failed}) or die;
$session->query_safe("BEGIN; SELECT metrics_refresh.retry_job($failed)");
enqueue('behind', q{, delay => '2.5 s'});
ok(is_done('behind'), 'a job that is due later starts');
$session->query_safe('ROLLBACK');
ok(is_done('retried'), 'the job starts after the rollback of retry_job()');

my $snoozed = enqueue('snoozed', q{, delay => '1 s'});
$session->query_safe("BEGIN; SELECT metrics_refresh.snooze_job($snoozed, '1 hour')");
enqueue('behind the snoozed one', q{, delay => '1.5 s'});
ok(is_done('behind the snoozed one'), 'a job that is due later starts');
$session->query_safe('ROLLBACK');
ok(is_done('snoozed'), 'the job starts after the rollback of snooze_job()');
$session->quit;

$node->stop;
done_testing();
