# Random kill -9 of workers, schedulers and the whole server while sessions enqueue and workers perform jobs: no job
# is lost, and no effect is doubled. Jobs that wait for others, and callbacks of batches, come after them. No two open jobs
# have the same unique key. A job is enqueued together with a row that says so.
use strict;
use warnings;

use FindBin;
use IPC::Run ();
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $wanted = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/ ? 2000 : 100;
note('SEED=' . srand($ENV{SEED} // time));

my $node = start_node(
	'random_kills',
	'metrics_refresh.max_workers' => 4,
	'metrics_refresh.queue_workers' => 3,
	'metrics_refresh.queue_crash_limit' => 100,
	max_wal_size => '2GB');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql(q{
	CREATE SEQUENCE turn;
	CREATE TABLE enqueued (job bigint, batch bigint);
	CREATE INDEX ON enqueued (batch) WHERE batch IS NOT NULL;
	CREATE TABLE effect (job bigint);
	CREATE INDEX ON effect (job);
	CREATE TABLE early (job bigint);
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO effect VALUES (job_id);
		INSERT INTO early SELECT job_id WHERE payload ? 'after' AND NOT EXISTS (SELECT FROM effect WHERE job = (payload->>'after')::bigint)
			OR payload ? 'callback' AND EXISTS (SELECT FROM enqueued e WHERE batch = job_id AND NOT EXISTS (SELECT FROM effect WHERE job = e.job));
		IF payload ? 'sleep' THEN PERFORM pg_sleep((payload->>'sleep')::float8); END IF;
		IF payload ? 'fail' AND nextval('turn') % 3 > 0 THEN RAISE 'for now'; END IF;
		IF payload ? 'snooze' AND nextval('turn') % 2 > 0 THEN
			DELETE FROM effect WHERE job = job_id;
			PERFORM metrics_refresh.snooze_job(job_id, '1 ms');
		END IF;
	END $$;
	SELECT metrics_refresh.register_job_type(type, 'work(bigint, jsonb)', mode => mode, max_attempts => 1000,
			backoff => '1 ms', max_backoff => '10 ms')
	FROM (VALUES ('once', 'exactly_once'), ('grouped', 'grouped')) t (type, mode);
	CREATE FUNCTION enqueue_chain(type text, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		last bigint := metrics_refresh.enqueue(type, payload);
	BEGIN
		INSERT INTO enqueued VALUES (last);
		FOR i IN 1 .. 3 LOOP
			last := metrics_refresh.enqueue(type, payload || jsonb_build_object('after', last), after => ARRAY[last]);
			INSERT INTO enqueued VALUES (last);
		END LOOP;
	END $$;
	CREATE FUNCTION enqueue_batch(type text, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		batch bigint := metrics_refresh.create_batch(type, payload || '{"callback": true}');
	BEGIN
		INSERT INTO enqueued VALUES (batch), (metrics_refresh.enqueue(type, payload || jsonb_build_object('after', batch), after => ARRAY[batch]));
		INSERT INTO enqueued SELECT metrics_refresh.enqueue(type, payload, batch => batch), batch FROM generate_series(1, 5);
	END $$;
	CREATE FUNCTION enqueue_unique(type text, payload jsonb) RETURNS void LANGUAGE sql AS $$
		INSERT INTO enqueued SELECT job_id FROM metrics_refresh.enqueue_many(type, ARRAY[payload, payload, payload], delay => '2 ms',
			unique_keys => ARRAY['a', 'b', 'c']) WHERE NOT duplicate
	$$;
	CREATE FUNCTION enqueue_some() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		type text := CASE WHEN random() < 0.5 THEN 'once' ELSE 'grouped' END;
		payload jsonb := (ARRAY['{}', '{}', '{}', '{"sleep": 0.002}', '{"fail": 1}', '{"snooze": 1}'])[ceil(random() * 6)];
	BEGIN
		-- No more than the workers can end in a minute between the kills.
		IF (SELECT sum(pending + processing + failed) FROM metrics_refresh.job_counts()) > 20000 THEN
			RETURN;
		END IF;
		IF random() < 0.2 THEN
			PERFORM enqueue_chain(type, payload), enqueue_batch(type, payload), enqueue_unique(type, payload);
		ELSIF random() < 0.5 THEN
			INSERT INTO enqueued SELECT metrics_refresh.enqueue(type, payload, delay => CASE WHEN random() < 0.1 THEN interval '5 ms' END)
			FROM generate_series(1, 10);
		ELSE
			INSERT INTO enqueued SELECT job_id FROM metrics_refresh.enqueue_many(type, array_fill(payload, ARRAY[50]));
		END IF;
		IF random() < 0.1 THEN RAISE 'this one is rolled back'; END IF;
	END $$});

# Sessions that enqueue until they lose their server, again and again, as much as a busy machine can do.
my $script = "$PostgreSQL::Test::Utils::tmp_check/enqueue.sql";
open my $file, '>', $script or die $!;
print $file "SELECT enqueue_some();\nSELECT pg_sleep(0.02);\n" x 2000;
close $file;
my $connection = $node->connstr('postgres');
my @enqueuers = map {
	IPC::Run::start([ 'sh', '-c', "while [ ! -e $script.stop ]; do psql -XAtq -d '$connection' -f $script; sleep 0.02; done" ],
		'<', \undef, '>', '/dev/null', '2>', '/dev/null')
} 1 .. 2;

sub stop_enqueuers
{
	open my $stop, '>', "$script.stop" or die $!;
	close $stop;
	return;
}
END { stop_enqueuers() if defined $script }  # also if the test dies

my $not_unique = '';

# The server may crash while it is asked.
sub come_back
{
	wait_for_server($node);
	my ($result, $keys) = $node->psql('postgres', q{SELECT type, unique_key, array_agg(id) FROM background_jobs
		WHERE status IN ('pending', 'processing', 'failed') AND unique_key IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1});
	$not_unique .= $keys if $result == 0;
	return;
}

my %kills;
for my $n (1 .. $wanted)
{
	select undef, undef, undef, rand 0.15;
	my $kind = (qw(worker worker worker worker worker scheduler client server))[rand 8];
	if ($kind eq 'server')
	{
		$node->stop('immediate');
		$node->start;
		$kills{$kind}++;
		next;
	}
	my $type = $kind eq 'client' ? 'client backend' : "metrics_refresh $kind";
	my ($result, $pid) = $node->psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");
	if ($result != 0 || $pid eq '') { come_back(); redo; }
	# Terminated, it has to give its jobs back; killed, the server starts anew.
	my $signal = $kind eq 'worker' && rand() < 0.2 ? 'TERM' : 'KILL';
	kill $signal, $pid or redo;
	$kills{"$kind $signal"}++;
	come_back();
}
stop_enqueuers();
$_->finish for @enqueuers;
come_back();
note(join ', ', map { "$kills{$_} x $_" } sort keys %kills);

until_ok($node, 'postgres', q{SELECT sum(pending + processing + failed) = 0 AND bool_and(exact) FROM metrics_refresh.job_counts()},
	'all jobs end');
my $count = sql('SELECT count(*) FROM enqueued');
note("$count jobs");
cmp_ok($count, '>', 10 * $wanted, 'there were jobs');
is(sql('SELECT count(*) FROM enqueued WHERE job NOT IN (SELECT job FROM effect)'), 0, 'no job is lost');
is(sql('SELECT count(*) FROM effect WHERE job NOT IN (SELECT job FROM enqueued)'), 0, 'no job that was rolled back has run');
is(sql('SELECT count(*) FROM (SELECT FROM effect GROUP BY job HAVING count(*) > 1) twice'), 0, 'no effect is doubled');
is(sql(q{SELECT count(*) FILTER (WHERE status <> 'completed'), count(*) - count(DISTINCT id), count(*) - (SELECT count(*) FROM enqueued)
	FROM background_jobs}), '0|0|0', 'each job has one end');
is(sql('SELECT count(*) FROM early'), 0, 'no job has run before those that it waits for');
is(sql(q{SELECT (SELECT count(*) FROM metrics_refresh_internal.queue_dependency), (SELECT count(*) FROM metrics_refresh_internal.queue_batch)}),
	'0|0', 'none waits any longer');
is(sql(q{SELECT count(*) > 0 FROM background_jobs b WHERE EXISTS (SELECT FROM enqueued WHERE batch = b.id)}), 't', 'there were callbacks');
is($not_unique, '', 'no two open jobs of a type have had the same unique key');
my $log = slurp_file($node->logfile);
is(() = $log =~ /ended twice|unique constraint "queue_ended/g, 0, 'no job would have ended twice');
is(() = $log =~ /PANIC|terminated by signal (?!9:)\d+/g, 0, 'nothing else has crashed');

done_testing();
