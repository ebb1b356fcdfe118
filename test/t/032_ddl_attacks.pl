# What somebody does who means harm to the engine: our DDL is made to run his code or to take what is
# not his, views of others are set up, locks are left behind, definitions have no end. Each role may
# log in and has a schema of its own, and nothing else.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'attacked',
	allow_in_place_tablespaces => 'on',
	autovacuum => 'off',
	'metrics_refresh.max_tracked_tables_per_role' => 20,
	'metrics_refresh.log_skips' => 'off');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]); }

# What a role's session answers, with its errors.
sub as
{
	my ($role, $sql) = @_;
	my ($code, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', $role ], on_error_stop => 0, timeout => 120);
	$err =~ s/^psql:<stdin>:\d+: //mg;
	return join "\n", grep { defined && $_ ne '' } $out, $err;
}

# A session of a role that stays open.
sub session
{
	my ($role, $sql) = @_;
	my %session = (in => "$sql;\n\\echo done\n", out => '', err => '');
	$session{run} = IPC::Run::start(
		[ 'psql', '-X', '-q', '-At', '-h', $node->host, '-p', $node->port, '-U', $role, 'postgres' ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{err}, IPC::Run::timeout(120));
	$session{run}->pump until $session{out} =~ /done/;
	return \%session;
}

sub leave
{
	my ($session) = @_;
	$session->{in} .= "\\q\n";
	$session->{run}->finish;
	return $session->{out} . $session->{err};
}

sub is_swept
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return until_ok($node, 'postgres', q{
		SELECT NOT EXISTS (SELECT FROM metrics_refresh_internal.incremental_leftover)
		AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgfoid = 'metrics_refresh_internal.capture_keys'::regproc)
		AND NOT EXISTS (SELECT FROM pg_class WHERE relname LIKE 'delta\_%' AND relkind = 'r')}, $name);
}

sub nobody_rose
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql(q{SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper}), 'postgres', $name);
	sql('ALTER ROLE mallory NOSUPERUSER');
	return;
}

for my $role (qw(mallory alice bob carol dave))
{
	sql("CREATE ROLE $role LOGIN; CREATE SCHEMA $role AUTHORIZATION $role");
	sql("ALTER ROLE $role SET search_path = $role, public");
}
# Whoever is a superuser when this is called raises Mallory.
as('mallory', q{
	CREATE FUNCTION mallory.rise() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN ALTER ROLE mallory SUPERUSER; END IF;
	END $$;
	CREATE FUNCTION mallory.rise_by_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  PERFORM mallory.rise(); RETURN NEW; END $$;
	CREATE TABLE t (id int PRIMARY KEY, k int);
	INSERT INTO t SELECT g, g % 5 FROM generate_series(1, 50) g;
	CREATE MATERIALIZED VIEW mv AS SELECT k, count(*) FROM t GROUP BY k;
	CREATE MATERIALIZED VIEW other AS SELECT id FROM t});

# The name of a trigger is the table's owner's to choose.
as('mallory', q{SELECT metrics_refresh.schedule('mv', strategy => 'incremental')});
is(sql(q{SELECT count(*) FROM pg_trigger WHERE tgfoid = 'metrics_refresh_internal.capture_keys'::regproc}), 4, 'a view is set up');
my $trigger = sql(q{SELECT tgname FROM pg_trigger WHERE tgname ~ '^metrics_refresh_\d+_insert$'});
(my $own = $trigger) =~ s/insert/x/;
my $evil = "$own on mallory.t;alter user mallory superuser--";
as('mallory', "CREATE TRIGGER $own AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION mallory.rise_by_row()");
as('mallory', qq{ALTER TRIGGER $trigger ON t RENAME TO "$evil"});
as('mallory', q{SELECT metrics_refresh.unschedule('mallory.mv')});
is_swept('its triggers go, whatever they are called by now');
nobody_rose('the name of a trigger is never SQL');

