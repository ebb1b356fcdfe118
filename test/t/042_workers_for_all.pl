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

# A run that cannot begin for a reason that stays has failed, and its next due time applies; one that may begin later
# waits.
$node->safe_psql('postgres', q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	    $$ BEGIN RAISE EXCEPTION 'no row of this' USING ERRCODE = TG_ARGV[0]; END $$;
	CREATE TRIGGER stays BEFORE INSERT ON metrics_refresh_internal.run_log FOR EACH ROW
	    WHEN (NEW.job_name = 'stays' AND NEW.worker_pid <> 0) EXECUTE FUNCTION refuse('22023');
	CREATE FUNCTION refuse_worker() RETURNS trigger LANGUAGE plpgsql AS $$
	    BEGIN
	        IF (SELECT backend_type FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())
	            = 'metrics_refresh worker' THEN RAISE EXCEPTION 'not here' USING ERRCODE = '22023'; END IF;
	        RETURN NEW;
	    END $$;
	CREATE TRIGGER not_here BEFORE INSERT ON metrics_refresh_internal.run_log FOR EACH ROW
	    WHEN (NEW.job_name = 'not here') EXECUTE FUNCTION refuse_worker();
	CREATE TRIGGER passes BEFORE INSERT ON metrics_refresh_internal.run_log FOR EACH ROW
	    WHEN (NEW.job_name = 'passes' AND NEW.worker_pid <> 0) EXECUTE FUNCTION refuse('55P03');
	SELECT metrics_refresh.schedule_command('stays', '1 second', 'SELECT 1', max_retries => 0);
	SELECT metrics_refresh.schedule_command('not here', NULL, 'SELECT 1');
	SELECT metrics_refresh.schedule_command('passes', NULL, 'SELECT 1')});
$node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('passes'), metrics_refresh.trigger('not here')});
until_ok($node, 'postgres',
	q{SELECT count(DISTINCT due_at) >= 2 FROM metrics_refresh.run_log WHERE job_name = 'stays' AND status = 'error'},
	'a run that cannot begin is logged, and so is the next');
is($node->safe_psql('postgres', q{SELECT DISTINCT sqlstate, error_message FROM metrics_refresh.run_log WHERE job_name = 'stays'}),
	'22023|the run cannot begin: no row of this', 'with the reason');
until_ok($node, 'postgres',
	q{SELECT string_agg(sqlstate, ' ') = '58000' FROM metrics_refresh.run_log WHERE job_name = 'not here' AND status = 'error'},
	'where its session cannot write the log the scheduler does');
is(rows_of('passes', 'status'), '', 'one that may begin later waits');
$node->safe_psql('postgres', q{SELECT metrics_refresh.unschedule('stays')});
$node->safe_psql('postgres', q{
	DROP TRIGGER stays ON metrics_refresh_internal.run_log;
	DROP TRIGGER not_here ON metrics_refresh_internal.run_log;
	DROP TRIGGER passes ON metrics_refresh_internal.run_log});
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'passes' AND status = 'success'},
	'and begins');

# A group that cannot be canceled keeps no other from it.
for my $group ('bad', 'good')
{
	create_nap_view($node, 'postgres', "${group}_$_", 3600) for 'a', 'b';
	$node->safe_psql('postgres',
		qq{SELECT metrics_refresh.schedule_group('$group', ARRAY['${group}_a', '${group}_b']::regclass[], NULL, max_parallel => 1)});
}
until_ok($node, 'postgres',
	q{SELECT count(*) = 2 FROM metrics_refresh.run_log WHERE view_name IN ('bad_a', 'good_a') AND status = 'running'},
	'two groups are under way');
$node->safe_psql('postgres', q{
	CREATE TRIGGER stays BEFORE UPDATE ON metrics_refresh_internal.group_run_member FOR EACH ROW
	    WHEN (NEW.view_name LIKE 'bad%' AND NEW.state = 'canceled') EXECUTE FUNCTION refuse('22023')});
sub cancel_group_run
{
	my ($group) = @_;
	$node->safe_psql('postgres', qq{
		SELECT metrics_refresh.cancel(group_run_id) FROM metrics_refresh.run_log
		WHERE view_name = '${group}_a' AND status = 'running'});
	return;
}
cancel_group_run($_) for 'bad', 'good';
my $is_canceled = q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = '%s' AND view_name IS NULL AND status = 'canceled'};
until_ok($node, 'postgres', sprintf($is_canceled, 'good'), 'the other group is canceled');
$node->safe_psql('postgres', q{DROP TRIGGER stays ON metrics_refresh_internal.group_run_member});
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh_internal.group_run_member WHERE state = 'pending'},
	'and this one later');
$node->safe_psql('postgres', q{SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.running});

# Nobody waits for an owner who takes the names of jobs that are made for one run.
$node->safe_psql('postgres', q{CREATE SCHEMA anna AUTHORIZATION anna});
$node->safe_psql('postgres', q{SET SESSION AUTHORIZATION anna; CREATE MATERIALIZED VIEW anna.v AS SELECT 1 AS n});
my $taker = $node->background_psql('postgres', extra_params => [ '-U', 'anna' ]);
my $next = $node->safe_psql('postgres', q{SELECT last_value FROM metrics_refresh_internal.job_id_seq});
$taker->query_safe(q{BEGIN});
$taker->query_safe(qq{
	SELECT metrics_refresh.schedule_command('refresh_all_views anna #' || n, NULL, 'SELECT 1')
	FROM generate_series($next, $next + 60) n});
my ($status, $out, $error) = $node->psql('postgres', q{
	SET lock_timeout = '5s';
	SELECT metrics_refresh.refresh_all_views('anna') > 0});
is($out, 't', 'a run is asked for beside him') or diag($error);
$taker->query_safe(q{ROLLBACK});
$taker->quit;

# A refresh that was handed over and given up does not run after all where it cannot be taken back at once.
$node->safe_psql('postgres', q{CREATE ROLE admins; CREATE ROLE boss LOGIN IN ROLE admins; GRANT USAGE ON SCHEMA anna TO boss});
$node->append_conf('postgresql.conf', "metrics_refresh.admin_role = 'admins'");
$node->reload;
$node->safe_psql('postgres', q{
	SELECT metrics_refresh.schedule_command('busy ' || n, NULL, 'SELECT pg_sleep(3600)') FROM generate_series(1, 3) n;
	CREATE TRIGGER stays BEFORE DELETE ON metrics_refresh_internal.run_request FOR EACH ROW
	    WHEN (OLD.requested_by = 'boss') EXECUTE FUNCTION refuse('22023')});
$node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('busy ' || n) FROM generate_series(1, 3) n});
until_held('busy', 3);
($status, $out, $error) = $node->psql('postgres', q{SET lock_timeout = '2s'; SELECT metrics_refresh.refresh('anna.v')},
	extra_params => [ '-U', 'boss' ]);
like($error, qr/lock|worker/, 'the caller gives up');
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh_internal.run_request WHERE requested_by = 'boss'},
	'what was asked for is still there');
$node->safe_psql('postgres', q{DROP TRIGGER stays ON metrics_refresh_internal.run_request});
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh_internal.run_request WHERE requested_by = 'boss'},
	'until it can be taken back');
is($node->safe_psql('postgres', q{SELECT string_agg(status, ',') FROM metrics_refresh.run_log WHERE initiated_by = 'boss'}),
	'canceled', 'and it has not run');
$node->safe_psql('postgres', q{SELECT metrics_refresh.cancel(run_id) FROM metrics_refresh.running});

$node->stop;
done_testing();
