# A handler that crashes the server is given up after some crashes, and jobs that ran beside it are not, also if a
# deferred trigger of a group crashes it. After a start, the first job begins within a second.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'suspects',
	'metrics_refresh.max_workers' => 8,
	'metrics_refresh.queue_workers' => 4,
	'metrics_refresh.queue_crash_limit' => 3);
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub restarts
{
	my $log = slurp_file($node->logfile);
	my $count = () = $log =~ /all server processes terminated; reinitializing/g;
	return $count;
}

# After a crash there may be no connection for a moment.
sub until_up { return wait_for_server($node) }

# The parent of the shell is the worker. What kills it says nothing in the log of the job.
sql(q{
	CREATE TABLE done (job bigint, name text);
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO done VALUES (job_id, payload->>'name');
		IF payload ? 'crash' THEN
			PERFORM pg_sleep(0.3);
			COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID';
			PERFORM pg_sleep(60);
		END IF;
		PERFORM pg_sleep(coalesce((payload->>'sleep')::float8, 0));
	END $$;
	SELECT metrics_refresh.register_job_type('work', 'work(bigint, jsonb)', max_attempts => 20, timeout => '1 min')});

# Three jobs run beside the one that crashes the server, and others wait.
my @ids = split /\n/, sql(q{
	SELECT metrics_refresh.enqueue('work', jsonb_build_object('name', 'neighbor', 'sleep', 1)) FROM generate_series(1, 3);
	SELECT metrics_refresh.enqueue('work', '{"name": "crasher", "crash": true}');
	SELECT job_id FROM metrics_refresh.enqueue_many('work', (SELECT array_agg('{"name": "other"}'::jsonb) FROM generate_series(1, 50)))});
my ($neighbors, $crasher, $others) = (join(',', @ids[ 0 .. 2 ]), $ids[3], join(',', @ids[ 4 .. 53 ]));
$node->wait_for_log(qr/all server processes terminated; reinitializing/);
until_up();
my $status = '';
for (1 .. 1200)
{
	my ($code, $out) = $node->psql('postgres', "SELECT status FROM background_jobs WHERE id = $crasher");
	$status = $out if $code == 0;
	last if $status eq 'dead';
	select undef, undef, undef, 0.1;
}
is($status, 'dead', 'the job that crashes the server is dead in the end');
my $crashes = restarts();
is($crashes, 4, 'after one crash beside others, and three while it ran alone');
is(sql("SELECT attempts, last_error FROM background_jobs WHERE id = $crasher"),
	'4|the server crashed while the job ran alone, 3 times', 'which it says');
until_ok($node, 'postgres', "SELECT count(*) = 53 FROM background_jobs WHERE id IN ($neighbors,$others) AND status = 'completed'",
	'all others are done');
is(sql("SELECT count(*), count(DISTINCT job) FROM done"), '53|53', 'each once');
is(sql("SELECT max(attempts) FROM background_jobs WHERE id IN ($neighbors)"), 2, 'one crash counts as one attempt of a neighbor, before that which succeeds');
is(sql("SELECT count(*) FROM background_jobs WHERE id IN ($others) AND attempts > 1"), 0,
	'and jobs that did not run have no suspicion');
is(sql("SELECT count(*) FROM edge_function_logs WHERE job_id = $crasher AND sqlstate = '57P02'"), 4, 'each crash is in the log');
like(hurt($node, 'postgres'), qr/crash/, 'health_check() tells of it');
is(restarts(), $crashes, 'it crashes the server no more');

# A job whose attempts are used up is dead at the first crash.
my $once = sql(q{SELECT metrics_refresh.enqueue('work', '{"name": "once", "crash": true}', max_attempts => 1)});
$node->wait_for_log(qr/reinitializing/, -s $node->logfile);
until_up();
until_ok($node, 'postgres', "SELECT status = 'dead' FROM background_jobs WHERE id = $once", 'with one attempt, one crash is enough');
is(restarts(), $crashes + 1, 'the server crashed once more');

