# An owner who has nothing under way gets a worker, whoever holds all of them and with whatever code; runs that
# cannot begin are logged; rights of owners count as they are when a run is planned.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node(
	'workers', 'metrics_refresh.max_workers' => 3, 'metrics_refresh.yield_after' => '2s',
	'metrics_refresh.cancel_grace' => '1s');
$node->safe_psql('postgres', 'CREATE DATABASE other');
create_extension($node, $_) for 'postgres', 'other';
$node->safe_psql('postgres', q{CREATE ROLE anna LOGIN; CREATE ROLE bert LOGIN; CREATE ROLE carl LOGIN});
$node->safe_psql($_, q{GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO anna, bert, carl}) for 'postgres', 'other';

sub as_role
{
	my ($role, $database, $sql) = @_;
	my ($status, $out, $error) = $node->psql($database, $sql, extra_params => [ '-U', $role ]);
	is($status, 0, "$role: done") or diag($error);
	return $out;
}

sub until_held
{
	my ($name, $count) = @_;
	until_ok($node, 'postgres',
		qq{SELECT count(*) = $count FROM metrics_refresh.run_log WHERE job_name LIKE '$name%' AND status = 'running'},
		"$name: $count under way");
	return;
}

sub rows_of
{
	my ($name, $columns) = @_;
	return $node->safe_psql('postgres',
		qq{SELECT $columns FROM metrics_refresh.run_log WHERE job_name LIKE '$name%' AND status <> 'running' ORDER BY run_id});
}

# Two roles, each below its share, hold all three workers for good: one by sleep, one by code that catches its cancel.
as_role('anna', 'postgres', q{
	SELECT metrics_refresh.trigger(name) FROM (VALUES ('sleep a'), ('sleep b')) v (name)
	    WHERE metrics_refresh.schedule_command(name, NULL, 'SELECT pg_sleep(3600)') IS NOT NULL});
until_held('sleep', 2);
as_role('bert', 'postgres', q{
	SELECT metrics_refresh.schedule_command('only', NULL, 'SELECT pg_sleep(3600)');
	SELECT metrics_refresh.trigger('only')});
until_held('only', 1);
as_role('carl', 'postgres', q{
	SELECT metrics_refresh.schedule_command('third', NULL, 'SELECT 1');
	SELECT metrics_refresh.trigger('third')});
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'third' AND status = 'success'},
	'a third role has its run');
is(rows_of('sleep', 'status, sqlstate, error_message'),
	'error|57014|the run gave its worker up for another role, which had none', 'one of two runs has yielded, and says why');
is(rows_of('only', 'status'), '', 'an only run has not');
is($node->safe_psql('postgres', q{SELECT sum(permanent_failures) FROM metrics_refresh_internal.job_state}), '0',
	'nobody is nearer to be suspended for it');

# The same from another database, against code that goes on when it is canceled.
as_role('anna', 'postgres', q{
	SELECT metrics_refresh.schedule_command('loop', NULL,
	    'DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(3600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$');
	SELECT metrics_refresh.trigger('loop')});
until_held('loop', 1);
as_role('carl', 'other', q{
	SELECT metrics_refresh.schedule_command('elsewhere', NULL, 'SELECT 1');
	SELECT metrics_refresh.trigger('elsewhere')});
until_ok($node, 'other', q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'elsewhere' AND status = 'success'},
	'a role of another database as well');
is(rows_of('loop', 'status, error_message'),
	'error|the run did not end when it was to give its worker up for another role, so its worker was terminated',
	'the younger of two runs has yielded, by force');
is(rows_of('only', 'status'), '', 'an only run has still not');
$node->safe_psql('postgres', q{SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.running});
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh.run_log WHERE status = 'running'}, 'all is over');

$node->stop;
done_testing();
