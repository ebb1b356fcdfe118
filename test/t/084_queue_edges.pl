# Cases that are rare: a transaction that drops and creates the extension again, types that cannot be read for a moment,
# a group that fails while another owner waits, a batch whose end fails, suspects that are locked, and hints of jobs that
# have ended.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $clock = FakeClock->new;
my $node = start_node('edges', 'metrics_refresh.queue_workers' => 3, 'metrics_refresh.worker_idle_timeout' => '10min',
	max_prepared_transactions => 2);
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Each start of a handler is counted, whether its transaction commits or not.
sql(q{
	CREATE SEQUENCE starts;
	CREATE TABLE done (name text);
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM nextval('starts');
		PERFORM pg_sleep(coalesce((payload->>'sleep')::float8, 0));
		INSERT INTO done VALUES (payload->>'name');
	END $$;
	SELECT metrics_refresh.register_job_type('work', 'work(jsonb)')});

my $again = q{
	DROP EXTENSION metrics_refresh;
	CREATE EXTENSION metrics_refresh;
	SELECT metrics_refresh.register_job_type('work', 'work(jsonb)');};

sub enqueue { my ($name, $sleep) = @_; return qq{SELECT metrics_refresh.enqueue('work', '{"name": "$name", "sleep": $sleep}');} }
sub is_done { my ($name) = @_; return until_ok($node, 'postgres', qq{SELECT count(*) = 1 FROM done WHERE name = '$name'}, "$name has run") }

# A rollback leaves all claims as they were.
sql(enqueue('long', 8));
$node->poll_query_until('postgres', q{SELECT last_value = 1 AND is_called FROM starts}) or die 'the handler does not start';
sql('BEGIN;' . $again . enqueue('never', 0) . q{
	SAVEPOINT s; SELECT metrics_refresh.enqueue('work', '{}') ; ROLLBACK TO s;
	SELECT count(*) FROM background_jobs;
	ROLLBACK});
is( sql(q{SELECT string_agg(status, ' ') FROM background_jobs WHERE type = 'work'}),
	'processing', 'the claim of a running job survives a DROP EXTENSION that was rolled back');
sql(enqueue('after the rollback', 0));
is_done('after the rollback');
is_done('long');
is(sql('SELECT last_value FROM starts'), 2, 'each of the two jobs has started once');

# After a commit, the queue is that of the new extension. Jobs of the transaction and later ones run.
sub make_anew
{
	my ($name, $end) = @_;
	sql('BEGIN;' . $again . enqueue("first of $name", 0) . 'SAVEPOINT s;' . enqueue("inside $name", 0)
		. 'ROLLBACK TO s;' . enqueue("inside $name", 0) . 'SELECT count(*) FROM metrics_refresh.enqueue_many(\'work\','
		. q{ARRAY['{"name": "many"}', '{"name": "many"}']::jsonb[]);} . "DELETE FROM done; $end");
	is_done("inside $name");
	is_done("first of $name");
	sql(enqueue("after $name", 0));
	is_done("after $name");
	is(sql(q{SELECT count(*) FROM done WHERE name = 'many'}), 2, 'also several jobs');
	until_ok($node, 'postgres', q{SELECT counts_exact AND ready = 0 AND processing = 0 FROM metrics_refresh.queue_status()},
		'the counts are exact');
	return;
}
make_anew('the commit', 'COMMIT');
make_anew('the prepared one', q{PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'});

# A part that was rolled back leaves the queue as it was, for the session as well.
sql(enqueue('second long', 5));
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM background_jobs WHERE status = 'processing'})
  or die 'the handler does not start';
my $before = sql('SELECT last_value FROM starts');
sql('BEGIN; SAVEPOINT s;' . $again . enqueue('never', 0) . 'ROLLBACK TO s;' . enqueue('after the part', 0) . 'COMMIT');
is_done('after the part');
is_done('second long');
is(sql('SELECT last_value FROM starts') - $before, 1, 'the running job has started once');

