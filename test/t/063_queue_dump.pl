# Types and open jobs of the queue travel with pg_dump. A job that was ready enters the restored queue once; a job
# that has ended does not come back, and numbers go on above those of the dump.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('queue_dump', 'metrics_refresh.enabled' => 'off');
$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', q{
	CREATE EXTENSION metrics_refresh;
	CREATE TABLE done (n int);
	CREATE FUNCTION note(payload jsonb) RETURNS void LANGUAGE sql AS
		$$ INSERT INTO public.done VALUES ((payload ->> 'n')::int) $$;
	CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'on purpose'; END $$;
	SELECT metrics_refresh.register_job_type('note', 'note(jsonb)', priority => 3);
	SELECT metrics_refresh.register_job_type('fail', 'fail(jsonb)', max_attempts => 1);
	SELECT metrics_refresh.register_job_type('retried', 'fail(jsonb)', max_attempts => 2, backoff => '1 hour');
	SELECT metrics_refresh.register_job_type('gone', 'note(jsonb)');
	CREATE ROLE enqueuer});

sub enqueue { return $node->safe_psql('source', "SELECT metrics_refresh.enqueue($_[0])") }
sub statuses
{
	my ($database, $server) = @_;
	return ($server // $node)->safe_psql($database, q{
		SELECT id, type, payload, status, priority, attempts, max_attempts, last_error, unique_key, key, created_at, owner
		FROM background_jobs WHERE payload <> '{"n": 6}' ORDER BY id});
}

# These end before the dump.
my $completed = enqueue(q{'note', '{"n": 1}'});
my $dead = enqueue(q{'fail'});
my $failed = enqueue(q{'retried', unique_key => 'once'});
$node->safe_psql('postgres', 'ALTER SYSTEM SET metrics_refresh.enabled = on; SELECT pg_reload_conf()');
ok( $node->poll_query_until('source', qq{
		SELECT array_agg(status ORDER BY id) = '{completed,dead,failed}' FROM background_jobs WHERE id IN ($completed, $dead, $failed)}),
	'jobs have ended');
$node->safe_psql('postgres', 'ALTER SYSTEM SET metrics_refresh.enabled = off; SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', q{SELECT setting = 'off' FROM pg_settings WHERE name = 'metrics_refresh.enabled'}), 'nothing starts any more');

my $payload = q{jsonb_build_object('n', 2, 'text', repeat(md5('1'), 1000) || (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 500) n))};
my $ready = enqueue(qq{'note', $payload, key => 'k', max_attempts => 7});
my $later = enqueue(q{'note', '{"n": 3}', delay => '1 hour'});
my $after = enqueue(qq{'note', '{"n": 4}', after => ARRAY[$ready, $later]});
my $canceled = enqueue(q{'note', '{"n": 5}'});
$node->safe_psql('source', "UPDATE background_jobs SET status = 'canceled' WHERE id = $canceled");
my $of_gone = enqueue(q{'gone', '{"n": 6}'});
$node->safe_psql('source', q{DELETE FROM metrics_refresh_internal.job_type WHERE name = 'gone'});
my $jobs = statuses('source') =~ s/^\Q$completed\E\|.*\n//mr;
note $jobs;
is($node->safe_psql('source', q{SELECT count(*) FROM metrics_refresh_internal.queue_hot}) > 3, 1, 'segments have rows that have ended');

for my $format (qw(custom plain))
{
	my $file = $node->basedir . "/$format.dump";
	$node->command_ok([ 'pg_dump', "--format=$format", '--file', $file, 'source' ], "pg_dump, format $format");
	$node->safe_psql('postgres', "CREATE DATABASE $format");
	$node->command_ok(
		$format eq 'custom'
		? [ 'pg_restore', '--exit-on-error', '--jobs=2', '--dbname', $format, $file ]
		: [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, $format ],
		"$format: restored");
	is(statuses($format), $jobs, "$format: all open jobs, and those that have stopped");
	is($node->safe_psql($format, q{SELECT count(*) FROM background_jobs WHERE enqueued_by IS NOT NULL}), '0', "$format: nobody has enqueued them");
	is( $node->safe_psql($format, "SELECT metrics_refresh.enqueue('note', '{\"n\": 9}') > $of_gone"),
		't', "$format: a new job has a higher number");
	is( $node->safe_psql($format, q{SELECT metrics_refresh.enqueue('retried', unique_key => 'once')}),
		$failed, "$format: a unique key is known");
}
$node->command_ok([ 'pg_dump', '--format=custom', '--file', $node->basedir . '/again.dump', 'custom' ], 'dumped again');

# Into another cluster, where the queue runs.
my $other = start_node('queue_dump_other');
$other->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$other->command_ok([ 'pg_restore', '--exit-on-error', '--single-transaction', '--dbname', 'elsewhere', $node->basedir . '/again.dump' ],
	'restored into another cluster');
ok($other->poll_query_until('elsewhere', 'SELECT count(*) = 2 FROM done WHERE n IN (2, 9)'), 'ready jobs run');
$other->safe_psql('elsewhere', "UPDATE background_jobs SET run_at = now() WHERE id = $later");
ok($other->poll_query_until('elsewhere', 'SELECT count(*) = 1 FROM done WHERE n = 4'), 'a job runs after those that it waited for');
is($other->safe_psql('elsewhere', q{SELECT string_agg(n::text, ' ' ORDER BY n) FROM done}), '1 2 3 4 9', 'each once');
is( $other->safe_psql('elsewhere', "SELECT status, reason FROM metrics_refresh_internal.queue_stopped WHERE id = $of_gone"),
	'd|its type does not exist', 'a job whose type is missing is dead');

# In many transactions: jobs start when the session of the restore ends, also those of other sessions.
my $script = $node->basedir . '/again.sql';
$node->command_ok([ 'pg_restore', '--file', $script, $node->basedir . '/again.dump' ], 'a script');
$other->safe_psql('postgres', 'CREATE DATABASE slowly');
my $restore = $other->background_psql('slowly', on_error_stop => 1);
$restore->query_safe("\\i $script");
process_id($other, 'scheduler', 'slowly');
$other->safe_psql('slowly', q{SELECT metrics_refresh.enqueue('note', '{"n": 10}')});
ok( $other->poll_query_until('postgres', q{SELECT wait_event_type = 'Extension' FROM pg_stat_activity
		WHERE backend_type = 'metrics_refresh scheduler' AND datname = 'slowly'}), 'the scheduler rests');
my $end = $other->safe_psql('postgres', 'SELECT clock_timestamp()');
$restore->quit;
ok($other->poll_query_until('slowly', 'SELECT count(*) = 3 FROM done WHERE n IN (2, 9, 10)'), 'jobs run after the restore');
is( $other->safe_psql('slowly', "SELECT bool_and(started_at > '$end') FROM background_jobs WHERE status = 'completed'"),
	't', 'and none before');

done_testing();
