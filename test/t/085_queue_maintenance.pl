# What administrators and owners do while the queue works: indexes are built again, types are dropped, changed and
# renamed, a database is put to rest, and the server has one worker. And handlers that
# keep more than a worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('maintenance', 'metrics_refresh.max_workers' => 2, 'metrics_refresh.queue_workers' => 1,
	'metrics_refresh.cancel_grace' => '30s', 'metrics_refresh.queue_group_time' => '2s',
	'metrics_refresh.worker_idle_timeout' => '60s');
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub waits_for { my ($what, $query) = @_; return until_ok($node, 'postgres', $query, $what) }

sql(q{
	CREATE FUNCTION nap(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		PERFORM pg_sleep(coalesce((payload->>'s')::float8, 0.002));
	END $$;
	SELECT metrics_refresh.register_job_type('nap', 'nap(jsonb)', max_attempts => 1)});

# A partial index has exactly the rows that meet its condition. Otherwise plans return wrong rows.
sql(q{SELECT metrics_refresh.enqueue('nap', after => ARRAY[metrics_refresh.enqueue('nap', delay => '1 day')]);
	SELECT metrics_refresh.cancel_job(metrics_refresh.enqueue('nap', delay => '2 days'))});
my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM metrics_refresh_internal';
is(sql("$by_index.queue_later WHERE waits = 0"), 1, 'a job that waits for another one is in no index of due jobs');
is(sql("$by_index.queue_later WHERE flags & 1 <> 0"), 0, 'nor is one without an attempt in that of failed ones');
is(sql("$by_index.queue_stopped WHERE flags & 2 <> 0"), 0, 'a canceled job is not in the index of crashed ones');

# An index that is being built has no entries yet, and gets none.
my $before = sql(q{SELECT metrics_refresh.enqueue('nap')});
my $holder = $node->background_psql('postgres', on_error_stop => 1);
my @tables = ('queue_ended_0', 'queue_hot_0', 'queue_history_0', 'queue_later');
$holder->query_safe('BEGIN; LOCK TABLE ' . join(', ', map { "metrics_refresh_internal.$_" } @tables)
	. ' IN ROW EXCLUSIVE MODE');
my @builders;
for my $table (@tables)
{
	my $builder = $node->background_psql('postgres', on_error_stop => 1);
	$builder->query_until(qr/is sent/,
		"\\echo is sent\nREINDEX TABLE CONCURRENTLY metrics_refresh_internal.$table;\n");
	push @builders, $builder;
}
waits_for('indexes are being built', q{SELECT count(*) = 4 FROM pg_stat_activity
	WHERE query LIKE 'REINDEX TABLE CONCURRENTLY%' AND wait_event_type = 'Lock'});
my $while = sql(q{SELECT metrics_refresh.enqueue('nap')});
is(sql("SELECT metrics_refresh.wait_job($while, '60 s')"), 'completed', 'a job completes meanwhile');
$holder->query_safe('COMMIT');
$holder->quit;
$_->query_safe('SELECT 1'), $_->quit for @builders;
is(sql(q{SELECT count(*) FROM pg_index WHERE NOT indisvalid}), 0, 'all indexes are built');
is(sql("SELECT status FROM background_jobs WHERE id = $before"), 'completed', 'a job from before is found');

# Claims that were given back are storage that can be used again.
sql(q{SELECT metrics_refresh.register_job_type('outside', mode => 'external')});
my $outside = sql(q{SELECT metrics_refresh.enqueue('outside')});
my $segment = sql(q{SELECT segment FROM metrics_refresh_internal.queue_segment WHERE state = 'current'});
sql("INSERT INTO metrics_refresh_internal.queue_claim_$segment
	SELECT -n, now(), now(), gen_random_uuid(), 0, 0, 1 FROM generate_series(1, 900000) n");
sql(q{SELECT metrics_refresh.enqueue('nap')});
waits_for('many claims of few jobs are removed',
	"SELECT pg_relation_size('metrics_refresh_internal.queue_claim_$segment') = 0");
is(sql(q{SELECT id FROM metrics_refresh.claim_jobs('{outside}', worker => 'w')}), $outside, 'their job is still there');

# The mode of a type changes while its jobs start.
sql(q{SELECT metrics_refresh.register_job_type('change', 'nap(jsonb)', max_attempts => 1)});
for my $round (1 .. 3)
{
	sql(q{SELECT count(*) FROM metrics_refresh.enqueue_many('change', array_fill('{}'::jsonb, ARRAY[400]))});
	waits_for("jobs start in round $round", q{SELECT count(*) >= 20 FROM background_jobs WHERE type = 'change'
		AND status = 'completed' AND created_at > now() - interval '1 minute'});
	sql(q{SELECT metrics_refresh.alter_job_type('change', mode => 'external')});
	waits_for("none runs in round $round", q{SELECT count(*) = 0 FROM background_jobs
		WHERE type = 'change' AND status = 'processing'});
	sql(q{SELECT metrics_refresh.alter_job_type('change', mode => 'exactly_once', handler => 'nap(jsonb)')});
}
waits_for('all jobs of the changed type end', q{SELECT count(*) = 0 FROM background_jobs
	WHERE type = 'change' AND status IN ('pending', 'processing')});
is(sql(q{SELECT string_agg(DISTINCT status, ' ') FROM background_jobs WHERE type = 'change'}),
	'completed', 'no attempt has failed because of the change');

# New settings hold from their commit on, also if the scheduler has not read them yet.
sql(q{SELECT metrics_refresh.register_job_type('held', 'nap(jsonb)')});
my $enqueue = q{SELECT metrics_refresh.enqueue('held')};
my $session = $node->background_psql('postgres', on_error_stop => 1);
my $ran = sql($enqueue);
is(sql("SELECT metrics_refresh.wait_job($ran, '60 s')"), 'completed', 'a worker serves the owner');
my $scheduler = process_id($node, 'scheduler');
stop_asleep($session, $scheduler);
sql(q{SELECT metrics_refresh.pause_job_type('held')});
my $held = sql($enqueue);
my $free = sql(q{SELECT metrics_refresh.enqueue('nap')});
is(sql("SELECT metrics_refresh.wait_job($free, '60 s')"), 'completed', 'a job of another type runs');
is(sql("SELECT metrics_refresh.wait_job($held, '0.1 s')"), 'pending', 'a job of a type that is paused does not start');
sql(q{SELECT metrics_refresh.resume_job_type('held')});
kill 'CONT', $scheduler;
is(sql("SELECT metrics_refresh.wait_job($held, '60 s')"), 'completed', 'it starts when the pause ends');
stop_asleep($session, $scheduler);
sql(q{BEGIN; SAVEPOINT s; SELECT metrics_refresh.pause_job_type('held'); ROLLBACK TO s; COMMIT});
my $not_held = sql($enqueue);
is(sql("SELECT metrics_refresh.wait_job($not_held, '60 s')"), 'completed', 'a pause that is rolled back holds nothing');
sql(q{SELECT metrics_refresh.register_job_type('held', 'nap(jsonb)')});
my $registered = sql($enqueue);
is(sql("SELECT metrics_refresh.wait_job($registered, '60 s')"), 'completed', 'nor does a registration that changes nothing');
sql(q{SELECT metrics_refresh.register_job_type('held', 'nap(jsonb)', concurrency => 5)});
$held = sql($enqueue);
is(sql("SELECT metrics_refresh.wait_job($held, '0.1 s')"), 'pending', 'one that changes an option does');
kill 'CONT', $scheduler;
is(sql("SELECT metrics_refresh.wait_job($held, '60 s')"), 'completed', 'until the scheduler has read it');
$session->quit;

# A type is dropped while a transaction is open that has added a job.
sql(q{SELECT metrics_refresh.register_job_type('dropped', 'nap(jsonb)')});
my $adder = $node->background_psql('postgres', on_error_stop => 1);
my $orphan = $adder->query_safe(q{BEGIN; SELECT metrics_refresh.enqueue('dropped')});
my $waiter = $adder->query_safe("SELECT metrics_refresh.enqueue('nap', after => ARRAY[$orphan])");
is(sql(q{SELECT metrics_refresh.drop_job_type('dropped')}), 't', 'a type without visible jobs is dropped');
$adder->query_safe('COMMIT');
$adder->quit;
waits_for('its job is dead', "SELECT status = 'dead' FROM background_jobs WHERE id = $orphan");
waits_for('a job that waits for it is canceled', "SELECT status = 'canceled' FROM background_jobs WHERE id = $waiter");

# Handlers follow the names of their schema and their owner, for a dump.
sql(q{CREATE ROLE helper; CREATE SCHEMA old; CREATE FUNCTION old.help(payload jsonb) RETURNS void LANGUAGE sql AS 'SELECT 1';
	ALTER FUNCTION old.help OWNER TO helper; SELECT metrics_refresh.register_job_type('help', 'old.help(jsonb)')});
my $help = sql(q{SELECT metrics_refresh.enqueue('help')});
is(sql("SELECT metrics_refresh.wait_job($help, '60 s')"), 'completed', 'a handler of another role runs');
sql('ALTER SCHEMA old RENAME TO new');
my $names = q{SELECT handler_schema || ' ' || handler_owner FROM metrics_refresh_internal.job_type WHERE name = 'help'};
waits_for('the name of a schema is followed', "SELECT ($names) = 'new helper'");
sql('ALTER ROLE helper RENAME TO assistant');
waits_for('the name of an owner is followed', "SELECT ($names) = 'new assistant'");

# The deferred triggers of a group have the time of a job, and leave nothing in the session.
sql(q{
	CREATE TABLE seen (n int, work_mem text DEFAULT current_setting('work_mem'));
	CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		PERFORM set_config('work_mem', '123MB', false);
		IF NEW.n = 2 THEN
			PERFORM pg_sleep(600);
		END IF;
		RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER seen AFTER INSERT ON seen DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION seen();
	CREATE FUNCTION see(payload jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO seen VALUES ((payload->>'n')::int) $$;
	SELECT metrics_refresh.register_job_type('see', 'see(jsonb)', mode => 'grouped', max_attempts => 1, timeout => '1 s')});
my $many = q{SELECT max(job_id) FROM metrics_refresh.enqueue_many('see', %s)};
# More than are in one group, so that another one comes before the session is reset.
my $first = sql(sprintf($many, q{array_fill('{"n": 1}'::jsonb, ARRAY[70])}));
is(sql("SELECT metrics_refresh.wait_job($first, '60 s')"), 'completed', 'groups with deferred triggers complete');
is(sql(q{SELECT count(DISTINCT work_mem) FROM seen}), 1, 'settings of the triggers end with their group');
my $last = sql(sprintf($many, q{ARRAY['{"n": 1}', '{"n": 2}', '{"n": 3}']::jsonb[]}));
waits_for('all jobs of a group end whose triggers take too long', qq{SELECT count(*) = 0 FROM background_jobs
	WHERE type = 'see' AND status IN ('pending', 'processing')});
is(sql("SELECT string_agg(status, ' ' ORDER BY id) FROM background_jobs WHERE type = 'see' AND id > $first"),
	'completed dead completed', 'only one of them is dead');
is(sql("SELECT finished_at - created_at < '20 s' FROM background_jobs WHERE id = $last"),
	't', 'its triggers were canceled, without the time that a worker has to end');

# More jobs end their processes than can be counted one by one.
sql(q{
	CREATE FUNCTION poison(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		PERFORM pg_terminate_backend(pg_backend_pid());
		PERFORM pg_sleep(600);
	END $$;
	SELECT metrics_refresh.register_job_type('poison', 'poison(jsonb)', max_attempts => 1);
	SELECT count(*) FROM metrics_refresh.enqueue_many('poison', array_fill('{}'::jsonb, ARRAY[70]),
		keys => ARRAY(SELECT n::text FROM generate_series(1, 70) n))});
waits_for('jobs that end their processes in turns are dead', q{SELECT count(*) = 70 FROM background_jobs
	WHERE type = 'poison' AND status = 'dead'});

# A slow alert does not keep a process from its exit.
$node->append_conf('postgresql.conf', "metrics_refresh.cancel_grace = '1s'");
$node->reload;
sql(q{
	CREATE FUNCTION alert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
	CREATE TRIGGER alert AFTER INSERT ON metrics_refresh_internal.job_failure FOR EACH ROW EXECUTE FUNCTION alert();
	CREATE FUNCTION stubborn(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		LOOP
			BEGIN
				PERFORM pg_sleep(600);
			EXCEPTION WHEN query_canceled THEN
				NULL;
			END;
		END LOOP;
	END $$;
	SELECT metrics_refresh.register_job_type('stubborn', 'stubborn(jsonb)', max_attempts => 1, timeout => '1 s')});
my $stubborn = sql(q{SELECT metrics_refresh.enqueue('stubborn')});
is(sql("SELECT metrics_refresh.wait_job($stubborn, '90 s')"), 'dead', 'a job that ignores cancels is dead in spite of an alert');
sql('DROP FUNCTION alert() CASCADE');

# A database that becomes a template has no process for long.
$node->safe_psql('postgres', 'CREATE DATABASE model');
create_extension($node, 'model');
$node->safe_psql('model', q{
	CREATE FUNCTION nap(payload jsonb) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.2)';
	SELECT metrics_refresh.register_job_type('nap', 'nap(jsonb)');
	SELECT count(*) FROM metrics_refresh.enqueue_many('nap', array_fill('{}'::jsonb, ARRAY[2000]))});
waits_for('a worker performs jobs', q{SELECT count(*) > 0 FROM pg_stat_activity
	WHERE datname = 'model' AND backend_type = 'metrics_refresh worker'});
sql('ALTER DATABASE model IS_TEMPLATE true');
waits_for('the template has no process', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'model'});
sql('CREATE DATABASE copy TEMPLATE model');
sql('ALTER DATABASE copy ALLOW_CONNECTIONS false');
sql('ALTER DATABASE model IS_TEMPLATE false');
sql('DROP DATABASE model');

# If the server has one worker, the queue and runs share it.
$node->append_conf('postgresql.conf', 'metrics_refresh.max_workers = 1');
$node->restart;
sql(q{CREATE MATERIALIZED VIEW fresh AS SELECT clock_timestamp() AS at; CREATE UNIQUE INDEX ON fresh (at);
	SELECT count(*) FROM metrics_refresh.enqueue_many('nap', array_fill('{"s": 0.1}'::jsonb, ARRAY[3000]))});
waits_for('the worker performs jobs', q{SELECT count(*) > 5 FROM background_jobs WHERE type = 'nap' AND payload ? 's'
	AND status = 'completed'});
sql(q{SELECT metrics_refresh.schedule('fresh', '2 seconds', 'fresh')});
wait_for_runs($node, 'postgres', 'fresh', 2, 'a full queue does not keep runs from the only worker');
isnt(sql(q{SELECT count(*) FROM background_jobs WHERE type = 'nap' AND status = 'pending'}), 0, 'it is still full');

$node->stop;
done_testing();
