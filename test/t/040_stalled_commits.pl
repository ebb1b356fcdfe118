# The limits of a run hold over commits that stall: of a server whose synchronous standby is not there, and
# of another server's part of a transaction. Nobody else's runs wait for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'stalled',
	max_wal_senders => 2,
	'metrics_refresh.max_workers' => 3,
	'metrics_refresh.worker_idle_timeout' => '1h',
	'metrics_refresh.cancel_grace' => '1s');
create_extension($node);

# What the test itself says need not arrive at a standby.
$ENV{PGOPTIONS} = '-c synchronous_commit=local';
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub set_server { sql("ALTER SYSTEM SET $_[0]"); return $node->reload }

sql(q{
	CREATE ROLE steady LOGIN; ALTER ROLE steady SET synchronous_commit = local;
	CREATE ROLE patient LOGIN; ALTER ROLE patient SET synchronous_commit = local;
	CREATE ROLE alice LOGIN;
	CREATE SCHEMA s; GRANT USAGE, CREATE ON SCHEMA s TO PUBLIC;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO PUBLIC;
	SET ROLE steady;
	CREATE MATERIALIZED VIEW s.steady AS SELECT 1 AS one;
	SELECT metrics_refresh.schedule('s.steady', '1 second', job_name => 'steady');
	RESET ROLE; SET ROLE patient;
	CREATE TABLE s.patient_rows (n int);
	CREATE MATERIALIZED VIEW s.patient AS SELECT clock_timestamp() AS at;
	SELECT metrics_refresh.schedule('s.patient', NULL, 'patient', settings => '{"synchronous_commit": "on"}');
	CREATE MATERIALIZED VIEW s.patient_next AS SELECT clock_timestamp() AS at, p.at AS before FROM s.patient p;
	SELECT metrics_refresh.schedule_group('patient group', '{s.patient,s.patient_next}', settings => '{"synchronous_commit": "on"}');
	SELECT metrics_refresh.schedule_command('patient command', NULL, 'INSERT INTO s.patient_rows VALUES (1)', settings => '{"synchronous_commit": "on"}');
	RESET ROLE; SET ROLE alice;
	CREATE MATERIALIZED VIEW s.alice AS SELECT clock_timestamp() AS at;
	SELECT metrics_refresh.schedule('s.alice', NULL, 'alice');
	SELECT metrics_refresh.schedule_group('alice group', '{s.alice}');
	SELECT metrics_refresh.schedule_command('alice command', NULL, 'SELECT 1')});

sub alter { sql("SELECT metrics_refresh.alter_job('$_[0]', $_[1])"); return }
sub ask { return sql("SELECT metrics_refresh.trigger('$_[0]')") }

# The worker of the job's run is at this wait.
sub until_waiting
{
	my ($event) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker' AND wait_event = '$event'")
	  || die "no worker waits for $event";
}

sub ends_as
{
	my ($run, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	sql("SELECT metrics_refresh.wait($run, '20 s')");
	return like(sql("SELECT status, sqlstate, error_message FROM metrics_refresh.run_log WHERE run_id = $run"), $expected, $name);
}

sub none_is_left
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ '^metrics_refresh' AND wait_event = 'SyncRep'}, "$name: no process of ours stalls");
	return wait_for_runs($node, 'postgres', 'steady', 2, "$name: others run on");
}

ends_as(ask($_), qr/^success\|/, "before: $_") for 'patient', 'alice';
set_server(q{synchronous_standby_names = 'nobody'});
until_ok($node, 'postgres', q{SELECT current_setting('synchronous_standby_names') = 'nobody'}, 'a synchronous standby is not there');
wait_for_runs($node, 'postgres', 'steady', 2, 'what does not wait for it runs');

# The commit of a refresh stalls. What is written is committed here, whatever ends the wait.
my $log = -s $node->logfile;
alter('patient', q{max_runtime => '1 s'});
my $at = sql('SELECT at FROM s.patient');
my $run = ask('patient');
ends_as($run, qr/^success\|/, 'a refresh whose commit stalls ends with its max_runtime');
isnt(sql('SELECT at FROM s.patient'), $at, 'the view has what the log says');
like(slurp_file($node->logfile, $log), qr/canceling the wait for synchronous replication/, 'its commit did stall');
none_is_left('max_runtime');
alter('patient', q{max_runtime => '1 hour'});
$run = ask('patient');
until_waiting('SyncRep');
sql("SELECT metrics_refresh.cancel($run)");
ends_as($run, qr/^success\|/, 'or with its cancel');
none_is_left('cancel');
alter('patient command', q{max_runtime => '1 s'});
$run = ask('patient command');
ends_as($run, qr/^success\|/, 'so does a command');
is(sql('SELECT count(*) FROM s.patient_rows'), 1, 'which is done');
none_is_left('a command');
alter('patient group', q{max_runtime => '1 s'});
$run = ask('patient group');
ends_as($run, qr/^success\|/, 'so do the members of a group');
is(sql("SELECT string_agg(view_name || ' ' || status, ', ' ORDER BY run_id) FROM metrics_refresh.run_log WHERE group_run_id = $run"),
	'patient success, patient_next success', 'one after the other');
