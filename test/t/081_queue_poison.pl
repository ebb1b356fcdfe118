# Jobs, sessions and claims that cannot go on do not keep others from it: handlers that end their own process, an
# extension that is dropped in a transaction that is rolled back, and claims that were
# released before a crash.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('poison', 'metrics_refresh.max_workers' => 2, 'metrics_refresh.queue_workers' => 1,
	'metrics_refresh.queue_group_time' => '2s');
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub status_of { return sql("SELECT status FROM background_jobs WHERE id = $_[0]") }
sub waits_for { my ($what, $query) = @_; return until_ok($node, 'postgres', $query, $what) }

sql(q{
	CREATE SEQUENCE starts;
	CREATE TABLE done (name text, at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION end_process() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		PERFORM pg_terminate_backend(pg_backend_pid());
		PERFORM pg_sleep(600);
	END $$;
	CREATE FUNCTION poison(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		PERFORM nextval('starts');
		PERFORM end_process();
	END $$;
	CREATE FUNCTION note(payload jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO done (name) SELECT payload->>'name' $$;
	SELECT metrics_refresh.register_job_type('poison', 'poison(jsonb)', max_attempts => 2, backoff => '1 s',
		max_backoff => '1 s');
	SELECT metrics_refresh.register_job_type('note', 'note(jsonb)')});

# A handler that ends its process.
my $poison = sql(q{SELECT metrics_refresh.enqueue('poison')});
my $other = sql(q{SELECT metrics_refresh.enqueue('note', '{"name": "behind poison"}')});
waits_for('a job that ends its workers is dead', "SELECT status = 'dead' FROM background_jobs WHERE id = $poison");
is(sql(q{SELECT last_value FROM starts}), 20, 'ten ends of its process are an attempt');
is(sql("SELECT attempts, last_error FROM background_jobs WHERE id = $poison"),
	'2|the worker of the job was terminated 10 times in a row', 'it has a reason');
waits_for('a job behind it has completed', "SELECT status = 'completed' FROM background_jobs WHERE id = $other");
my $after = sql(q{SELECT metrics_refresh.enqueue('note', '{"name": "after poison"}')});
is(sql("SELECT metrics_refresh.wait_job($after, '60 s')"), 'completed', 'a later job completes');
is( sql("SELECT finished_at - created_at < '5 s' FROM background_jobs WHERE id = $after"),
	't', 'the owner of the poison waits for no backoff');

# A transaction_timeout of the owner, which would end the process.
SKIP: {
	skip 'this server has no transaction_timeout', 2 if sql('SHOW server_version_num') < 170000;
	sql(q{CREATE ROLE timed LOGIN; ALTER ROLE timed SET transaction_timeout = '1s';
		GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue TO timed; GRANT CREATE ON SCHEMA public TO timed;
		SET ROLE timed;
		CREATE FUNCTION sleep(payload jsonb) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(600)';
		SELECT metrics_refresh.register_job_type('sleep', 'sleep(jsonb)', max_attempts => 1)});
	my $sleep = sql(q{SELECT metrics_refresh.enqueue('sleep')});
	is(sql("SELECT metrics_refresh.wait_job($sleep, '60 s')"), 'dead', 'a job ends at the transaction_timeout of its owner');
	is( sql("SELECT last_error FROM background_jobs WHERE id = $sleep"),
		'the job exceeded its timeout of 1000 ms', 'it is the timeout of the job');
}

# A group of which a deferred trigger ends the process.
sql(q{
	CREATE TABLE grouped (n int);
	CREATE FUNCTION check_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.n = 2 THEN
			PERFORM end_process();
		END IF;
		RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER later AFTER INSERT ON grouped DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		EXECUTE FUNCTION check_row();
	CREATE FUNCTION add_row(payload jsonb) RETURNS void LANGUAGE sql AS $$
		INSERT INTO grouped VALUES ((payload->>'n')::int) $$;
	SELECT metrics_refresh.register_job_type('group', 'add_row(jsonb)', mode => 'grouped', max_attempts => 1);
	SELECT count(*) FROM metrics_refresh.enqueue_many('group', ARRAY['{"n": 1}', '{"n": 2}', '{"n": 3}']::jsonb[])});
waits_for('only one job of a group is dead', q{SELECT string_agg(status, ' ' ORDER BY id) = 'completed dead completed'
	FROM background_jobs WHERE type = 'group'});
is(sql(q{SELECT string_agg(n::text, ' ' ORDER BY n) FROM grouped}), '1 3', 'the others have had their effect once');

# A job cannot cancel a job that has run in its own transaction.
sql(q{
	CREATE FUNCTION cancel_first(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		IF (payload->>'n')::int = 2 THEN
			PERFORM metrics_refresh.cancel_job(job_id - 1);
		END IF;
	EXCEPTION WHEN object_in_use THEN
		INSERT INTO done (name) VALUES (SQLERRM);
	END $$;
	SELECT metrics_refresh.register_job_type('cancel', 'cancel_first(bigint, jsonb)', mode => 'grouped', max_attempts => 1);
	SELECT count(*) FROM metrics_refresh.enqueue_many('cancel', ARRAY['{"n": 1}', '{"n": 2}']::jsonb[])});
waits_for('both jobs of a group complete', q{SELECT count(*) = 2 FROM background_jobs
	WHERE type = 'cancel' AND status = 'completed'});
is(sql(q{SELECT count(*) FROM done WHERE name LIKE 'job % has run in this transaction'}), 1, 'the cancel is refused');

# The place of the queue is made for a schema that is never there.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe(q{BEGIN; DROP EXTENSION metrics_refresh CASCADE; CREATE EXTENSION metrics_refresh;
	SELECT metrics_refresh.register_job_type('uncommitted', 'note(jsonb)');
	SELECT metrics_refresh.enqueue('uncommitted', '{}');
	ROLLBACK});
$session->quit;
$after = sql(q{SELECT metrics_refresh.enqueue('note', '{"name": "after rollback"}')});
is(sql("SELECT metrics_refresh.wait_job($after, '60 s')"), 'completed', 'jobs run after a DROP EXTENSION was rolled back');

# After a crash, a job that was released can be claimed at once.
sql(q{SELECT metrics_refresh.register_job_type('outside', mode => 'external')});
my $released = sql(q{SELECT metrics_refresh.enqueue('outside')});
my $claim = q{FROM metrics_refresh.claim_jobs('{outside}', worker => 'w', lease => '1 hour')};
is(sql("SELECT j.result FROM (SELECT id, token $claim) c, metrics_refresh.release_jobs(ARRAY[c.id], ARRAY[c.token]) j"),
	'done', 'a claim is released');
$node->stop('immediate');
$node->start;
waits_for('the queue is open', q{SELECT metrics_refresh.enqueue('note') > 0});
my $claimed = '';
for (1 .. 100) { last if ($claimed = sql("SELECT id $claim")) ne ''; sleep 0.1 }
is($claimed, $released, 'the job has no lease after a crash');

$node->stop;
done_testing();
