# A refresh runs in a session that is its owner's: whose it is, and that nothing of it reaches the next
# owner's, though one worker is all there is.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('owner_sessions', 'metrics_refresh.max_workers' => 1,
	'metrics_refresh.worker_idle_timeout' => '1h', 'metrics_refresh.max_databases' => 1);
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

# Columns of the log for the run of this number, once it has ended.
sub ended
{
	my ($run, $columns) = @_;
	sql("SELECT metrics_refresh.wait($run, '60 s')");
	return sql("SELECT $columns FROM metrics_refresh.run_log WHERE run_id = $run");
}

sub run_job
{
	my ($job, $columns) = @_;
	return ended(sql("SELECT metrics_refresh.trigger('$job')"), $columns // 'status');
}

# What a session is, as the code of a view sees it.
sql(q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE night NOLOGIN;
	CREATE ROLE locked_out LOGIN;
	CREATE ROLE limited LOGIN CONNECTION LIMIT 0;
	CREATE ROLE claimant LOGIN;
	ALTER ROLE postgres SET work_mem = '77MB';
	ALTER ROLE postgres SET app.tenant = 'of postgres';
	ALTER ROLE postgres SET application_name = 'of postgres';
	ALTER DATABASE postgres SET maintenance_work_mem = '44MB';
	ALTER ROLE night SET work_mem = '33MB';
	ALTER ROLE night IN DATABASE postgres SET random_page_cost = 1.5;
	REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
	GRANT CONNECT ON DATABASE postgres TO alice, bob, night, limited, claimant;
	CREATE SCHEMA s;
	GRANT USAGE, CREATE ON SCHEMA s TO PUBLIC;
	GRANT CREATE ON SCHEMA public TO alice, bob;
	CREATE FUNCTION s.definer() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	  AS 'SELECT session_user::text';
	CREATE VIEW s.session AS SELECT session_user::text || '|' || current_user || '|'
	  || current_setting('is_superuser') || '|' || current_setting('role') || '|' || s.definer() AS is;
	GRANT SELECT ON s.session TO PUBLIC;
	CREATE VIEW s.settings AS SELECT current_setting('work_mem') || '|' || current_setting('maintenance_work_mem')
	  || '|' || current_setting('random_page_cost') || coalesce(current_setting('app.tenant', true), '') AS are;
	GRANT SELECT ON s.settings TO PUBLIC;
	CREATE TABLE s.secret (who text, what text);
	INSERT INTO s.secret VALUES ('postgres', 'of postgres'), ('alice', 'of alice'), ('bob', 'of bob'),
	  ('night', 'of night');
	ALTER TABLE s.secret ENABLE ROW LEVEL SECURITY;
	ALTER TABLE s.secret FORCE ROW LEVEL SECURITY;
	CREATE POLICY own ON s.secret USING (who = session_user);
	GRANT SELECT ON s.secret TO PUBLIC});
my @owners = qw(alice bob night locked_out limited);
for my $owner (@owners)
{
	sql(qq{
		SET ROLE $owner;
		CREATE MATERIALIZED VIEW s.of_$owner AS SELECT (SELECT "is" FROM s.session) AS session,
		  (SELECT are FROM s.settings) AS settings, (SELECT string_agg(what, ',') FROM s.secret) AS secret WITH NO DATA;
		RESET ROLE;
		SELECT metrics_refresh.schedule('s.of_$owner', job_name => '$owner', max_retries => 0)});
}
for my $owner (@owners)
{
	is(run_job($owner), 'success', "a view of $owner is refreshed");
	is(sql("SELECT session FROM s.of_$owner"), "$owner|$owner|off|none|$owner", "in a session of $owner");
}
is(sql('SELECT secret FROM s.of_alice'), 'of alice', 'policies see the session of the owner');
is(sql('SELECT secret FROM s.of_night'), 'of night', 'also of one who cannot log in');
is(sql('SELECT settings FROM s.of_night'), '33MB|44MB|1.5', 'who has the settings of that role');
is(sql('SELECT settings FROM s.of_limited'), '4MB|44MB|4', 'and none of the superuser');
is(sql('SELECT settings FROM s.of_alice'), '4MB|44MB|4', 'as one who logs in');

