# Limits and settings that people set: a refresh goes by those of its view's owner, whoever starts it;
# a command by those of its owner, timeouts included; and what cannot work is refused or explained.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'settings',
	max_worker_processes => 16,
	'metrics_refresh.worker_idle_timeout' => '10min',
	'metrics_refresh.admin_role' => 'admins',
	intervalstyle => 'iso_8601');
create_extension($node);
my $version = ($node->safe_psql('postgres', 'SHOW server_version_num'));

sub sql { return $node->safe_psql('postgres', $_[0]) }

# As a client who logs in as this role, and what the server says to it.
sub as { my ($role, $sql) = @_; return $node->safe_psql('postgres', $sql, extra_params => [ '-qU', $role ]) }

sub error_of
{
	my ($role, $sql) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err,
		extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

sub ended
{
	my ($run, $columns) = @_;
	sql("SET statement_timeout = 0; SELECT metrics_refresh.wait($run, '120 s')");
	return sql("SELECT $columns FROM metrics_refresh.run_log WHERE run_id = $run");
}
sub run_job
{
	my ($job, $columns) = @_;
	return ended(sql("SELECT metrics_refresh.trigger('$job')"), $columns // 'status, sqlstate, error_message');
}

# A database in Berlin, an owner in UTC, a member and an admin elsewhere.
sql(q{
	CREATE ROLE admins; CREATE ROLE dj LOGIN; CREATE ROLE member LOGIN IN ROLE dj; CREATE ROLE admin LOGIN IN ROLE admins;
	ALTER DATABASE postgres SET timezone = 'Europe/Berlin';
	ALTER DATABASE postgres SET bytea_output = 'escape';
	ALTER ROLE dj SET timezone = 'UTC';
	ALTER ROLE dj IN DATABASE postgres SET datestyle = 'German';
	ALTER ROLE dj SET app.tenant = 'of dj';
	ALTER ROLE member SET timezone = 'America/New_York';
	ALTER ROLE member SET datestyle = 'SQL';
	ALTER ROLE member SET intervalstyle = 'postgres_verbose';
	ALTER ROLE member SET app.tenant = 'of member';
	ALTER ROLE member SET bytea_output = 'hex';
	ALTER ROLE admin SET timezone = 'Asia/Tokyo';
	ALTER ROLE admin SET app.tenant = 'of admin';
	GRANT CREATE ON SCHEMA public TO dj;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO dj;
	SET SESSION AUTHORIZATION dj;
	CREATE TABLE event (id int PRIMARY KEY, at timestamptz NOT NULL);
	INSERT INTO event VALUES (1, '2026-01-01 23:30:00+00'), (2, '2026-01-02 12:00:00+00');
	CREATE FUNCTION volatile_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';
	CREATE MATERIALIZED VIEW days AS SELECT at::date AS day, count(*) AS events FROM event GROUP BY 1 WITH NO DATA;
	CREATE MATERIALIZED VIEW sums AS SELECT id, (id::float8 / 3)::text AS third FROM event WITH NO DATA;
	CREATE MATERIALIZED VIEW settings AS SELECT current_setting('timezone') || '|' || '2026-03-01'::date || '|' || interval '36 hours'
	  || '|' || current_setting('app.tenant', true) || '|' || '\x41ff'::bytea::text || '|' || current_setting('extra_float_digits')
	  || '|' || current_setting('default_text_search_config') AS are, current_setting('work_mem') AS memory, volatile_now() AS now WITH NO DATA;
	SELECT metrics_refresh.schedule('days', NULL, job_name => 'days');
	SELECT metrics_refresh.schedule('settings', NULL, job_name => 'settings')});

my $everything = q{SET timezone = 'Pacific/Auckland'; SET datestyle = 'ISO, DMY'; SET intervalstyle = 'sql_standard'; SET app.tenant = 'of a session';
	SET bytea_output = 'hex'; SET extra_float_digits = -5; SET default_text_search_config = 'simple';};
sub refreshed_by
{
	my ($role, $before, $view) = @_;
	my $row = as($role, "${before} SELECT * FROM metrics_refresh.refresh('$view')");
	return $row;
}
my $right = 'UTC|01.03.2026|PT36H|of dj|A\377|1|pg_catalog.simple';
my $text_search = sql('SHOW default_text_search_config');
$right =~ s/pg_catalog\.simple/$text_search/;
run_job('settings');
is(sql('SELECT are FROM settings'), $right, 'a worker has the settings of the owner');
for my $who (
	[ 'dj', '', 'its owner' ], [ 'dj', $everything, 'its owner, who has set others' ], [ 'postgres', '', 'a superuser' ],
	[ 'postgres', $everything, 'a superuser who has set others' ], [ 'member', '', "a member of the owner's" ],
	[ 'member', $everything, 'a member who has set others' ], [ 'admin', '', 'an admin, through a worker' ],
	[ 'admin', $everything, 'an admin who has set others' ])
{
	my ($role, $before, $name) = @$who;
	my $now = sql('SELECT clock_timestamp()');
	refreshed_by($role, $before, 'settings');
	is(sql("SELECT are, now > '$now' FROM settings"), "$right|t", "so has a refresh by $name");
}
{
	local $ENV{PGTZ} = 'Asia/Kolkata';
	local $ENV{PGDATESTYLE} = 'Postgres, MDY';
	local $ENV{PGOPTIONS} = '-c intervalstyle=postgres -c extra_float_digits=-3';
	refreshed_by('postgres', '', 'settings');
	is(sql('SELECT are FROM settings'), $right, "so has one by a client's environment");
	run_job('settings');
	is(as('dj', q{SELECT current_setting('timezone')}), 'Asia/Kolkata', 'which is what it says');
}
is( as('postgres', qq{$everything SET work_mem = '9MB'; SELECT FROM metrics_refresh.refresh('settings');
	SELECT concat_ws('|', memory, current_setting('timezone'), current_setting('app.tenant'), current_setting('intervalstyle')) FROM settings}),
	'9MB|Pacific/Auckland|of a session|sql_standard', "the session's limit counts, and its settings are as before");

# The present value of the server, which no session of a member has had.
sql(q{ALTER SYSTEM SET intervalstyle = 'sql_standard'});
sql('SELECT pg_reload_conf()');
until_ok($node, 'postgres', q{SELECT current_setting('intervalstyle') = 'sql_standard'}, 'the server has another interval style');
(my $reloaded = $right) =~ s/PT36H/36:00:00/;
my $tries = 0;
do { refreshed_by('member', '', 'settings') } while (sql('SELECT are FROM settings') ne $reloaded && $tries++ < 50);
is(sql('SELECT are FROM settings'), $reloaded, 'a refresh by a member has it');
run_job('settings');
is(sql('SELECT are FROM settings'), $reloaded, 'and so has a worker that was there before');

# A later change of the role counts in a worker that is there already, and in all sessions.
my $pid = sql(q{SELECT worker_pid FROM metrics_refresh.run_log WHERE job_name = 'settings' ORDER BY run_id DESC LIMIT 1});
sql(q{ALTER ROLE dj SET timezone = 'Asia/Tokyo'; ALTER ROLE dj RESET app.tenant});
(my $later = $reloaded) =~ s/^UTC(.*)of dj/Asia\/Tokyo$1/;
run_job('settings');
is(sql('SELECT are IS NULL FROM settings'), 't', 'a name that it was given before is not set at all');
sql(q{ALTER ROLE dj SET app.tenant = ''});
run_job('settings');
is(sql('SELECT are FROM settings'), $later, 'a worker has what the role was given meanwhile');
refreshed_by('postgres', $everything, 'settings');
is(sql('SELECT are FROM settings'), $later, 'and so has a session');
sql(q{ALTER ROLE dj SET timezone = 'UTC'});

# Nothing is refreshed because another session asks.
sql(q{SELECT metrics_refresh.trigger('days')});
run_job('days');
is(run_job('days', 'strategy'), 'skip', 'a view is fresh');
is(sql(q{SELECT string_agg(day || ' ' || events, ',' ORDER BY day) FROM days}), '2026-01-01 1,2026-01-02 1', 'its days are those of its owner');
for my $role (qw(dj member postgres admin))
{
	like(refreshed_by($role, $everything, 'days'), qr/skip/, "fresh for $role");
	like(as($role, q{SET timezone = 'Pacific/Auckland'; SELECT change_state FROM metrics_refresh.explain_refresh('days')}), qr/no table that it reads has changed/,
		"and said to be for $role");
}
as('dj', q{SELECT metrics_refresh.schedule('sums', NULL, job_name => 'sums', strategy => 'incremental')});
run_job('sums');
my $id = 10;
for my $role (qw(dj member postgres admin))
{
	as('dj', 'INSERT INTO event VALUES (' . ++$id . q{, '2026-01-05 23:45:00+00')});
	like(refreshed_by($role, $everything, 'sums'), qr/incremental/, "incremental for $role");
	as('dj', 'INSERT INTO event VALUES (' . ++$id . q{, '2026-01-05 23:45:00+00')});
	is(run_job('sums', 'status, strategy'), 'success|incremental', 'and then for a worker');
}
is(sql('SELECT count(*), count(*) FILTER (WHERE third = (id::float8 / 3)::text) FROM sums'), '10|10', "with its owner's digits");