none_is_left('a group');

# The begin of a run stalls.
for my $job ('alice', 'alice command', 'alice group')
{
	my $at = sql('SELECT at FROM s.alice');
	alter($job, q{max_runtime => '1 s'});
	ends_as(ask($job), qr/^error\|57014\|the run .* max_runtime/, "$job: a run whose begin stalls ends with its max_runtime");
	none_is_left("$job: max_runtime");
	alter($job, q{max_runtime => '1 hour'});
	$run = ask($job);
	until_waiting('SyncRep');
	is(sql("SET lock_timeout = '10s'; SELECT metrics_refresh.cancel($run)"), 't', "$job: it can be canceled at once");
	ends_as($run, qr/^canceled\|57014/, "$job: and ends with its cancel");
	none_is_left("$job: cancel");
	is(sql("SELECT count(*) FROM metrics_refresh.run_log WHERE group_run_id = $run"), 0, "$job: no member of it has begun");
	is(sql('SELECT at FROM s.alice'), $at, "$job: nothing of it is done");
}

set_server(q{synchronous_standby_names = ''});
ends_as(ask($_), qr/^success\|/, "afterwards: $_") for 'patient', 'alice', 'alice command', 'alice group';

# A view that is given away between its refresh and the look at its statistics, whose expressions are
# the new owner's code. The stalled commit still holds the extension, for which the worker has to ask again.
sql(q{
	CREATE ROLE heir LOGIN;
	CREATE FUNCTION s.held() RETURNS int LANGUAGE sql AS 'SELECT 1';
	SET ROLE heir;
	CREATE FUNCTION s.spy(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
	  $$ BEGIN RAISE LOG 'spying in a session of %', session_user; RETURN $1; END $$;
	RESET ROLE; SET ROLE alice;
	CREATE MATERIALIZED VIEW s.given AS SELECT n FROM generate_series(1, 1000) n, pg_advisory_xact_lock_shared(815) WITH NO DATA;
	RESET ROLE;
	SELECT metrics_refresh.schedule('s.given', job_name => 'given', lock_timeout => '1 hour')});
my $gate = $node->background_psql('postgres', on_error_stop => 1);
$gate->query_safe($_) for 'BEGIN', 'SELECT pg_advisory_xact_lock(815)';
$log = -s $node->logfile;
$run = ask('given');
until_waiting('advisory');
set_server(q{synchronous_standby_names = 'nobody'});
until_ok($node, 'postgres', q{SELECT current_setting('synchronous_standby_names') = 'nobody'}, 'a refresh has begun');
$gate->query_safe('COMMIT');
$gate->quit;
until_waiting('SyncRep');
my $giver = $node->background_psql('postgres', on_error_stop => 1);
$giver->query_until(qr/giving/, q{\echo giving
	BEGIN;
	ALTER FUNCTION s.held() DEPENDS ON EXTENSION metrics_refresh;
	ALTER MATERIALIZED VIEW s.given OWNER TO heir;
	SET ROLE heir; CREATE STATISTICS s.given_n ON (s.spy(n)), n FROM s.given; RESET ROLE;
	COMMIT;
	ALTER FUNCTION s.held() NO DEPENDS ON EXTENSION metrics_refresh;
});
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^ALTER FUNCTION s.held' AND wait_event_type = 'Lock'}, 'whoever gives the view away waits for its end');
set_server(q{synchronous_standby_names = ''});
ends_as($run, qr/^success\|/, 'the refresh ends');
until_ok($node, 'postgres', q{SELECT pg_get_userbyid(relowner) = 'heir' FROM pg_class WHERE relname = 'given'}, 'the view is given away');
$giver->quit;
sub all_idle { return until_ok($node, 'postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker' AND usename = '$_[0]' AND state <> 'idle'", "the worker of $_[0] is done") }
all_idle('alice');
sub spied { return slurp_file($node->logfile, $log) =~ /(spying in a session of \w+)/ ? $1 : '' }
is(spied(), '', 'the code of the new owner has not run in a session of the old one');
ends_as(ask('given'), qr/^success\|/, 'the next run');
all_idle('heir');
is(spied(), 'spying in a session of heir', 'runs it in one of his own');

is(running_rows($node, 'postgres'), 0, 'no row is left running');
$node->stop;
done_testing();