# By the schedule, as a member of a group, and on one snapshot.
sql(q{SELECT metrics_refresh.alter_job('night', schedule => '1 second', strategy => 'full')});
wait_for_runs($node, 'postgres', 'night', 1, 'a schedule runs');
is(sql('SELECT session FROM s.of_night'), 'night|night|off|none|night', 'in a session of its owner');
sql(q{SELECT metrics_refresh.alter_job('night', schedule => '0 0 1 1 *')});
sql(q{SELECT metrics_refresh.schedule_group('all', '{s.of_alice,s.of_bob,s.of_night}', strategy => 'full')});
is(run_job('all'), 'success', 'a group of several owners');
is(sql(q{SELECT string_agg(split_part(session, '|', 1), ',' ORDER BY session) FROM
	(SELECT session FROM s.of_alice UNION ALL SELECT session FROM s.of_bob UNION ALL SELECT session FROM s.of_night) v}),
	'alice,bob,night', 'each member in a session of its owner');
sql(q{SELECT metrics_refresh.alter_job('all', strategy => 'auto')});
sql(q{UPDATE metrics_refresh_internal.job SET isolation = 'repeatable_read' WHERE job_name = 'all'});
is(run_job('all', 'status, sqlstate, error_message, error_detail'),
	'error|0A000|a group with isolation repeatable_read needs views of one owner|Its views belong to alice, bob, night.',
	'one snapshot is one owner\'s');
sql(q{
	SET ROLE night; CREATE MATERIALIZED VIEW s.more AS SELECT (SELECT "is" FROM s.session) AS session WITH NO DATA; RESET ROLE;
	SELECT metrics_refresh.schedule_group('one', '{s.of_night,s.more}', isolation => 'repeatable_read')});
is(run_job('one'), 'success', 'a group of one owner on one snapshot');
is(sql('SELECT session FROM s.more'), 'night|night|off|none|night', 'in a session of that owner');

# An owner whose session was given to him cannot get at the one that gave it.
sql(q{
	CREATE FUNCTION s.climb() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	  SET SESSION AUTHORIZATION postgres;
	  RETURN session_user;
	EXCEPTION WHEN others THEN RETURN sqlstate || ' ' || session_user; END $$;
	CREATE FUNCTION s.climb_back() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	  RESET SESSION AUTHORIZATION;
	  RETURN session_user;
	EXCEPTION WHEN others THEN RETURN sqlstate || ' ' || session_user; END $$;
	SET ROLE night;
	CREATE TABLE s.late (n int);
	CREATE FUNCTION s.climb_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  RESET SESSION AUTHORIZATION; SET SESSION AUTHORIZATION postgres; ALTER ROLE night SUPERUSER; RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON s.late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION s.climb_late();
	CREATE FUNCTION s.insert_late() RETURNS int LANGUAGE sql AS 'INSERT INTO s.late VALUES (1) RETURNING n';
	CREATE MATERIALIZED VIEW s.climbs AS SELECT s.climb() AS a, s.climb_back() AS b WITH NO DATA;
	CREATE MATERIALIZED VIEW s.climbs_late AS SELECT s.insert_late() AS a WITH NO DATA;
	RESET ROLE;
	SELECT metrics_refresh.schedule('s.climbs', job_name => 'climbs', strategy => 'full', max_retries => 0);
	SELECT metrics_refresh.schedule('s.climbs_late', job_name => 'climbs late', max_retries => 0)});
is(run_job('climbs'), 'success', 'a definition that wants another session');
is(sql('SELECT * FROM s.climbs'), '42501 night|42501 night', 'is refused');
like(run_job('climbs late', 'status, error_message'), qr/^error\|.*deferred trigger/, 'nor at the commit');
is(sql(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'night'}), 'f', 'nobody has climbed');

# Two owners, one worker: seeds, temporary functions and what a language keeps are not shared.
sql(q{
	CREATE FUNCTION s.leave() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	  PERFORM setseed(0.5);
	  PERFORM pg_advisory_lock(4711);
	  PERFORM set_config('app.left', 'behind', false);
	  EXECUTE 'PREPARE left_behind AS SELECT 1';
	  EXECUTE 'CREATE OR REPLACE FUNCTION pg_temp.left_behind() RETURNS int LANGUAGE sql AS ''SELECT 1''';
	  RETURN 'left'; END $$;
	CREATE FUNCTION s.find() RETURNS text LANGUAGE sql AS $$
	  SELECT concat_ws('|', pg_backend_pid() = (SELECT max(worker_pid) FROM metrics_refresh.run_log WHERE job_name = 'leaves'),
	    current_setting('app.left', true),
	    (SELECT count(*) FROM pg_prepared_statements WHERE name = 'left_behind'),
	    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711),
	    EXISTS (SELECT FROM pg_proc WHERE proname = 'left_behind' AND pronamespace = pg_my_temp_schema())) $$;
	SET ROLE alice;
	CREATE MATERIALIZED VIEW s.leaves AS SELECT s.leave() WITH NO DATA;
	CREATE MATERIALIZED VIEW s.finds_own AS SELECT s.find() AS found, random() WITH NO DATA;
	RESET ROLE;
	SET ROLE bob;
	CREATE MATERIALIZED VIEW s.finds AS SELECT s.find() AS found, random() WITH NO DATA;
	RESET ROLE;
	SELECT metrics_refresh.schedule('s.' || v, job_name => v, strategy => 'diff') FROM unnest('{leaves,finds,finds_own}'::text[]) v});
