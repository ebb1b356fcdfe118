# A transaction that drops and creates the extension again leaves the queue of the others alone until it has committed,
# and its own jobs run after the commit.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('edges', 'metrics_refresh.queue_workers' => 2, max_prepared_transactions => 2);
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

$node->stop;
done_testing();
