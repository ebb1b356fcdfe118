# The storage of jobs by itself: rows, end marks, the rings that are emptied by TRUNCATE, and searches. The
# module test/modules/queue_storage does its steps in any order; what the steps are for is tested elsewhere.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{SOURCE_TREE} = "$FindBin::RealBin/../..";
my $module = build_module('queue_storage');
my $node = start_node('queue_storage', max_prepared_transactions => 2, 'metrics_refresh.enabled' => 'off');

# Times are needed as bigint arguments nowhere but in these three.
my %functions = (
	append => 'bigint, bigint, bigint, jsonb, bigint, text, timestamptz', read => 'bigint, bigint, bigint, bigint',
	finish => 'bigint, bigint, bigint, bigint', mark => 'bigint, bigint, bigint', park => 'bigint, bigint, timestamptz',
	stop => 'bigint, bigint, bigint', unended => 'bigint, bigint, bigint, bigint', empty => 'bigint', open => 'bigint',
	blocked_by => 'bigint', forward => 'bigint, bigint, bigint, bigint', due => 'bigint, timestamptz, bigint',
	where => 'bigint', unique => 'text, bigint, bigint', retry => 'bigint, bigint', run => 'bigint', empty_history => 'bigint, bigint',
	later => 'bigint, bigint, bigint, timestamptz', wait => 'bigint, bigint, bigint', ended => 'bigint',
	claim => 'bigint, bigint, bigint, text', batch => 'bigint, bigint, bigint');

sub create_database
{
	my ($name) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, join ';', 'CREATE EXTENSION metrics_refresh',
		map { qq{CREATE FUNCTION "$_"($functions{$_}) RETURNS text AS '$module', 'qs_$_' LANGUAGE c} } keys %functions);
	# Some functions need a type that exists, whose number is 1.
	$node->safe_psql($name, q{
		CREATE FUNCTION handler(payload jsonb) RETURNS void LANGUAGE sql AS '';
		SELECT metrics_refresh.register_job_type('type', 'handler(jsonb)')});
	is($node->safe_psql($name, 'SELECT id FROM metrics_refresh_internal.job_type'), '1', "$name: a type");
	return;
}

my $database;
sub sql { return $node->safe_psql($database, join ';', @_) }
sub append
{
	my ($segment, $first, $count, $version, $payload) = @_;
	return sprintf q{SELECT append(%d, %d, %d, %s, %d, NULL, NULL)}, $segment, $first, $count, $payload // q{'{"n": 1}'}, $version // 0;
}
sub failure
{
	my ($statement) = @_;
	my ($status, $out, $error) = $node->psql($database, $statement);
	return $status == 0 ? 'no error' : $error;
}

$database = 'basic';
create_database($database);