run_job('leaves');
is(run_job('finds'), 'success', 'another owner\'s view in the one worker that there can be');
is(sql('SELECT found FROM s.finds'), '0|0|f', 'in another session, with nothing of the first');
isnt(sql('SELECT random FROM s.finds'), sql('SELECT setseed(0.5); SELECT random()') =~ s/^\n//r, 'not its seed either');
run_job('leaves');
is(run_job('finds_own'), 'success', 'another view of the same owner');
is(sql('SELECT found FROM s.finds_own'), 't||0|0|f', 'finds no settings, statements, locks and temporary functions');

# Connections of dblink.
sql(q{
	CREATE EXTENSION dblink;
	GRANT EXECUTE ON FUNCTION dblink_connect_u(text, text) TO alice, bob;
	CREATE FUNCTION s.connections() RETURNS text LANGUAGE sql AS
	  $$ SELECT coalesce(array_to_string(public.dblink_get_connections(), ','), 'none') $$} . qq{;
	SET ROLE alice;
	CREATE MATERIALIZED VIEW s.connects AS SELECT public.dblink_connect_u('of_alice', '} . ($node->connstr('postgres') =~ s/'/''/gr) . qq{ user=alice') || ' ' || s.connections() AS are WITH NO DATA;
	RESET ROLE; SET ROLE bob;
	CREATE MATERIALIZED VIEW s.connected AS SELECT s.connections() AS are WITH NO DATA;
	RESET ROLE;
	SELECT metrics_refresh.schedule('s.' || v, job_name => v, strategy => 'full') FROM unnest('{connects,connected}'::text[]) v});
is(run_job('connects', 'status, error_message'), 'success|', 'a connection of dblink');
is(sql('SELECT are FROM s.connects'), 'OK of_alice', 'is one of its owner\'s');
is(run_job('connected', 'status, error_message'), 'success|', 'another owner');
is(sql('SELECT are FROM s.connected'), 'none', 'sees none');

# Settings of a group are within the rights of all owners of its views.
for my $change (q{settings => '{"session_replication_role": "replica"}'})
{
	my ($code, $out, $err) = $node->psql('postgres', "SELECT metrics_refresh.alter_job('all', $change)");
	like($err, qr/permission denied to set parameter "session_replication_role"/, 'a superuser\'s group over views of others has no superuser\'s settings');
}
sql(q{SELECT metrics_refresh.alter_job('all', settings => '{"work_mem": "1MB"}')});
is(sql(q{SELECT settings FROM metrics_refresh.job WHERE job_name = 'all'}), '{"work_mem": "1MB"}', 'it has those of everybody');
sql(q{SELECT metrics_refresh.alter_job('all', settings => '{}')});

# A role's setting that keeps statements from views keeps none of ours from them: the plan of a group reads one.
if (sql(q{SELECT count(*) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'}))
{
	sql(q{ALTER ROLE night SET restrict_nonsystem_relation_kind = 'view';
		SET ROLE night; SELECT metrics_refresh.schedule_group('nights', '{s.of_night,s.more}')});
	run_job('connected');  # the worker of night leaves
	is(run_job('nights'), 'success', 'a group whose owner may read no views by his settings');
	sql('ALTER ROLE night RESET restrict_nonsystem_relation_kind');

	# Nor does it in his own session, or in a command before its outcome is logged.
	sql('SET ROLE night; CREATE MATERIALIZED VIEW s.bare AS SELECT 1 AS one');
	my $nights = sql(q{SELECT max(run_id) FROM metrics_refresh.run_log WHERE job_name = 'nights'});
	my $until = q{SET ROLE night; SET restrict_nonsystem_relation_kind = 'view'};
	for my $call (
		q{refresh('s.bare') @> '{"success": true}'}, q{schedule('s.bare', job_name => 'bare') > 0},
		q{schedule_group('bares', '{s.bare}') > 0}, q{refresh_group('bares') IS NOT NULL}, q{trigger('bare') > 0}, qq{wait($nights) <> ''},
		q{cancel(metrics_refresh.trigger('bares'))}, q{explain_refresh('s.bare')::text <> ''}, q{health_check()::text <> '' LIMIT 1}, q{view_status()::text <> '' LIMIT 1},
		q{unschedule('bare')})
	{
		my ($code, $out, $err) = $node->psql('postgres', "$until; SELECT metrics_refresh.$call");
		is("$out$err", 't', "$call where views may not be read");
	}
	my ($code, $out, $err) = $node->psql('postgres', "$until; SELECT count(*) FROM metrics_refresh.job");
	like($err, qr/access to non-system view "job" is restricted/, 'what he asks for himself is restricted as he says');
	sql(q{SELECT metrics_refresh.schedule_command('restricts', NULL, $$SET restrict_nonsystem_relation_kind = 'view'$$);
		SELECT metrics_refresh.alter_job('restricts', owner => 'alice')});
	is(run_job('restricts', 'status, error_message'), 'success|', 'a command that has this setting');
}

# A command whose owner's password has expired.
sql(q{
	SELECT metrics_refresh.schedule_command('of bob', NULL, 'SELECT 1');
	SELECT metrics_refresh.alter_job('of bob', owner => 'bob');
	ALTER ROLE bob VALID UNTIL '2020-01-01'});
is(run_job('of bob', 'status, sqlstate, error_message'), 'error|28000|the password of role "bob" has expired', 'an expired password');
sql(q{ALTER ROLE bob VALID UNTIL 'infinity'});
is(run_job('of bob'), 'success', 'one that is valid again');

# A view that is given to another role while a worker of the old owner's lingers.
sql(q{ALTER MATERIALIZED VIEW s.of_alice OWNER TO bob});
is(run_job('alice'), 'success', 'a view that was given away');
is(sql('SELECT session FROM s.of_alice'), 'bob|bob|off|none|bob', 'is refreshed in its new owner\'s session');


# Super admins who lack the rights of the view's owner: by role, and by a claim. The worker refreshes.
sql(q{
	CREATE ROLE admins NOLOGIN;
	CREATE ROLE admin LOGIN IN ROLE admins;
	GRANT CONNECT ON DATABASE postgres TO admin;
	GRANT TEMPORARY ON DATABASE postgres TO PUBLIC;
	CREATE FUNCTION s.is_admin() RETURNS boolean LANGUAGE sql STABLE AS
	  $$ SELECT current_setting('app.claim', true) = 'admin' $$;
	ALTER SYSTEM SET metrics_refresh.admin_role = 'admins';
	ALTER SYSTEM SET metrics_refresh.admin_check = 's.is_admin';
	SELECT pg_reload_conf();
	CREATE TABLE s.seen (who text, pid int, at text);
	CREATE FUNCTION s.see(at text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	  INSERT INTO s.seen VALUES (session_user, pg_backend_pid(), at);
	  RETURN concat_ws('|', session_user, current_setting('app.claim', true)); END $$;
	CREATE MATERIALIZED VIEW s.of_super AS SELECT s.see('super') AS seen WITH NO DATA;
	CREATE MATERIALIZED VIEW platform_metrics AS SELECT s.see('metrics') AS seen WITH NO DATA;
	SET ROLE alice;
	CREATE MATERIALIZED VIEW s.fails AS SELECT 1 / (SELECT count(*) FROM pg_class WHERE false) AS n WITH NO DATA;
	RESET ROLE;
	SELECT metrics_refresh.schedule_group('of super', '{s.of_super,public.platform_metrics}')});
until_ok($node, 'postgres', q{SELECT current_setting('metrics_refresh.admin_role') = 'admins'}, 'the settings are in force');

# What a session of this role sees.
sub as
{
	my ($role, $sql, %more) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, connstr => $node->connstr('postgres') . " user=$role", %more);
	return $status == 0 ? $out : $err =~ s/^psql:<stdin>:\d+: //mgr;
}

my $evil = q{CREATE FUNCTION pg_temp.grab(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
	  EXECUTE 'ALTER ROLE admin SUPERUSER'; EXECUTE 'ALTER ROLE claimant SUPERUSER'; RETURN true; END $$;
	CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.grab(VALUE));
	CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (pg_temp.grab(VALUE::pg_catalog.text));};
my %claim = (admin => '', claimant => q{SET app.claim = 'admin';});
sql('CREATE TABLE s.keyed (k int PRIMARY KEY, v int); GRANT SELECT, TRIGGER ON s.keyed TO alice;
	SET ROLE alice; CREATE MATERIALIZED VIEW s.by_key AS SELECT k, v FROM s.keyed');
for my $role (qw(admin claimant))
{
	like(as($role, qq{$claim{$role} SELECT metrics_refresh.refresh('s.by_key', 'incremental')}),
		qr/is not set up for incremental refresh/, "refresh() by $role sets nothing up");
	is(sql(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 's.keyed'::regclass}), 0, 'no trigger is made');
	sql('TRUNCATE s.seen');
	my $answer = as($role, qq{$claim{$role} $evil
		SELECT j ->> 'success', (j ->> 'run_id')::bigint > 0, j ->> 'message', j ->> 'rows', j ->> 'strategy', (j ->> 'duration_ms')::float > 0
		FROM metrics_refresh.refresh('s.of_super', 'full') j});
	is($answer, 'true|t|refreshed|1|full|t', "refresh() by $role");
	is(as($role, qq{$claim{$role} $evil SELECT trigger_platform_metrics_refresh() ->> 'message'}), 'platform metrics refreshed',
		"trigger_platform_metrics_refresh() by $role");
	is(as($role, qq{$claim{$role} $evil SELECT refresh_platform_metrics_with_logging()}), '', "refresh_platform_metrics_with_logging() by $role");
	is(as($role, qq{$claim{$role} $evil SELECT metrics_refresh.refresh_group('of super') IS NOT NULL}), 't', "refresh_group() by $role");
	is(sql(q{SELECT DISTINCT who FROM s.seen}), 'postgres', 'all of it in sessions of the owner');
	is(sql(q{SELECT count(*) > 3 AND count(*) = count(l.worker_pid) FROM s.seen LEFT JOIN LATERAL
		(SELECT worker_pid FROM metrics_refresh.run_log WHERE worker_pid = pid LIMIT 1) l ON true}), 't', 'which are workers');
	is(sql('SELECT count(*) FROM pg_roles WHERE rolsuper'), '1', 'and nobody has become a superuser');
	is(sql('SELECT * FROM s.of_super'), 'postgres', 'nor has his claim come with him');
	is(sql(qq{SELECT DISTINCT initiated_by FROM metrics_refresh.run_log WHERE worker_pid IN (SELECT pid FROM s.seen) AND owner = 'postgres'
		AND run_id > (SELECT max(run_id) - 6 FROM metrics_refresh.run_log)}), $role, 'the log names the caller');
}
is(sql(q{SELECT count(*) FROM metrics_refresh.job WHERE one_time}), '0', 'no job is left of it');
is(as('admin', q{SELECT j ->> 'success', j ->> 'sqlstate', j ->> 'message' FROM metrics_refresh.refresh('s.fails') j}),
	'false|22012|division by zero', 'a failure is told');
is(as('admin', q{BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) > 0 FROM pg_class;
	SELECT metrics_refresh.refresh('s.of_super') ->> 'success'; COMMIT}), "t\ntrue", 'at serializable');
like(as('admin', q{BEGIN; CREATE TABLE pg_temp.t (n int); SELECT metrics_refresh.refresh('s.missing')}), qr/does not exist/, 'a view that is not there');
like(as('claimant', q{SELECT metrics_refresh.refresh('s.of_super')}), qr/must be owner of materialized view of_super/, 'without the claim');
sql(q{GRANT bob TO admin});
is(as('admin', q{SELECT j ->> 'success' FROM metrics_refresh.refresh('s.finds') j}), 'true', 'one who has the rights refreshes in his own session');
is(sql(q{SELECT job_name IS NULL AND initiated_by = 'admin' FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1}), 't', 'without a job');
sql(q{
	GRANT CREATE ON SCHEMA s TO admins;
	ALTER MATERIALIZED VIEW s.finds OWNER TO bob;
	REVOKE bob FROM admin});
is(as('admin', q{BEGIN; SELECT metrics_refresh.refresh('s.finds') ->> 'success'; ROLLBACK}), 'true', 'it is a transaction of its own');
is(sql(q{SELECT job_name LIKE 'refresh s.finds #%' AND status = 'success' FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1}), 't', 'which a rollback leaves alone');
# What the caller's own transaction has made, a worker cannot see.
sql(q{CREATE FUNCTION s.make() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'CREATE MATERIALIZED VIEW s.new AS SELECT 1 AS one'});
like(as('admin', q{BEGIN; SELECT s.make(); SELECT metrics_refresh.refresh('s.new')}), qr/cannot begin before this transaction has committed/, 'a view that nobody else sees yet');
# A lock of the caller's own is in the run's way, and ends it.
sql(q{CREATE FUNCTION s.lock() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN LOCK TABLE pg_temp.none; EXCEPTION WHEN others THEN
	CREATE INDEX ON s.of_super (seen); END $$});
like(as('admin', q{BEGIN; SELECT s.lock(); SELECT j ->> 'success', j ->> 'sqlstate' FROM metrics_refresh.refresh('s.of_super', 'full') j; ROLLBACK}),
	qr/false\|55P03$/, 'a view that the caller himself has locked');

# With parallel workers, too, the session is the owner's.
sql(q{
	CREATE TABLE s.large AS SELECT generate_series(1, 20000) AS n;
	GRANT SELECT ON s.large TO PUBLIC;
	CREATE FUNCTION s.who(n int) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN
	  RETURN concat_ws('|', session_user, current_user, current_setting('is_superuser')); END $$;
	CREATE FUNCTION s.process(n int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN pg_backend_pid(); END';
	SET ROLE night;
	CREATE MATERIALIZED VIEW s.parallel AS SELECT min(p) <> max(p) AS several, min(w) AS who, max(w) AS other
	  FROM (SELECT s.process(n) AS p, s.who(n) AS w FROM s.large) v WITH NO DATA;
	RESET ROLE;
	SELECT metrics_refresh.schedule('s.parallel', job_name => 'parallel', settings =>
	  '{"parallel_setup_cost": 0, "parallel_tuple_cost": 0, "min_parallel_table_scan_size": 0, "max_parallel_workers_per_gather": 2}')});
is(run_job('parallel', 'status, error_message'), 'success|', 'a parallel query of one who cannot log in');
is(sql('SELECT * FROM s.parallel'), 't|night|night|off|night|night|off', 'in sessions of the owner');

# It waits for a worker no longer than it wants to, and a caller who gives up cancels the run.
create_nap_view($node, 'postgres', 'nap', 864000);
sql(q{SELECT metrics_refresh.schedule('public.nap', job_name => 'nap')});
my $nap = sql(q{SELECT metrics_refresh.trigger('nap')});
wait_for_run($node, 'postgres', 'nap');
like(as('admin', q{SET lock_timeout = '300ms'; SELECT metrics_refresh.refresh('s.of_super')}), qr/no worker was free for the refresh within lock_timeout/, 'lock_timeout');
like(as('admin', q{SET statement_timeout = '300ms'; SELECT metrics_refresh.refresh('s.of_super')}), qr/canceling statement due to statement timeout/, 'statement_timeout');
until_ok($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM metrics_refresh.job WHERE one_time)}, 'what was given up is withdrawn');
is(sql(q{SELECT count(*) FROM metrics_refresh.run_log WHERE status = 'canceled' AND job_name LIKE 'refresh s.of\_super #%'}), '2', 'and logged');
sql("SELECT metrics_refresh.cancel($nap)");
is(ended($nap, 'status'), 'canceled', 'the worker is free again');
like(as('admin', q{SET statement_timeout = '2s'; SELECT metrics_refresh.refresh('public.nap')}), qr/canceling statement due to statement timeout/, 'a caller who gives up');
until_ok($node, 'postgres', q{SELECT status = 'canceled' FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1}, 'has the run canceled');
sql(q{ALTER SYSTEM SET metrics_refresh.enabled = off; SELECT pg_reload_conf()});
until_ok($node, 'postgres', q{SELECT current_setting('metrics_refresh.enabled') = 'off'}, 'no worker shall run');
like(as('admin', q{SELECT metrics_refresh.refresh('s.of_super')}), qr/no worker runs while metrics_refresh.enabled is off/, 'which is said');
sql(q{ALTER SYSTEM RESET metrics_refresh.enabled; SELECT pg_reload_conf()});

# What is handed over waits for no row that another role holds, nor does anybody else's.
sql(q{
	CREATE ROLE mallory LOGIN;
	GRANT CONNECT ON DATABASE postgres TO mallory;
	SET ROLE mallory;
	CREATE MATERIALIZED VIEW s.hers AS SELECT 1 AS one WITH NO DATA;
	SELECT metrics_refresh.schedule_group('hers', '{s.hers}');
	SELECT metrics_refresh.pause('hers')});
my @sessions;

# A session of the role that has done `$done`, if any, and is at `$sent`.
sub session
{
	my ($role, $done, $sent) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', $role ]);
	push @sessions, $session;
	$session->query($done) if $done;
	$session->query_until(qr/is sent/, "\\echo is sent\n$sent;\n") if $sent;
	return $session;
}

sub close_sessions
{
	sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('admin', 'mallory') AND backend_type = 'client backend'});
	eval { $_->{run}->finish } for @sessions;
	@sessions = ();
	return;
}

sub logged { return slurp_file($node->logfile, $_[0]) }
my $log = -s $node->logfile;
my $mallory = session('mallory', q{BEGIN; SELECT metrics_refresh.unschedule('hers')});
session('admin', undef, q{SELECT metrics_refresh.refresh_group('hers')}) for 1 .. 4;
until_ok($node, 'postgres', q{SELECT count(*) = 4 FROM pg_stat_activity WHERE usename = 'admin' AND wait_event_type = 'Extension'}, 'four wait for a group that is held');
is(as('admin', q{SELECT metrics_refresh.refresh('s.of_super') ->> 'success' FROM generate_series(1, 3)}), "true\ntrue\ntrue", 'another refresh does not');
sleep 2;
unlike(logged($log), qr/cannot be written down/, 'the scheduler has waited for nothing');
is(sql(q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'hers' AND initiated_by = 'admin'}), '0', 'what is held has not begun');
$mallory->query('ROLLBACK');
until_ok($node, 'postgres', q{SELECT count(*) >= 4 FROM metrics_refresh.run_log WHERE job_name = 'hers' AND initiated_by = 'admin' AND status = 'success'}, 'once it is not held it runs');
close_sessions();