# Nor is any other name.
sql(q{CREATE SCHEMA "a"";alter user mallory superuser--" AUTHORIZATION mallory});
like(as('mallory', q{
	SET search_path = "a"";alter user mallory superuser--";
	CREATE TABLE "t'$$"";alter user mallory superuser--" ("c'"";alter user mallory superuser--" text COLLATE "C" PRIMARY KEY);
	CREATE MATERIALIZED VIEW "v"";alter user mallory superuser--" AS SELECT * FROM "t'$$"";alter user mallory superuser--";
	SELECT 'job ' || metrics_refresh.schedule('"v"";alter user mallory superuser--"', job_name => 'odd', strategy => 'incremental');
	SET quote_all_identifiers = on;
	SELECT metrics_refresh.refresh('"v"";alter user mallory superuser--"') ->> 'success';
	INSERT INTO "t'$$"";alter user mallory superuser--" VALUES ('x');
	SELECT metrics_refresh.refresh('"v"";alter user mallory superuser--"') ->> 'strategy';
	SELECT metrics_refresh.unschedule('odd')}), qr/^job \d+\ntrue\nincremental\nt$/, 'odd names do');
is_swept('and go');
nobody_rose('no name is ever SQL');

# Settings of his, and default privileges of others.
sql(q{CREATE TABLESPACE closed LOCATION ''; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC});
like(as('mallory', q{
	SET default_tablespace = closed; SET default_toast_compression = pglz; SET quote_all_identifiers = on;
	SET search_path = pg_temp, mallory;
	SELECT 'job ' || metrics_refresh.schedule('mallory.mv', strategy => 'incremental')}), qr/^job/, 'set up with settings of his own');
is(sql(q{SELECT count(*) || ' ' || sum(reltablespace::int) || ' ' || count(relacl) || ' ' || min(relnamespace::regnamespace::text) || min(relpersistence::text)
	FROM pg_class WHERE relname LIKE 'delta\_%' AND relkind = 'r'}), '1 0 0 metrics_refresh_internalu',
	'a delta table is where the database is, and for nobody');
sql(q{ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC});

# An administrator's event triggers write to a table that they do not qualify, and he has one of that
# name in pg_temp: at a set-up, one anew by a run or a call, at its end, and when the view is dropped.
sql(q{
	CREATE TABLE ddl_log (at timestamptz DEFAULT now(), event text);
	GRANT INSERT ON ddl_log TO PUBLIC;
	CREATE FUNCTION note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ddl_log (event) VALUES (tg_event || ' ' || tg_tag); END $$;
	CREATE EVENT TRIGGER a ON ddl_command_start EXECUTE FUNCTION note_ddl();
	CREATE EVENT TRIGGER b ON ddl_command_end EXECUTE FUNCTION note_ddl();
	CREATE EVENT TRIGGER c ON sql_drop EXECUTE FUNCTION note_ddl();
	CREATE EVENT TRIGGER d ON table_rewrite EXECUTE FUNCTION note_ddl()});
my $temp = q{CREATE TEMP TABLE ddl_log (at timestamptz, event text);
	CREATE TRIGGER rise BEFORE INSERT ON pg_temp.ddl_log FOR EACH ROW EXECUTE FUNCTION mallory.rise_by_row();
	SET search_path = pg_temp, mallory;};