# A job can be tried again by hand, and a handler that was mended passes.
sql(q{
	CREATE OR REPLACE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE sql
	AS $$ INSERT INTO done VALUES (job_id, payload->>'name') $$});
is(sql("SELECT metrics_refresh.retry_job($crasher)"), 't', 'a dead job can be retried');
is(sql("SELECT metrics_refresh.wait_job($crasher, '60 s')"), 'completed', 'and then is done');

# After a start of the server the queue goes on within a second. The machine may be busy, so the best of some counts.
my $best = 1e9;
for (1 .. 4)
{
	sql(q{SELECT metrics_refresh.alter_job_type('work', concurrency => 1);
		SELECT count(*) FROM metrics_refresh.enqueue_many('work', (SELECT array_agg('{"name": "more"}'::jsonb) FROM generate_series(1, 20000)))});
	$node->stop('immediate');
	$node->start;
	my $ready = sql('SELECT clock_timestamp()');
	my $more = "background_jobs WHERE status = 'completed' AND started_at > '$ready'";
	until_ok($node, 'postgres', "SELECT EXISTS (SELECT FROM $more)", 'jobs start after a start of the server');
	my $late = sql("SELECT extract(epoch FROM min(started_at) - '$ready') FROM $more");
	$best = $late if $late < $best;
	last if $best <= 1;
}
cmp_ok($best, '<=', 1, "the first one within a second ($best s)");
until_ok($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM background_jobs WHERE status IN ('pending', 'failed', 'processing'))},
	'all are done');
is(sql('SELECT count(*) - count(DISTINCT job) FROM done'), 0, 'each once');

# Deferred triggers of a group, which know nothing of the job. Its jobs then run singly, and show which of them it was.
sql(q{
	CREATE TABLE in_group (job bigint, name text);
	CREATE FUNCTION crash_later() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.name = 'crasher' THEN
			COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID';
			PERFORM pg_sleep(60);
		END IF;
		RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER crash_later AFTER INSERT ON in_group DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION crash_later();
	CREATE FUNCTION in_group(job_id bigint, payload jsonb) RETURNS void LANGUAGE sql
	AS $$ INSERT INTO in_group VALUES (job_id, payload->>'name') $$;
	SELECT metrics_refresh.register_job_type('grouped', 'in_group(bigint, jsonb)', mode => 'grouped', max_attempts => 20)});
$crashes = restarts();
my ($poison, $last) = split /\|/, sql(q{
	SELECT min(job_id) + 20, max(job_id) FROM metrics_refresh.enqueue_many('grouped',
		array_fill('{"name": "before"}'::jsonb, ARRAY[20]) || '{"name": "crasher"}'::jsonb || array_fill('{"name": "behind"}'::jsonb, ARRAY[39]))});
$node->wait_for_log(qr/(reinitializing.*){$crashes}reinitializing/s);
until_up();
for (1 .. 1200)
{
	my ($code, $out) = $node->psql('postgres', "SELECT status FROM background_jobs WHERE id = $poison");
	last if $code == 0 && $out eq 'dead';
	select undef, undef, undef, 0.1;
}
until_ok($node, 'postgres', "SELECT count(*) = 59 FROM background_jobs WHERE type = 'grouped' AND status = 'completed'",
	'the others of a group with a deferred trigger that crashes are done');
is(sql("SELECT status, last_error FROM background_jobs WHERE id = $poison"), 'dead|the server crashed while the job ran alone, 3 times',
	'and that job is dead');
$crashes = restarts() - $crashes;
cmp_ok($crashes, '<=', 5, "after a crash of the group, one beside others, and three alone ($crashes)");
is(sql('SELECT count(*), count(DISTINCT job) FROM in_group'), '59|59', 'each of the others once');

$node->stop;
done_testing();