# A request that somebody withdraws, and does not say whether he means it, while its caller gives up.
$nap = sql(q{SELECT metrics_refresh.trigger('nap')});
wait_for_run($node, 'postgres', 'nap');
$log = -s $node->logfile;
session('admin', q{SET statement_timeout = '4s'}, q{SELECT metrics_refresh.refresh('s.hers')});
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh.run_request}, 'a refresh waits for a worker');
my $hers = sql(q{SELECT run_id FROM metrics_refresh.run_request});
$mallory = session('mallory', "BEGIN; SELECT metrics_refresh.cancel($hers)");
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'admin' AND state = 'active'}, 'its caller gives up');
sleep 2;
unlike(logged($log), qr/cannot be canceled/, 'the scheduler waits for nobody who withdraws it, too');
like(as('admin', q{SET lock_timeout = '300ms'; SELECT metrics_refresh.refresh('s.of_super')}), qr/no worker was free/, 'and serves others meanwhile');
$mallory->query('COMMIT');
is(ended($hers, 'status'), 'canceled', 'it is withdrawn');
until_ok($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM metrics_refresh.job WHERE one_time)}, 'with its job');
close_sessions();

# What one role may hand over.
session('admin', undef, q{SELECT metrics_refresh.refresh('s.of_super')}) for 1 .. 8;
until_ok($node, 'postgres', q{SELECT count(*) = 8 FROM metrics_refresh.run_request}, 'eight callers of one role wait');
like(as('admin', q{SET statement_timeout = '3s'; SELECT metrics_refresh.refresh('s.of_super')}), qr/role "admin" would have more callers that wait for a worker than it may/, 'a ninth is refused');
like(as('claimant', q{SET app.claim = 'admin'; SET lock_timeout = '300ms'; SELECT metrics_refresh.refresh('s.of_super')}), qr/no worker was free/, 'another role\'s is not');
sql(q{ALTER SYSTEM SET metrics_refresh.max_requests_per_role = 8; SELECT pg_reload_conf()});
until_ok($node, 'postgres', q{SELECT current_setting('metrics_refresh.max_requests_per_role') = '8'}, 'a limit of requests');
like(as('admin', q{SET statement_timeout = '3s'; SELECT metrics_refresh.refresh('s.of_super')}), qr/would have more runs asked for than it may/, 'counts them as well');
sql(q{ALTER SYSTEM RESET metrics_refresh.max_requests_per_role; SELECT pg_reload_conf()});
close_sessions();
sql("SELECT metrics_refresh.cancel($nap)");
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh.run_request}, 'those who are gone want nothing');