my $drop_one = q{DO $$ BEGIN EXECUTE (SELECT format('DROP TRIGGER %I ON mallory.t', min(tgname)) FROM pg_trigger WHERE tgrelid = 'mallory.t'::regclass AND tgname ~ '^metrics_refresh_'); END $$;};
as('mallory', "$temp $drop_one SELECT metrics_refresh.alter_job('mallory.mv', strategy => 'incremental')");
nobody_rose('an event trigger does not meet what is set up anew');
as('mallory', "$temp SELECT metrics_refresh.schedule('mallory.other', strategy => 'incremental')");
nobody_rose('nor what is set up');
as('mallory', "$temp SELECT metrics_refresh.unschedule('mallory.other'); SELECT metrics_refresh.alter_job('mallory.mv', strategy => 'auto')");
nobody_rose('nor what is removed');
as('mallory', "$temp SELECT metrics_refresh.alter_job('mallory.mv', strategy => 'incremental'); DROP MATERIALIZED VIEW mallory.mv");
nobody_rose('nor what goes with the view');
is(sql(q{SELECT string_agg(DISTINCT event, ', ') FROM ddl_log WHERE event ~ 'COMMENT|REVOKE|ALTER TABLE'}), '', 'and sees none of it');
is_swept('it is gone all the same');
sql('DROP EVENT TRIGGER a; DROP EVENT TRIGGER b; DROP EVENT TRIGGER c; DROP EVENT TRIGGER d');

# ANALYZE runs with the rights of a table's owner, and a range type has a function of its maker's.
like(as('mallory', q{
	CREATE FUNCTION mallory.diff(bigint, bigint) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.rise(); RETURN $1 - $2; END $$;
	CREATE TYPE span AS RANGE (subtype = bigint, subtype_diff = mallory.diff);
	CREATE TABLE spans (s span);
	CREATE MATERIALIZED VIEW spanned AS SELECT s, count(*) FROM spans GROUP BY s;
	SELECT 'job ' || metrics_refresh.schedule('spanned', strategy => 'incremental');
	INSERT INTO spans SELECT span(g, 2 * g) FROM generate_series(1, 100) g}), qr/job/, 'a range type is captured');
sql('ANALYZE');
nobody_rose('and no function of its type is run as the owner of what was captured');
as('mallory', q{DROP MATERIALIZED VIEW spanned; SELECT metrics_refresh.unschedule('mallory.spanned')});
is_swept('and nothing is left of it');

# Triggers are made in the name of the job's owner and of the view's, and both have to have the right.
sql(q{
	CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO alice, bob, carol, dave;
	CREATE TABLE shared.t (id int PRIMARY KEY, k int); INSERT INTO shared.t VALUES (1, 1);
	GRANT SELECT, TRIGGER ON shared.t TO alice, dave; GRANT SELECT ON shared.t TO bob, carol; GRANT carol TO dave});
as('alice', q{CREATE MATERIALIZED VIEW shared.hers AS SELECT id FROM shared.t});
like(as('alice', q{SELECT 'job ' || metrics_refresh.schedule_group('g', schema_name => 'shared', strategy => 'incremental', populate => false)}), qr/job/, 'a group over a shared schema');
sql('GRANT TRIGGER ON shared.t TO bob');
as('bob', q{CREATE MATERIALIZED VIEW shared.his AS SELECT k, count(*) FROM shared.t GROUP BY k});
my $run = as('alice', q{SELECT metrics_refresh.trigger('g')});
sql("SELECT metrics_refresh.wait($run, '60 s')");
is(sql(q{SELECT string_agg(view_name, ' ') FROM metrics_refresh.incremental_view}), 'hers', 'does not set up what somebody else put there');
is(as('alice', q{SELECT metrics_refresh.alter_job('g', strategy => 'incremental')}), '', 'nor does a change of the group');
is(sql(q{SELECT string_agg(view_name, ' ') FROM metrics_refresh.incremental_view}), 'hers', 'as little');
as('alice', q{SELECT metrics_refresh.unschedule('g')});
as('bob', 'DROP MATERIALIZED VIEW shared.his');
is_swept('the end of the group');
as('carol', q{CREATE MATERIALIZED VIEW shared.carols AS SELECT id FROM shared.t});
like(as('dave', q{SELECT metrics_refresh.schedule('shared.carols', strategy => 'incremental')}),
	qr/permission denied for table shared\.t.*the role carol lacks the privilege TRIGGER/s, 'the right of the job\'s owner is not the view\'s owner\'s');