subtest 'rows and end marks' => sub {
	is(sql(append(0, 1, 1)), '0,1 ', 'one row');
	is(sql(append(0, 2, 3)), '0,2 0,3 0,4 ', 'several rows');
	like(sql('SELECT read(0, 3, 0, 3)'), qr/^3\.0 \d+$/, 'a job is found by its place');
	is(sql('SELECT read(0, 3, 0, 2)'), sql('SELECT read(0, 3, 0, 3)'), 'at a wrong place');
	is(sql('SELECT read(0, 3, 999, 1)'), sql('SELECT read(0, 3, 0, 3)'), 'at a place behind the end of the file');
	is(sql('SELECT read(0, 3, 0, 0)'), sql('SELECT read(0, 3, 0, 3)'), 'without a place');
	is(sql('SELECT read(0, 9, 0, 3)'), 'none', 'a job that is not there');
	is(sql('SELECT read(1, 3, 0, 0)'), 'none', 'in another segment');
	is(sql('BEGIN', append(0, 8, 1), 'SELECT read(0, 8, 0, 0)', 'ROLLBACK', 'SELECT read(0, 8, 0, 5)') =~ s/^.*\n(?=8|n)//r,
		"8.0 12\nnone" =~ s/12/@{[ sql('SELECT read(0, 3, 0, 3)') =~ m{ (\d+)} ]}/r, 'a transaction sees its own row, and nobody sees one that was rolled back');

	is(sql('SELECT finish(0, 2, 2, 0)'), '2', 'two jobs are done');
	is(sql('SELECT read(0, 3, 0, 3)'), 'none', 'a job that has ended is none');
	is(sql('SELECT id FROM metrics_refresh_internal.queue_history ORDER BY id'), "2\n3", 'and is in the history');
	like(failure('INSERT INTO t VALUES (1); SELECT mark(0, 3, 0)'), qr/./, 'a table that is missing');
	sql('CREATE TABLE t (n int)');
	like(failure('BEGIN; INSERT INTO t VALUES (1); SELECT mark(0, 3, 0); COMMIT'), qr/duplicate key value violates unique constraint "queue_ended_0_id"/,
		'a version ends once');
	is(sql('SELECT count(*) FROM t'), '0', 'and the effect of the second end is gone');

	is(sql(append(0, 3, 1, 1)), '0,6 ', 'a job comes back to its segment');
	like(sql('SELECT read(0, 3, 0, 3)'), qr/^3\.1 /, 'the place of the earlier version leads to it');
	is(sql('SELECT unended(0, 0, 100, 10)'), '1.0 3.1 4.0 until 100', 'jobs that have not ended');
	is(sql('SELECT unended(0, 1, 3, 10)'), '3.1 until 3', 'between two numbers');
	is(sql('SELECT unended(0, 0, 100, 1)'), '1.0 until 1', 'at most one');
	is(sql('SELECT unended(0, 1, 100, 1)'), '3.1 until 3', 'and the next');
	is(sql('SELECT mark(0, 3, 1)', 'SELECT unended(0, 0, 100, 10)') =~ s/^\n//r, '1.0 4.0 until 100', 'all versions of a job have ended');
};

subtest 'segments' => sub {
	is(sql('SELECT "empty"(0)'), 'not ended', 'a segment with jobs');
	is(sql('SELECT open(1)', append(1, 50, 1), q{SELECT string_agg(segment || state, ' ' ORDER BY segment) FROM metrics_refresh_internal.queue_segment WHERE state <> 'free'}) =~ s/\A.*\n(?=0)//sr,
		'0sealed 1current', 'the next one is open');
	is(sql('SELECT forward(0, 1, 5, 1)'), '1.1 4.1 ', 'jobs are copied to it');
	is(sql('SELECT unended(0, 0, 100, 10)'), 'until 100', 'and have ended in the old one');
	is(sql('SELECT unended(1, 0, 100, 10)'), '1.1 4.1 50.0 until 100', 'but not in the new one');

	my $session = $node->background_psql($database);
	$session->query_safe('BEGIN');
	$session->query_safe(append(0, 60, 1));
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	is(sql('SELECT "empty"(0)'), 'in use', 'a session enqueues');
	is(sql('SELECT blocked_by(0)'), $pid, 'and is named');
	$session->query_safe(q{PREPARE TRANSACTION 'enqueued'});
	is(sql('SELECT "empty"(0)'), 'in use', 'also if it is prepared');
	is(sql('SELECT blocked_by(0)'), '0', 'then without a process');
	sql(q{COMMIT PREPARED 'enqueued'});
	is(sql('SELECT "empty"(0)'), 'not ended', 'its job is committed');
	sql('SELECT finish(0, 60, 1, 0)');
	$session->query_safe('BEGIN; SELECT count(*) FROM metrics_refresh_internal.queue_ended_0');
	is(sql('SELECT "empty"(0)'), 'in use', 'a session has read end marks');
	$session->query_safe('COMMIT');
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	is(sql('SELECT "empty"(0)'), 'emptied', 'a snapshot does not matter');
	$session->quit;
	is(sql(q{SELECT state FROM metrics_refresh_internal.queue_segment WHERE segment = 0}), 'free', 'it is free');
	is(sql(q{SELECT pg_relation_size('metrics_refresh_internal.queue_hot_0') + pg_relation_size('metrics_refresh_internal.queue_ended_0')}), '0', 'without rows');
	is(sql('SELECT read(0, 60, 0, 7)'), 'none', 'an old place has no row');
	# The same version of a job in the segment's next life.
	sql('SELECT open(0)', append(0, 60, 1));
	like(sql('SELECT read(0, 60, 0, 1)'), qr/^60\.0/, 'it is used again');
	sql('SELECT finish(0, 60, 1, 0)', 'SELECT open(1)', 'SELECT "empty"(0)');
};

subtest 'a payload in a TOAST table' => sub {
	my $payload = q{(SELECT jsonb_build_object('a', string_agg(md5(n::text), '')) FROM generate_series(1, 1000) n)};
	sql(append(2, 70, 1, 0, $payload));
	is(sql('SELECT reltoastrelid <> 0 AND pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE relname = \'queue_hot_2\''), 't', 'it is there');
	my ($size) = sql('SELECT read(2, 70, 0, 1)') =~ / (\d+)/;
	cmp_ok($size, '>', 32_000, 'and is read');
	is(sql('SELECT forward(2, 70, 1, 3)', 'SELECT "empty"(2)'), "70.1 \nemptied", 'the job moves, and its segment is emptied');
	like(sql('SELECT read(3, 70, 0, 1)'), qr/^70\.1 $size$/, 'it has kept its payload');
	sql('SELECT finish(3, 70, 1, 0)', 'SELECT "empty"(3)');
	is(sql(q{SELECT length(payload::text) > 32000 FROM metrics_refresh_internal.queue_history WHERE id = 70}), 't', 'also in the history');
};

subtest 'where a job is' => sub {
	is(sql('SELECT "where"(4)'), 'hot 1', 'ready');
	sql(q{SELECT park(1, 4, now() + interval '1 hour')});
	is(sql('SELECT "where"(4)'), 'later 1', 'parked after a failed attempt');
	is(sql(q{SELECT due(1, '-infinity', 10)}), 'dead next', 'it is not due');
	sql(q{UPDATE metrics_refresh_internal.queue_later SET run_at = now() - interval '1 second'});
	is(sql(q{SELECT due(1, '-infinity', 10)}), '4.2 dead ', 'it is due, and is moved');
	is(sql('SELECT "where"(4)'), 'hot 1', 'ready again');
	sql('SELECT stop(1, 4, 1)');
	is(sql('SELECT "where"(4)'), 'stopped d', 'dead');
	is(sql('SELECT retry(4, 1)', 'SELECT "where"(4)'), "4.3 \nhot 1", 'tried again');
	sql('SELECT stop(1, 4, 0)');
	is(sql('SELECT "where"(4)'), 'stopped c', 'canceled');
	is(sql('SELECT "where"(2)'), 'history', 'completed');
	is(sql('SELECT "where"(5)'), 'nowhere', 'unknown');
};

subtest 'due jobs' => sub {
	sql(q{SELECT later(100, 5, 0, '2020-01-01')}, q{SELECT later(200, 1, 1, '2019-01-01')}, q{SELECT later(300, 1, 0, '2020-01-02')});
	is(sql(q{SELECT due(1, '-infinity', 3)}), '100.1 101.1 102.1 dead more next', 'three of them');
	is(sql(q{SELECT due(1, '2020-01-01', 3)}), '103.1 104.1 300.1 dead more ', 'the rest; one waits for another job');
	my $session = $node->background_psql($database);
	sql(q{SELECT later(400, 2, 0, '2020-01-01')});
	$session->query_safe('BEGIN; UPDATE metrics_refresh_internal.queue_later SET priority = 1 WHERE id = 400');
	is(sql(q{SELECT due(1, '-infinity', 3)}), '401.1 dead ', 'a row that is locked is left out, and is before the cursor now');
	$session->query_safe('ROLLBACK');
	$session->quit;
	sql('UPDATE metrics_refresh_internal.queue_later SET type_id = 99 WHERE id = 400');
	is(sql(q{SELECT due(1, '-infinity', 3)}, 'SELECT "where"(400)'), "dead 400.0 \nstopped d", 'a job without a type is dead');
};

subtest 'jobs that wait for others' => sub {
	sql('SELECT wait(200, 1, 2)', 'UPDATE metrics_refresh_internal.queue_later SET waits = 2 WHERE id = 200');
	is(sql('SELECT ended(5)'), 'free awaited 1 2 ', 'another job ends');
	is(sql('SELECT ended(1)'), '1 free awaited 2 ', 'the first one ends');
	is(sql('SELECT ended(2)'), '2 free 200 awaited ', 'the last one ends');
	is(sql(q{SELECT due(1, '-infinity', 3)}), '200.1 dead ', 'and the waiter is due');
};

subtest 'unique keys' => sub {
	my $unique = sub { sprintf q{SELECT "unique"('%s', %d, %d)}, @_ };
	is(sql($unique->('a', 63, 1)), 'none', 'a new key');
	sql(q{SELECT append(1, 500, 1, '{}', 0, 'a', NULL)});
	is(sql($unique->('a', 1, 0)), '500 1', 'pending');
	is(sql($unique->('a', 2, 0)), 'none', 'not running');
	is(sql('SELECT run(500)', $unique->('a', 2, 0)) =~ s/^\n//r, '500 2', 'running');
	is(sql('SELECT run(500)', $unique->('a', 5, 0)) =~ s/^\n//r, 'none', 'and no longer pending');
	is(sql($unique->('a', 4, 0)), 'none', 'not failed');
	is(sql($unique->('b', 63, 1)), 'none', 'another key');
	sql(q{SELECT park(1, 500, now() + interval '1 hour')});
	is(sql($unique->('a', 4, 0)), '500 4', 'failed');
	is(sql($unique->('a', 3, 0)), 'none', 'not pending');
	sql(q{UPDATE metrics_refresh_internal.queue_later SET run_at = '2020-01-01' WHERE id = 500}, q{SELECT due(1, '-infinity', 3)}, 'SELECT stop(1, 500, 1)');
	is(sql($unique->('a', 15, 1)), 'none', 'not open');
	is(sql($unique->('a', 16, 0)), '500 16', 'dead');
	sql('SELECT retry(500, 1)', 'SELECT finish(1, 500, 1, 0)');
	is(sql($unique->('a', 55, 0)), 'none', 'not stopped');
	is(sql($unique->('a', 8, 0)), '500 8', 'completed');
	sql(q{SELECT append(1, 501, 1, '{}', 0, 'c', now() + interval '1 hour')}, 'SELECT finish(1, 501, 1, 0)');
	is(sql($unique->('c', 1, 1)), '501 8', 'completed, and its period goes on');
	sql(q{SELECT append(1, 502, 1, '{}', 0, 'd', now() - interval '1 hour')}, 'SELECT finish(1, 502, 1, 0)');
	is(sql($unique->('d', 1, 1)), 'none', 'its period is over');
};

subtest 'the history' => sub {
	is(sql('SELECT empty_history(0, 1)'), 'emptied', 'a period is emptied');
	is(sql('SELECT count(*) FROM metrics_refresh_internal.queue_history'), '0', 'and has no rows');
	is(sql(q{SELECT string_agg(period || state, ' ') FROM metrics_refresh_internal.queue_period WHERE state <> 'empty'}), '1current', 'the next one is current');
	my $session = $node->background_psql($database);
	$session->query_safe('BEGIN; SELECT count(*) FROM metrics_refresh_internal.queue_history_1');
	is(sql('SELECT empty_history(1, 2)'), 'in use', 'a session reads it');
	$session->quit;
};

subtest 'claims and batches' => sub {
	is(sql(q{SELECT claim(1, 50, 1, 'worker')}), '50/1/worker 51/1/worker ', 'claims are read');
	is(sql(q{SELECT claim(1, 50, 2, NULL)}), '50/1/worker 51/1/worker 50/2/- 51/2/- ', 'in their order');
	is(sql('SELECT batch(1000, 1, 50)'), 'open closed 1000 0 taken', 'a batch is made, closed and taken');
};

subtest 'rows from outside' => sub {
	my $values = q{now(), 1, 10, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}'};
	sql(qq{SET session_replication_role = replica}, "INSERT INTO metrics_refresh_internal.queue_hot_5 VALUES (700, $values)");
	is(sql('SELECT "where"(700)', 'SELECT enqueued_by FROM metrics_refresh_internal.queue_later WHERE id = 700'), "later 0\n0", 'a ready job of a dump goes to queue_later, without its enqueuer');
	sql('INSERT INTO metrics_refresh_internal.queue_ended_5 VALUES (700, 0)');
	is(sql('SELECT count(*) FROM metrics_refresh_internal.queue_ended'), sql('SELECT count(*) FROM metrics_refresh_internal.queue_ended_1'), 'an end mark is left out');
};

subtest 'tables that are others' => sub {
	sql(append(6, 800, 1));
	my $session = $node->background_psql($database, on_error_stop => 0);
	like($session->query_safe('SELECT read(6, 800, 0, 0)'), qr/^800\.0/, 'a session knows the tables');
	$node->safe_psql($database, 'REINDEX INDEX CONCURRENTLY metrics_refresh_internal.queue_hot_6_id');
	$node->safe_psql($database, 'REINDEX TABLE CONCURRENTLY metrics_refresh_internal.queue_ended_6');
	like($session->query_safe('SELECT read(6, 800, 0, 0)'), qr/^800\.0/, 'its indexes are new');
	sql('DROP EXTENSION metrics_refresh');
	scalar $session->query('SELECT read(6, 800, 0, 0)');
	like($session->{stderr}, qr/extension "metrics_refresh" does not exist in this database/, 'the extension is gone');
	$session->{stderr} = '';
	sql('CREATE EXTENSION metrics_refresh');
	is($session->query_safe('SELECT read(6, 800, 0, 0)'), 'none', 'and is created again');
	$session->quit;
};

done_testing();