# A database that nobody serves.
sql('CREATE DATABASE unserved');
$node->safe_psql('unserved', q{CREATE EXTENSION metrics_refresh; CREATE MATERIALIZED VIEW public.mv AS SELECT 1 AS one});
my (undef, undef, $unserved) = $node->psql('unserved', q{SELECT metrics_refresh.refresh('public.mv')},
	extra_params => [ '-U', 'admin', '-v', 'VERBOSITY=verbose' ]);
like($unserved, qr/55000: .*no scheduler serves this database.*HINT:  Raise metrics_refresh.max_databases/s, 'a database that is not served');
sql('DROP DATABASE unserved');

# Without a scheduler: the launcher starts one.
sql(q{SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job});
$node->append_conf('postgresql.conf', "metrics_refresh.scheduler_idle_timeout = '1s'");
$node->reload;
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'}, 'there is no scheduler');
is(as('admin', q{SELECT metrics_refresh.refresh('s.of_super') ->> 'success'}), 'true', 'a refresh starts one');
is(as('admin', q{SELECT metrics_refresh.refresh_group('of super') IS NOT NULL}), 't', 'a group that is paused is refreshed all the same');

# What a language keeps for the session, one owner leaves to no other.
SKIP:
{
	skip 'PL/Perl is not installed', 1 unless sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'plperlu'});
	sql(q{
		CREATE EXTENSION plperlu;
		CREATE SCHEMA kept;
		CREATE FUNCTION kept.who_before() RETURNS text LANGUAGE plperlu AS $$
		  my $before = $_SHARED{who} // 'nobody';
		  $_SHARED{who} = spi_exec_query('SELECT current_user AS u')->{rows}[0]{u};
		  return $before; $$;
		CREATE ROLE left_one; CREATE ROLE right_one;
		CREATE MATERIALIZED VIEW kept.left_one AS SELECT kept.who_before() AS who WITH NO DATA;
		CREATE MATERIALIZED VIEW kept.right_one AS SELECT kept.who_before() AS who WITH NO DATA;
		GRANT USAGE, CREATE ON SCHEMA kept TO left_one, right_one;
		ALTER MATERIALIZED VIEW kept.left_one OWNER TO left_one;
		ALTER MATERIALIZED VIEW kept.right_one OWNER TO right_one;
		SELECT metrics_refresh.schedule(('kept.' || v)::regclass, job_name => v, strategy => 'full') FROM unnest('{left_one,right_one}'::text[]) v});
	my @before;
	for my $view ('left_one', 'right_one', 'left_one', 'right_one')
	{
		run_job($view, 'status');
		push @before, sql("SELECT who FROM kept.$view");
	}
	like("@before", qr/^nobody nobody (nobody|left_one) (nobody|right_one)$/, 'the globals of a language are of one owner');
}