sql('GRANT TRIGGER ON shared.t TO carol');
like(as('dave', q{SELECT 'job ' || metrics_refresh.schedule('shared.carols', strategy => 'incremental', active => true)}), qr/job/, 'with both it is');
sql('REVOKE TRIGGER ON shared.t FROM carol');
sql(q{DO $$ BEGIN EXECUTE (SELECT format('DROP TRIGGER %I ON shared.t', min(tgname)) FROM pg_trigger WHERE tgrelid = 'shared.t'::regclass AND tgname ~ '^metrics_refresh_'); END $$});
my $triggers = q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'shared.t'::regclass};
my $before = sql($triggers);
$run = as('dave', q{SELECT metrics_refresh.trigger('shared.carols')});
is(sql("SELECT metrics_refresh.wait($run, '60 s')"), 'success', 'a run goes on without');
is(sql($triggers), $before, 'and makes no trigger anew');
like(sql(q{SELECT strategy_reason FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 1}), qr/permission denied.*carol lacks/, 'which the log says');

# TRIGGER on a table is no right to lock it exclusively for as long as one likes.
my $locks = q{SELECT coalesce(string_agg(DISTINCT mode, ' '), 'none') FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('shared.t'::regclass, 'shared.hers'::regclass, 'shared.carols'::regclass)};
sql('GRANT TRIGGER ON shared.t TO carol');
is(as('dave', "BEGIN; SELECT metrics_refresh.unschedule('shared.carols'); $locks; COMMIT"), "t\nnone", 'to unschedule locks nothing');
is_swept('what it leaves is taken away');
as('alice', q{SELECT metrics_refresh.schedule('shared.hers', strategy => 'incremental')});
is(as('alice', "BEGIN; DROP MATERIALIZED VIEW shared.hers; SELECT coalesce(string_agg(mode, ' '), 'none') FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'shared.t'::regclass; COMMIT"), 'none',
	'nor does to drop the view lock the table');
is_swept('of which the triggers go as well');
# A table that is in use keeps them for a while, and delays nobody meanwhile.
as('alice', q{CREATE MATERIALIZED VIEW shared.hers AS SELECT id FROM shared.t; SELECT metrics_refresh.schedule('shared.hers', strategy => 'incremental')});
my $reader = session('bob', 'BEGIN; SELECT count(*) FROM shared.t');
as('alice', q{SELECT metrics_refresh.unschedule('shared.hers')});
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM metrics_refresh.incremental_view}, 'a reader holds the table');
is(as('mallory', q{SELECT 'job ' || (metrics_refresh.schedule('other', '@yearly') > 0)}), 'job true', 'jobs go on');
leave($reader);
is_swept('and at last they go');

# Who has changed an incremental view in an open transaction keeps nobody waiting.
as('mallory', q{CREATE MATERIALIZED VIEW gone AS SELECT id FROM t; SELECT metrics_refresh.schedule('gone', strategy => 'incremental');
	CREATE MATERIALIZED VIEW left_over AS SELECT id FROM t; SELECT metrics_refresh.schedule('left_over', strategy => 'incremental')});
my $open = session('mallory', q{BEGIN; DROP MATERIALIZED VIEW mallory.gone; SELECT metrics_refresh.unschedule('mallory.left_over'); SELECT metrics_refresh.schedule('mallory.other', strategy => 'incremental')});
like(as('alice', q{SET lock_timeout = '5 s'; SELECT 'job ' || metrics_refresh.schedule('shared.hers', strategy => 'incremental'); SELECT metrics_refresh.unschedule('shared.hers')}), qr/^job \d+\nt$/,
	'others schedule and unschedule meanwhile');
leave($open);
as('mallory', q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job});
as('mallory', q{DROP MATERIALIZED VIEW gone, left_over});
is_swept('nothing is left');