# Types cannot be read for a moment. The worker gives its jobs back, and lives.
sql(q{
	SELECT metrics_refresh.register_job_type('new', 'work(jsonb)', max_attempts => 1);
	SELECT metrics_refresh.enqueue('new', '{"name": "new"}', delay => '1 s')});
my $workers = q{SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker'};
my $known = sql($workers);
isnt($known, '{}', 'workers rest');
my $offset = -s $node->logfile;
sql('ALTER TABLE metrics_refresh_internal.job_type RENAME COLUMN timeout TO hidden');
$node->wait_for_log(qr/the type of a queued job cannot be read.*the type of a queued job cannot be read/s, $offset);
sql('ALTER TABLE metrics_refresh_internal.job_type RENAME COLUMN hidden TO timeout');
is_done('new');
is(sql("SELECT '$known' <@ ($workers)"), 't', 'the workers are still there');
is(sql(q{SELECT attempts FROM background_jobs WHERE type = 'new'}), 1, 'the attempt was the first one');

# One batch of several cannot end. The others do.
sql(q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this batch'; END $$;
	CREATE TRIGGER refuse BEFORE DELETE ON metrics_refresh_internal.queue_batch
	FOR EACH ROW WHEN (OLD.payload ->> 'name' = 'refused') EXECUTE FUNCTION refuse()});
sql(q{DO $do$
	BEGIN
		FOR i IN 1 .. 40 LOOP
			PERFORM metrics_refresh.create_batch('work', jsonb_build_object('name', CASE i WHEN 20 THEN 'refused' ELSE 'last' END));
		END LOOP;
	END $do$});
until_ok($node, 'postgres', q{SELECT count(*) = 39 FROM done WHERE name = 'last'}, '39 of 40 batches end');
is(sql(q{SELECT count(*) FROM done WHERE name = 'refused'}), 0, 'one cannot');
sql('DROP TRIGGER refuse ON metrics_refresh_internal.queue_batch');
is_done('refused');

# A batch whose row is locked does not keep the scheduler from its work, and ends after that.
sql(q{BEGIN;
	SELECT metrics_refresh.create_batch('work', '{"name": "end"}') AS batch \\gset
	SELECT metrics_refresh.enqueue('work', '{"name": "job of the batch"}', delay => '1 s', batch => :batch);
	COMMIT});
my $locker = $node->background_psql('postgres', on_error_stop => 1);
$locker->query_safe('BEGIN; SELECT id FROM metrics_refresh_internal.queue_batch FOR UPDATE');
my $batch_offset = -s $node->logfile;
is_done('job of the batch');
sql(q{SELECT metrics_refresh.create_batch('work', '{"name": "end of another one"}')});
is_done('end of another one');
unlike(slurp_file($node->logfile, $batch_offset), qr/cannot be ended now/, 'the scheduler waits for no lock');
is(sql(q{SELECT count(*) FROM done WHERE name = 'end'}), 0, 'a batch whose row is locked has not ended');
$locker->query_safe('ROLLBACK');
is_done('end');
$locker->quit;