# Settings of a library that is not loaded are no superuser's, whoever's the view is.
is(as('admin', q{SELECT metrics_refresh.schedule('s.of_super', job_name => 'set', settings => '{"auto_explain.log_min_duration": "0", "app.tenant": "7"}') > 0}), 't',
	'settings that nobody knows');
sql(q{
	CREATE FUNCTION s.load() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	  LOAD 'auto_explain'; RETURN current_setting('auto_explain.log_min_duration') || ' ' || current_setting('app.tenant'); END $$;
	CREATE OR REPLACE FUNCTION s.see(at text) RETURNS text LANGUAGE sql AS 'SELECT s.load()'});
is(run_job('set', 'status, error_message'), 'success|', 'a library is loaded in the run');
is(sql('SELECT * FROM s.of_super'), '-1 7', 'a setting that is a superuser\'s is not set, another is');
for my $setting (qw(exit_on_error debug_print_plan Exit_On_Error restrict_nonsystem_relation_kind))
{
	like(as('postgres', qq{SELECT metrics_refresh.schedule('s.of_super', job_name => 'set', settings => '{"$setting": "on"}')}),
		qr/$setting is not among a job's settings/, "a job has no $setting");
}
sql(q{UPDATE metrics_refresh_internal.job SET settings = '{"exit_on_error": "on"}' WHERE job_name = 'set'});
is(run_job('set', 'status, error_message'), q{error|exit_on_error is not among a job's settings}, 'nor one that was written past the check');

done_testing();