# Looking shows strangers nothing and leaves no lock.
as('mallory', 'CREATE VIEW plain AS SELECT * FROM t; CREATE MATERIALIZED VIEW looked_at AS SELECT k, count(*) FROM plain GROUP BY k');
like(as('alice', q{SELECT * FROM metrics_refresh.explain_refresh('mallory.looked_at')}), qr/must be owner of materialized view looked_at|permission denied for schema mallory/, 'a stranger is refused');
my $oid = sql(q{SELECT 'mallory.looked_at'::regclass::oid});
is(as('alice', "BEGIN; SAVEPOINT s; SELECT * FROM metrics_refresh.explain_refresh($oid); ROLLBACK TO s; SELECT count(*) >= 0 FROM metrics_refresh.view_status(); SELECT count(*) > 0 FROM metrics_refresh.health_check();
	SELECT coalesce(string_agg(DISTINCT relation::regclass::text, ' '), 'none') FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text ~ 'mallory|metrics_refresh'") =~ s/ERROR.*//sr,
	"t\nt\nnone\n", 'and holds no lock');
is(as('mallory', "BEGIN; SELECT strategy FROM metrics_refresh.explain_refresh('looked_at'); SELECT count(*) > 0 FROM metrics_refresh.view_status();
	SELECT coalesce(string_agg(DISTINCT relation::regclass::text, ' '), 'none') FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text ~ '^(t|plain|looked_at|mallory|metrics_refresh)'"),
	"diff\nt\nnone", 'nor does the owner');
$open = session('mallory', 'BEGIN; LOCK TABLE mallory.t');
like(as('mallory', q{SELECT change_state FROM metrics_refresh.explain_refresh('looked_at')}), qr/canceling statement due to lock timeout/, 'nor waits one for long');
leave($open);

# Looking has nothing counted; a role's views have a share of what is.
like(as('mallory', q{
	CREATE TABLE parts (k int) PARTITION BY LIST (k);
	SELECT format('CREATE TABLE parts_%s PARTITION OF parts FOR VALUES IN (%s)', g, g) FROM generate_series(1, 30) g \gexec
	CREATE MATERIALIZED VIEW wide AS SELECT k FROM parts;
	SELECT change_state FROM metrics_refresh.explain_refresh('wide');
	SELECT metrics_refresh.refresh('wide') ->> 'success'}), qr/max_tracked_tables_per_role.*\ntrue/, 'more than the share is not counted');
is(as('mallory', q{CREATE TABLE narrow (k int);
	CREATE MATERIALIZED VIEW few AS SELECT k FROM narrow;
	SELECT change_state FROM metrics_refresh.explain_refresh('few');
	SELECT change_state FROM metrics_refresh.explain_refresh('few');
	SELECT metrics_refresh.refresh('few') ->> 'strategy';
	SELECT metrics_refresh.refresh('few') ->> 'strategy'}),
	"changes of its tables are not counted yet: a refresh begins to\n" x 2 . "diff\nskip", 'less is, from the first refresh on');

# Definitions without an end are seen to be so at once.
like(as('mallory', q{
	SET statement_timeout = '60 s';
	SELECT 'CREATE MATERIALIZED VIEW many AS SELECT t1.id FROM ' || string_agg('t t' || g, ', ') || ' WHERE ' || string_agg(format('t%s.id = t%s.id', g, g % 300 + 1), ' AND ') || ' WITH NO DATA' FROM generate_series(1, 300) g \gexec
	SELECT incremental FROM metrics_refresh.explain_refresh('many')}), qr/^not possible: it joins more than 100 tables$/, '300 tables');
like(as('mallory', q{
	SET statement_timeout = '60 s';
	CREATE VIEW v0 AS SELECT id, k::text AS c FROM t;
	SELECT format('CREATE VIEW v%s AS SELECT a.id, a.c || b.c AS c FROM v%s a JOIN v%s b USING (id)', g, g - 1, g - 1) FROM generate_series(1, 40) g \gexec
	CREATE MATERIALIZED VIEW many_views AS SELECT * FROM v40 WITH NO DATA;
	SELECT incremental, change_state FROM metrics_refresh.explain_refresh('many_views');
	SELECT metrics_refresh.refresh('many_views') ->> 'sqlstate'}), qr/^not possible: it reads more than 1000 relations.*\|it reads more than 1000 relations.*\n54001$/, 'plain views that read others twice');
like(as('mallory', q{
	SET statement_timeout = '60 s';
	CREATE VIEW w0 AS SELECT id, k::text AS c FROM t;
	SELECT format('CREATE VIEW w%s AS SELECT id, c || c AS c FROM w%s', g, g - 1) FROM generate_series(1, 40) g \gexec
	CREATE MATERIALIZED VIEW long AS SELECT * FROM w40 WITH NO DATA;
	SELECT strategy, incremental FROM metrics_refresh.explain_refresh('long');
	SELECT metrics_refresh.refresh('long') ->> 'sqlstate'}), qr/^error\|not possible: it has expressions of more than 100000 parts.*\n54001$/, 'an expression that doubles');
like(as('mallory', q{
	CREATE VIEW d0 AS SELECT id FROM t;
	SELECT format('CREATE VIEW d%s AS SELECT id FROM d%s', g, g - 1) FROM generate_series(1, 60) g \gexec
	CREATE MATERIALIZED VIEW deep AS SELECT id FROM d60 WITH NO DATA;
	SELECT incremental FROM metrics_refresh.explain_refresh('deep');
	SELECT metrics_refresh.refresh('deep') ->> 'success'}), qr/^not possible: it reads more than 50 plain views above each other\n/, 'views above views');
like(as('mallory', q{
	CREATE VIEW c1 AS SELECT 1 AS x; CREATE VIEW c2 AS SELECT x FROM c1; CREATE OR REPLACE VIEW c1 AS SELECT x FROM c2;
	CREATE MATERIALIZED VIEW circle AS SELECT x FROM c2 WITH NO DATA;
	SELECT incremental FROM metrics_refresh.explain_refresh('circle');
	SELECT metrics_refresh.refresh('circle') ->> 'message'}), qr/^not possible: plain views that it reads read each other in a circle\ninfinite recursion detected/, 'a circle');
like(as('mallory', q{
	SET statement_timeout = '60 s';
	SELECT 'CREATE MATERIALIZED VIEW withs AS WITH a0 AS NOT MATERIALIZED (SELECT id FROM t), '
		|| string_agg(format('a%s AS NOT MATERIALIZED (SELECT x.id FROM a%s x, a%s y)', g, g - 1, g - 1), ', ') || ' SELECT id FROM a40 WITH NO DATA' FROM generate_series(1, 40) g \gexec
	SELECT incremental FROM metrics_refresh.explain_refresh('withs');
	SELECT metrics_refresh.refresh('withs') ->> 'sqlstate'}), qr/^not possible: it reads more than 1000 relations.*\n54001$/, 'WITH queries that read others twice');

# The target schema is somebody's who was there before, with what the scripts might take for the
# server's: never, at CREATE EXTENSION or later.
sql('CREATE DATABASE trapped');
sub trapped { return $node->safe_psql('trapped', $_[0]); }
trapped('CREATE SCHEMA s AUTHORIZATION mallory; CREATE TABLE public.sprung (what text); GRANT INSERT ON public.sprung TO PUBLIC');
my $traps = 'SET SESSION AUTHORIZATION mallory; SET search_path = pg_catalog, pg_temp; ';
for my $types (map { my $left = $_; map { [ $left, $_ ] } qw(numeric integer bigint text name oid interval timestamptz uuid regclass jsonb "char" anyelement float8) }
	qw(numeric integer bigint text name oid interval timestamptz uuid regclass jsonb "char" anyelement float8))
{
	my ($left, $right) = @$types;
	$traps .= "CREATE FUNCTION s.trap($left, $right) RETURNS boolean LANGUAGE sql AS 'INSERT INTO public.sprung VALUES (''$left $right''); SELECT true';";
	$traps .= "CREATE OPERATOR s.$_ (LEFTARG = $left, RIGHTARG = $right, FUNCTION = s.trap);" for qw(= <> < > <= >= ||);
}
$traps .= "CREATE FUNCTION s.$_->[0]($_->[1]) RETURNS $_->[2] LANGUAGE sql AS 'INSERT INTO public.sprung VALUES (''$_->[0]''); SELECT NULL::$_->[2]';"
  for ([ 'clock_timestamp', '', 'timestamptz' ], [ 'now', '', 'timestamptz' ], [ 'nextval', 'text', 'bigint' ], [ 'cardinality', 'text[]', 'integer' ],
	[ 'num_nonnulls', 'name, name', 'integer' ], [ 'isfinite', 'timestamptz', 'boolean' ], [ 'current_setting', 'text', 'text' ], [ 'hashtext', 'text', 'integer' ], [ 'is_super_admin', '', 'boolean' ]);
trapped($traps);
# Nor do default privileges give away what the scripts make.
trapped("ALTER DEFAULT PRIVILEGES GRANT ALL ON $_ TO mallory, PUBLIC") for qw(SCHEMAS TABLES SEQUENCES);
trapped('ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO mallory; ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO mallory');
trapped('CREATE EXTENSION metrics_refresh SCHEMA s; CREATE EXTENSION metrics_refresh_cron');
is(trapped(q{
	SELECT string_agg(what, ', ' ORDER BY what) FROM (
		SELECT nspname::text AS what FROM pg_namespace WHERE nspname ~ '^(metrics_refresh|cron)'
			AND has_schema_privilege('mallory', oid, CASE nspname WHEN 'metrics_refresh' THEN 'CREATE' ELSE 'USAGE, CREATE' END)
		UNION ALL SELECT oid::regclass::text FROM pg_class WHERE relname <> 'job_run_details'
			AND relnamespace::regnamespace::text ~ '^(metrics_refresh|cron)'
			AND CASE WHEN relkind IN ('r', 'v') THEN has_table_privilege('mallory', oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') END
		UNION ALL SELECT oid::regclass::text FROM pg_class WHERE relnamespace::regnamespace::text ~ '^metrics_refresh'
			AND CASE relkind WHEN 'S' THEN has_sequence_privilege('mallory', oid, 'USAGE, SELECT, UPDATE') END
		UNION ALL SELECT oid::regtype::text FROM pg_type WHERE typtype = 'd' AND typnamespace = 'metrics_refresh_internal'::regnamespace
			AND has_type_privilege('mallory', oid, 'USAGE')
		-- The reader of background_jobs calls queue_claims(), whose schema nobody may use.
		UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE (pronamespace = 'metrics_refresh_internal'::regnamespace AND proname <> 'queue_claims'
			OR proname IN ('schedule_command', 'delete_run', 'write_job')) AND has_function_privilege('mallory', oid, 'EXECUTE')) has}),
	'', 'default privileges give nothing of it away');
trapped(q{SET search_path = s, public, metrics_refresh, cron;
	CREATE MATERIALIZED VIEW public.v AS SELECT 1 AS one;
	SELECT metrics_refresh.schedule('public.v', '@hourly', settings => '{"work_mem": "8MB"}', blackout => '{22:00-06:00}', starts_at => '2030-01-01', ends_at => '2040-01-01');
	SELECT cron.schedule('x', '@hourly', 'SELECT 1'); SELECT cron.schedule('@hourly', 'SELECT 2');
	SELECT count(*) FROM metrics_refresh.job_status; SELECT count(*) FROM cron.job; SELECT count(*) FROM cron.job_run_details;
	SELECT count(*) FROM metrics_refresh.view_dependencies; SELECT count(*) FROM metrics_refresh.running;
	SELECT metrics_refresh.refresh('public.v'); SELECT count(*) FROM s.metrics_refresh_log; SELECT count(*) FROM metrics_refresh.health_check()});
is(trapped('SELECT string_agg(DISTINCT what, $$, $$) FROM public.sprung'), '', 'no trap in the target schema is ever sprung');
nobody_rose('at last');
done_testing();