# Three jobs run when the server crashes. While the first one runs alone, sessions lock the others. One of them runs
# alone after the end of its transaction. The other one stays locked, and does not keep all jobs from starting.
sql(q{
	CREATE FUNCTION suspect(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_sleep(CASE WHEN attempts = 1 THEN 600 ELSE (suspect.payload ->> 'sleep')::float8 END)
		FROM background_jobs WHERE id = job_id;
	END $$;
	SELECT metrics_refresh.register_job_type('suspect', 'suspect(bigint, jsonb)')});
my @suspects = map { sql(qq{SELECT metrics_refresh.enqueue('suspect', '{"sleep": $_}')}) } 5, 0.1, 0.1;
until_ok($node, 'postgres', q{SELECT count(*) = 3 FROM background_jobs WHERE type = 'suspect' AND status = 'processing'}, 'three jobs run');
sql(enqueue('bystander', 0));
kill_process($node, process_id($node, 'worker', 'postgres'));
my @sessions = map { $node->background_psql('postgres', on_error_stop => 1) } 1, 2;
$sessions[ $_ - 1 ]->query_safe("BEGIN; SELECT metrics_refresh.cancel_job($suspects[$_])") for 1, 2;
is(sql("SELECT string_agg(status || ' ' || attempts, ', ' ORDER BY id) FROM background_jobs WHERE type = 'suspect'"),
	'processing 2, failed 1, failed 1', 'one of them runs again');
is(sql("SELECT count(*) FROM background_jobs WHERE type = 'suspect' AND run_at IS DISTINCT FROM created_at"), 0,
	'run_at is that of a ready job');
until_ok($node, 'postgres', "SELECT status = 'completed' FROM background_jobs WHERE id = $suspects[0]", 'and ends');
# Longer than the time between two tries
select undef, undef, undef, 0.5;
$sessions[0]->query_safe('ROLLBACK');
is_done('bystander');
is(sql("SELECT status FROM background_jobs WHERE id = $suspects[1]"), 'completed', 'the second one has run');
is( sql(qq{SELECT min(o.started_at) > max(s.finished_at) FROM background_jobs o, background_jobs s
		WHERE o.payload->>'name' = 'bystander' AND s.id = $suspects[1]}),
	't', 'before all others');
is(sql("SELECT status FROM background_jobs WHERE id = $suspects[2]"), 'failed', 'while the third one is locked');
$sessions[1]->query_safe('ROLLBACK');
until_ok($node, 'postgres', "SELECT status = 'completed' FROM background_jobs WHERE id = $suspects[2]", 'which runs after its transaction');
$_->quit for @sessions;

# The commit of a group fails, so that each of its jobs runs alone. Another owner comes after the job in hand, not after
# all of them.
$node->append_conf('postgresql.conf', "metrics_refresh.queue_workers = 1\nmetrics_refresh.queue_group_time = '2s'");
$node->restart;
sql(q{
	CREATE ROLE grouper LOGIN;
	CREATE TABLE alone (n int);
	GRANT INSERT, SELECT ON alone TO grouper;
	CREATE SEQUENCE group_starts;
	GRANT USAGE ON SEQUENCE group_starts TO grouper;
	CREATE TABLE once (value int UNIQUE DEFERRABLE INITIALLY DEFERRED);
	GRANT INSERT ON once TO grouper;
	INSERT INTO once VALUES (1);
	CREATE FUNCTION group_work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('group_starts') > 5 THEN
			PERFORM pg_sleep(1);
		END IF;
		INSERT INTO once VALUES ((payload #>> '{}')::int);
		INSERT INTO alone VALUES ((payload #>> '{}')::int);
	END $$;
	SELECT metrics_refresh.register_job_type('group', 'group_work(jsonb)', mode => 'grouped', max_attempts => 1, owner => 'grouper');
	SELECT count(*) FROM metrics_refresh.enqueue_many('group', '{1, 2, 3, 4, 5}')});
until_ok($node, 'postgres', 'SELECT count(*) = 1 FROM alone', 'the first job of a group that failed has run alone');
my $job = sql(enqueue('between', 0));
is(sql("SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', 'a job of another owner runs');
cmp_ok(sql('SELECT count(*) FROM alone'), '<', 4, 'before the rest of the group');
until_ok($node, 'postgres', 'SELECT count(*) = 4 FROM alone', 'which runs later');

# A job that was canceled is not late, although no worker outside the server comes for its type.
sql(q{
	SELECT metrics_refresh.register_job_type('canceled', mode => 'external');
	SELECT metrics_refresh.register_job_type('late', mode => 'external');
	SELECT metrics_refresh.enqueue(type, delay => '1 day') FROM unnest('{canceled,late}'::text[]) type;
	SELECT metrics_refresh.cancel_job(id) FROM metrics_refresh.enqueue('canceled') id;
	SELECT metrics_refresh.enqueue('late')});
until_ok($node, 'postgres', 'SELECT counts_exact FROM metrics_refresh.queue_status()', 'the jobs are counted');
$clock->step(11 * 60);
like(hurt($node, 'postgres'), qr/queue_late\|warning\|ready jobs of the type late have waited for 1\d min[^,]*$/m,
	'a job that waits for a worker outside the server is late, one that was canceled is not');

$node->stop;
done_testing();