# What a job sets counts for its runs, also in a session.
as('dj', q{SELECT metrics_refresh.schedule_group('group', ARRAY['settings']::regclass[], settings => '{"timezone": "Asia/Kathmandu", "work_mem": "7MB"}')});
my $of_group = qr{^Asia/Kathmandu\|.*\|7MB$};
run_job('group');
until_ok($node, 'postgres', q{SELECT are LIKE 'Asia/Kathmandu|%' FROM settings}, 'a group has its own');
refreshed_by('dj', '', 'settings');
as('postgres', "$everything SELECT metrics_refresh.refresh_group('group')");
like(sql('SELECT are, memory FROM settings'), $of_group, 'also in a session');

# Commands: as a client's session of the role.
sub command
{
	my ($role, $command, $columns, %options) = @_;
	my $options = join '', map { ", $_ => '$options{$_}'" } sort keys %options;
	as($role, "SET default_transaction_read_only = off; SELECT metrics_refresh.schedule_command('c', NULL, \$c\$$command\$c\$, max_retries => 0$options)");
	return ended(as($role, q{SET default_transaction_read_only = off; SELECT metrics_refresh.trigger('c')}), $columns // 'status, sqlstate, error_message');
}
my $timed_out = 'error|57014|canceling statement due to statement timeout';
is(command('dj', q{SET statement_timeout = '300ms'; SELECT pg_sleep(60)}), $timed_out, 'a command has a statement_timeout');
is(command('dj', q{SELECT set_config('statement_timeout', '300ms', false); SELECT 1; SELECT pg_sleep(60)}), $timed_out, 'set in another way');
is(command('dj', q{SET statement_timeout = '20s'; SELECT pg_sleep(0.1); SET statement_timeout = 0; SELECT pg_sleep(0.5)}), 'success||', 'it is taken back');
is(command('dj', q{SET statement_timeout = '6s'; SELECT pg_sleep(4); SELECT pg_sleep(4)}), 'success||', 'it counts for each statement');
is(command('dj', q{BEGIN; SET LOCAL statement_timeout = '300ms'; COMMIT; SELECT pg_sleep(0.6)}), 'success||', 'and for its transaction alone');
like(command('dj', q{SET statement_timeout = '60s'; SELECT pg_sleep(60)}, 'status, sqlstate, error_message', max_runtime => '500ms'),
	qr/error\|57014\|the run was ended because it exceeded its max_runtime/, 'max_runtime is another limit');
as('dj', q{SELECT metrics_refresh.schedule_command('c', NULL, 'SET statement_timeout = ''60s''; SELECT pg_sleep(60)')});
my $canceled = as('dj', q{SELECT metrics_refresh.trigger('c')});
wait_for_run($node, 'postgres', 'c');
as('dj', "SELECT metrics_refresh.cancel($canceled)");
is(ended($canceled, 'status'), 'canceled', 'a cancel is a cancel');

sql(q{ALTER ROLE dj SET statement_timeout = '400ms'});
is(command('dj', 'SELECT pg_sleep(60)'), $timed_out, "a command has its owner's statement_timeout");
is(command('dj', 'CALL pg_sleep(60)', 'sqlstate'), '42809', 'another error is itself');
is(command('postgres', 'SELECT pg_sleep(0.8)'), 'success||', 'and not that of another');
as('dj', q{CREATE MATERIALIZED VIEW slow AS SELECT volatile_now() AS at FROM pg_sleep(0.9) WITH NO DATA; SELECT metrics_refresh.schedule('slow', NULL, job_name => 'slow')});
is(run_job('slow', 'status'), 'success', 'a refresh has its max_runtime');
sql(q{ALTER ROLE dj RESET statement_timeout; ALTER DATABASE postgres SET statement_timeout = '400ms'});
is(command('dj', 'SELECT pg_sleep(60)'), $timed_out, "a command has its database's statement_timeout");
sql('ALTER DATABASE postgres RESET statement_timeout');
is(command('dj', 'SELECT pg_sleep(0.8)'), 'success||', 'no longer than it is set');

sql(q{ALTER ROLE dj SET lock_timeout = '300ms'});
my $holder = $node->background_psql('postgres', on_error_stop => 0);
$holder->query('BEGIN; LOCK TABLE event');
is(command('dj', 'SELECT FROM event', 'status, sqlstate', lock_timeout => '1 hour', max_runtime => '1 min'), 'error|55P03', "its owner's lock_timeout where it is the shorter one");
sql(q{ALTER ROLE dj SET lock_timeout = '1h'});
is(command('dj', 'SELECT FROM event', 'status, sqlstate', lock_timeout => '300ms', max_runtime => '1 min'), 'error|55P03', "or the job's");
$holder->query('ROLLBACK');
$holder->quit;

sql(q{ALTER ROLE dj SET default_transaction_read_only = on; ALTER ROLE dj SET default_transaction_isolation = 'repeatable read'});
is(command('dj', 'DELETE FROM event', 'status, sqlstate'), 'error|25006', "its owner's transactions are read only");
is(command('dj', 'SELECT 1'), 'success||', 'and their success is logged');
is(run_job('slow', 'status'), 'success', 'a refresh writes');
sql(q{ALTER ROLE dj RESET default_transaction_read_only});
is(command('dj', 'CREATE TABLE isolation AS SELECT current_setting(\'transaction_isolation\') AS "is"'), 'success||', 'a command that writes');
is(sql('SELECT "is" FROM isolation'), 'repeatable read', "at its owner's level");
sql('ALTER ROLE dj RESET ALL');

# What ends clients that do nothing leaves a worker alone.
sql(q{ALTER ROLE dj SET idle_in_transaction_session_timeout = '100ms'; ALTER ROLE dj SET idle_session_timeout = '100ms'});
sql(q{ALTER ROLE dj SET transaction_timeout = '2s'}) if $version >= 170000;
command('dj', 'SELECT 1');
my $idle = command('dj', 'SELECT 1', 'worker_pid');
sleep 3;
is(command('dj', 'SELECT 1', 'status, worker_pid'), "success|$idle", 'an idle worker lives on');
SKIP:
{
	skip 'this server has no transaction_timeout', 4 if $version < 170000;
	my $late = 'error|25P04|terminating connection due to transaction timeout';
	is(command('dj', 'SELECT pg_sleep(60)'), $late, "a command has its owner's transaction_timeout");
	is(command('dj', q{SET transaction_timeout = '300ms'; SELECT pg_sleep(60)}), $late, 'and its own');
	is(command('dj', q{BEGIN; SELECT pg_sleep(1); COMMIT; BEGIN; SELECT pg_sleep(1.2); COMMIT}), 'success||', 'which counts for each transaction');
	as('dj', q{CREATE MATERIALIZED VIEW slower AS SELECT volatile_now() AS at FROM pg_sleep(3) WITH NO DATA; SELECT metrics_refresh.schedule('slower', NULL, job_name => 'slower')});
	is(run_job('slower', 'status'), 'success', 'a refresh has its max_runtime');
}
sql('ALTER ROLE dj RESET ALL');

# A path is fixed: refused where it is asked for, explained where it is missing.
for my $call (
	q{schedule('days', NULL, job_name => 'days', settings => '{"search_path": "public"}')},
	q{alter_job('days', settings => '{"Search_Path": "public"}')},
	q{schedule_group('group', ARRAY['days']::regclass[], settings => '{"search_path": "public"}')})
{
	like(error_of('dj', "SELECT metrics_refresh.$call"), qr/22023: search_path is not among .*\nHINT:  .*ALTER FUNCTION/i, "$call is refused");
}
sql(q{
	CREATE EXTENSION hstore SCHEMA public;
	SET SESSION AUTHORIZATION dj;
	CREATE TABLE conf (rate numeric); INSERT INTO conf VALUES (2);
	CREATE TYPE mood AS ENUM ('good', 'bad');
	CREATE FUNCTION rate() RETURNS numeric LANGUAGE plpgsql STABLE AS 'DECLARE r numeric; BEGIN SELECT c.rate INTO r FROM conf c; RETURN r; END';
	CREATE FUNCTION twice() RETURNS numeric LANGUAGE sql STABLE AS 'SELECT rate() * 2';
	CREATE FUNCTION felt() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE t text; BEGIN t := 'good'::mood; RETURN t; END $$;
	CREATE FUNCTION looked_up() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN public.hstore('a', '1') -> 'a'; END $$;
	CREATE FUNCTION nowhere() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN count(*) FROM nosuch; END';
	CREATE MATERIALIZED VIEW by_table AS SELECT rate() AS r WITH NO DATA;
	CREATE MATERIALIZED VIEW by_function AS SELECT twice() AS r WITH NO DATA;
	CREATE MATERIALIZED VIEW by_type AS SELECT felt() AS r WITH NO DATA;
	CREATE MATERIALIZED VIEW by_operator AS SELECT looked_up() AS r WITH NO DATA;
	CREATE MATERIALIZED VIEW by_nothing AS SELECT nowhere() AS r WITH NO DATA});
for my $case ([ 'by_table', '42P01', 'public\.conf' ], [ 'by_function', '42883', 'public\.rate' ], [ 'by_type', '42704', 'public\.mood' ],
	[ 'by_operator', '42883', 'OPERATOR\(public\.->\)' ])
{
	my ($view, $state, $name) = @$case;
	as('dj', "SELECT metrics_refresh.schedule('$view', NULL, job_name => '$view', max_retries => 0)");
	like(run_job($view, 'status, sqlstate, error_hint'), qr/^error\|$state\|A refresh looks names up .* also finds $name\. .*ALTER FUNCTION/, "$view in a worker");
	as('postgres', "SET search_path = pg_catalog; SELECT metrics_refresh.refresh('public.$view')");
	like(sql('SELECT sqlstate, error_hint FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1'), qr/^$state\|.* also finds $name\. /, "$view in a session");
}
as('dj', q{SELECT metrics_refresh.refresh('by_nothing')});
is(sql('SELECT sqlstate, error_hint FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1'), '42P01|', 'no hint where nobody finds it');

# A command needs a role that can log in.
sql(q{CREATE ROLE nobody; GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO nobody; GRANT nobody TO dj});
my $refused = qr/28000: role "nobody" is not permitted to log in\nHINT:  A command runs connected as its owner\. Another role can be: owner =>/;
like(error_of('postgres', q{SET ROLE nobody; SELECT metrics_refresh.schedule_command('n', NULL, 'SELECT 1')}), $refused, 'refused when it is scheduled');
like(error_of('postgres', q{SELECT metrics_refresh.schedule_command('n', NULL, 'SELECT 1', owner => 'nobody')}), $refused, 'for another role as well');
like(error_of('postgres', q{SELECT metrics_refresh.alter_job('c', owner => 'nobody')}), $refused, 'and when it is handed over');
like(sql(q{SET ROLE nobody; SELECT action, note FROM metrics_refresh.import_from_crontab('* * * * * psql -d postgres -c "SELECT 1"', dry_run => false)}),
	qr/^left\|.*role "nobody" is not permitted to log in/, 'and left by an import');
sql(q{ALTER ROLE nobody LOGIN});
as('nobody', q{SELECT metrics_refresh.schedule_command('n', NULL, 'SELECT 1')});
sql(q{ALTER ROLE nobody NOLOGIN});
is(run_job('n'), 'error|28000|role "nobody" is not permitted to log in', 'later the log says it');
like(sql(q{SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'owner'}),
	qr/^critical\|job n cannot run: role "nobody" is not permitted to log in\|/, 'and so does health');
sql(q{SELECT metrics_refresh.alter_job('n', active => false)});
pass('its job can be altered');

# Imports keep limits, and say what is different.
sub imported
{
	my ($sql) = @_;
	$sql =~ s/'/''/g;
	return as('dj', qq{SELECT kind, coalesce(statement, ''), coalesce(note, '') FROM metrics_refresh.import_from_crontab('* * * * * psql -d postgres -c "$sql"')});
}
like(imported(q{SET statement_timeout = '90s'; REFRESH MATERIALIZED VIEW days}), qr/^refresh\|.*max_runtime => '90 s'/, 'statement_timeout becomes max_runtime');
like(imported(q{SET statement_timeout = 1500; SET lock_timeout TO '2min'; REFRESH MATERIALIZED VIEW CONCURRENTLY days; REFRESH MATERIALIZED VIEW sums}),
	qr/^group\|.*lock_timeout => '120 s', max_runtime => '1500 ms'/, 'of a group too');
like(imported(q{SET statement_timeout = 0; REFRESH MATERIALIZED VIEW days}), qr/^refresh\|.*max_runtime => '1d'/, 'no limit is the longest');
like(imported(q{SET work_mem = '1GB'; REFRESH MATERIALIZED VIEW days}), qr/^command\|/, 'another setting stays a command');
like(imported(q{REFRESH MATERIALIZED VIEW days; SET statement_timeout = '90s'}), qr/^command\|/, 'and one that comes too late');
unlike(imported(q{REFRESH MATERIALIZED VIEW days}), qr/max_runtime/, 'none without');
sql(q{ALTER ROLE dj SET statement_timeout = '45s'});
like(imported(q{REFRESH MATERIALIZED VIEW days}), qr/max_runtime => '45 s'.*the statement_timeout of its role is a limit of the job/, "its role's is one");
sql('ALTER ROLE dj RESET statement_timeout');
like(imported(q{REFRESH MATERIALIZED VIEW by_table}), qr/public\.by_table will fail if public\.rate\(\) needs public\.conf from search_path/, 'names that will not be found');
like(imported(q{REFRESH MATERIALIZED VIEW by_function}), qr/public\.by_function will fail if public\.twice\(\) needs public\.rate from/, 'of functions');
like(imported(q{REFRESH MATERIALIZED VIEW by_type}), qr/public\.by_type will fail if public\.felt\(\) needs public\.mood from/, 'of types');
sql(q{ALTER FUNCTION rate() SET search_path = public, pg_temp; GRANT dj TO member});
unlike(imported(q{REFRESH MATERIALIZED VIEW by_table}), qr/will fail/, 'not where the function has a path');
sql(q{ALTER ROLE dj SET timezone = 'UTC'});
like(as('member', q{SELECT note FROM metrics_refresh.import_from_crontab('* * * * * psql -d postgres -c "REFRESH MATERIALIZED VIEW days"')}),
	qr{public\.days is computed with its owner's timezone, UTC, not its role's, America/New_York}i, 'and settings that differ');

# A refresh that somebody asks for has the settings of the view's own job as well.
sql(q{CREATE SCHEMA own AUTHORIZATION dj; GRANT USAGE ON SCHEMA own TO PUBLIC; SET SESSION AUTHORIZATION dj;
	CREATE MATERIALIZED VIEW own.zone AS SELECT current_setting('timezone') AS zone, volatile_now() AS now;
	SELECT metrics_refresh.schedule('own.zone', NULL, job_name => 'zone', settings => '{"timezone": "Asia/Tokyo"}')});
sub zone { return sql('SELECT zone FROM own.zone') }
run_job('zone');
is(zone(), 'Asia/Tokyo', "a job's setting counts in its run");
for my $who ([ 'dj', '' ], [ 'dj', $everything ], [ 'postgres', $everything ], [ 'member', $everything ], [ 'admin', $everything ])
{
	my ($role, $before) = @$who;
	my $now = sql('SELECT clock_timestamp()');
	my $shown = as($role, "$before SELECT metrics_refresh.refresh('own.zone') -> 'success', current_setting('timezone')");
	is(sql("SELECT zone, now > '$now' FROM own.zone"), 'Asia/Tokyo|t', "and in a refresh by $role" . ($before ? ', who has set others' : ''));
	like($shown, $before ? qr{^true\|Pacific/Auckland$} : qr{^true\|UTC$}, 'whose session has its own');
}
is(ended(sql(q{SELECT metrics_refresh.refresh_all_views('own')}), 'status'), 'success', 'all views of a schema are refreshed');
is(zone(), 'Asia/Tokyo', 'with the settings of their own jobs');
as('dj', q{SELECT metrics_refresh.schedule_group('zones', ARRAY['own.zone']::regclass[], settings => '{"timezone": "Asia/Seoul"}')});
as($_, q{SELECT metrics_refresh.refresh_group('zones')}), is(zone(), 'Asia/Seoul', "a group's are those of its refresh, by $_") for qw(dj admin);
as('dj', q{SELECT metrics_refresh.refresh('own.zone')});
is(zone(), 'Asia/Tokyo', 'but of no other');
sql(q{SELECT metrics_refresh.schedule('own.zone', NULL, job_name => 'of another', owner => 'member', settings => '{"timezone": "Asia/Manila"}')});
as('dj', q{SELECT metrics_refresh.refresh('own.zone')});
is(zone(), 'Asia/Tokyo', "nor are those of another's job, where the owner has one");
sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE job_name = 'of another'});
as('dj', q{SELECT metrics_refresh.schedule('own.zone', NULL, job_name => 'at noon', settings => '{"timezone": "Asia/Tokyo"}'); SELECT metrics_refresh.refresh('own.zone')});
is(zone(), 'Asia/Tokyo', 'two jobs that have the same');
my $reason = q{SELECT reason FROM metrics_refresh.explain_refresh('own.zone')};
unlike(as('dj', $reason), qr/settings/, 'are explained as one');
as('dj', q{SELECT metrics_refresh.alter_job('at noon', settings => '{"work_mem": "8MB"}'); SELECT metrics_refresh.refresh('own.zone')});
is(zone(), 'UTC', "where they differ it has the owner's alone");
like(as('dj', $reason), qr/; its jobs have different settings, and refresh\(\) goes by none of them$/, 'as explain_refresh() says');
as('dj', q{SELECT metrics_refresh.unschedule('at noon'); ALTER MATERIALIZED VIEW own.zone RENAME TO renamed; SELECT metrics_refresh.refresh('own.renamed')});
is(sql('SELECT zone FROM own.renamed'), 'Asia/Tokyo', 'a view that is renamed keeps its job');
as('dj', q{DROP MATERIALIZED VIEW own.renamed; CREATE MATERIALIZED VIEW own.zone AS SELECT current_setting('timezone') AS zone; SELECT metrics_refresh.refresh('own.zone')});
is(zone(), 'Asia/Tokyo', 'as does one that is made anew');

$node->stop;
done_testing();
