# Attacks by roles that have a LOGIN and a schema of their own, and no more, on whatever they could gain:
# a superuser's rights, another owner's rights, what others have stored. Each subtest is an attack with
# its relatives, from the attacker's side, and says what must come of it: refused, or harmless.
# 038_attacks_on_service.pl has those that keep others from running.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Attack;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_attacked_node();
sub sql { return $node->safe_psql('postgres', $_[0]) }

# What is called with rights that the caller has not says so, and takes them.
sql(q{
	CREATE FUNCTION public.take_rights() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
	  ALTER ROLE mallory SUPERUSER; ALTER ROLE admin SUPERUSER; RETURN true;
	EXCEPTION WHEN OTHERS THEN RETURN true; END $$});

# First, while no worker has loaded the language.
subtest 'settings that only superusers may set' => sub {
	as('mallory', q{
		CREATE FUNCTION mallory.setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN current_setting($1, true); END $$;
		CREATE MATERIALIZED VIEW mallory.settings AS SELECT mallory.setting('plpgsql.variable_conflict') AS conflict, mallory.setting('session_replication_role') AS role WITH NO DATA});
	for my $settings ('{"plpgsql.variable_conflict": "use_column"}', '{"PLPGSQL.Variable_Conflict": "use_column"}', '{"session_replication_role": "replica"}', '{"SESSION_replication_ROLE": "replica"}')
	{
		# In a session in which the language has not been loaded yet.
		try_as('mallory', "SELECT metrics_refresh.schedule('mallory.settings', NULL, 'settings', strategy => 'full', settings => '$settings')");
		run_job('mallory', 'settings');
		my $populated = sql(q{SELECT relispopulated FROM pg_class WHERE oid = 'mallory.settings'::regclass}) eq 't';
		is($populated ? sql('SELECT * FROM mallory.settings') : 'error|origin', 'error|origin', "$settings is not in force");
		my $said = (try_as('mallory', q{SELECT status, sqlstate FROM metrics_refresh.run_log WHERE job_name = 'settings' ORDER BY run_id DESC LIMIT 1}))[0];
		unlike($said, qr/XX000/, 'and nothing breaks');
	}
	# A superuser's job waits for a view of this name, and whoever makes it may alter the job.
	sql(q{CREATE MATERIALIZED VIEW shared.awaited AS SELECT 1 AS one; SELECT metrics_refresh.schedule('shared.awaited', NULL, 'awaited', strategy => 'full'); DROP MATERIALIZED VIEW shared.awaited});
	as('mallory', q{CREATE MATERIALIZED VIEW shared.awaited AS SELECT mallory.setting('plpgsql.variable_conflict') AS conflict WITH NO DATA});
	try_as('mallory', q{SELECT metrics_refresh.alter_job('awaited', settings => '{"plpgsql.variable_conflict": "use_column"}')});
	sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker'});
	run_job('mallory', 'awaited');
	run_job('postgres', 'awaited');
	is(sql(q{SELECT relispopulated FROM pg_class WHERE oid = 'shared.awaited'::regclass}) eq 't' ? sql('SELECT * FROM shared.awaited') : 'error', 'error', 'nor is one in force through the job of a superuser');
	sql(q{SELECT metrics_refresh.unschedule('awaited'); DROP MATERIALIZED VIEW shared.awaited});
	for my $settings ('{"exit_on_error": true}', '{"Exit_On_Error": "on"}', '{"role": "postgres"}', '{"is_superuser": "on"}', '{"metrics_refresh.admin_role": "mallory"}', '{"metrics_refresh.admin_check": "mallory.yes"}', '{"log_statement": "none"}', '{"default_transaction_read_only": true}', '{"statement_timeout": 1}', '{"transaction_read_only": "on"}')
	{
		my (undef, $err) = try_as('mallory', "SELECT metrics_refresh.schedule('mallory.settings', NULL, 'settings', settings => '$settings')");
		like($err, qr/ERROR:  (22023|42501|42704|55P02|0A000)/, "$settings is refused");
	}
};

subtest 'names that are SQL: of a trigger of ours, a table, a column, a type, a schema, a job' => sub {
	as('mallory', q{
		CREATE TABLE mallory.t (id int PRIMARY KEY, v text); INSERT INTO mallory.t VALUES (1, 'a');
		CREATE MATERIALIZED VIEW mallory.mv AS SELECT id, v FROM mallory.t; CREATE UNIQUE INDEX ON mallory.mv (id);
		SELECT metrics_refresh.schedule('mallory.mv', NULL, 'renamed', strategy => 'incremental')});
	my $trigger = sql(q{SELECT tgname FROM pg_trigger WHERE tgrelid = 'mallory.t'::regclass AND NOT tgisinternal ORDER BY 1 LIMIT 1});
	isnt($trigger, '', 'there is a trigger of ours');
	# With a trigger of his own of which it reads as the name.
	my $ours = $trigger =~ s/[^_]*$//r;
	as('mallory', qq{
		ALTER TRIGGER "$trigger" ON mallory.t RENAME TO "${ours}x on mallory.t;alter user mallory superuser--";
		CREATE FUNCTION mallory.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER "${ours}x" AFTER INSERT ON mallory.t FOR EACH ROW EXECUTE FUNCTION mallory.nothing()});
	try_as('mallory', q{SELECT metrics_refresh.unschedule('renamed')});
	is_no_superuser('mallory', 'a trigger that was renamed is removed by what it is');
	is(sql(q{SELECT string_agg(p.proname, ',') FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid WHERE tgrelid = 'mallory.t'::regclass AND NOT tgisinternal}),
		'nothing', 'and is gone, and his own is not');

	for my $name ('t";alter user mallory superuser--', "t';alter user mallory superuser--", 't);alter user mallory superuser--', 'k1 int);alter user mallory superuser--')
	{
		my $quoted = $name =~ s/"/""/gr;
		my $literal = "mallory.\"$quoted mv\"" =~ s/'/''/gr;
		try_as('mallory', qq{
			CREATE DOMAIN mallory."$quoted domain" AS text;
			CREATE TABLE mallory."$quoted" ("$quoted" int PRIMARY KEY, "a$quoted" mallory."$quoted domain" COLLATE "C");
			CREATE MATERIALIZED VIEW mallory."$quoted mv" AS SELECT "$quoted", "a$quoted" FROM mallory."$quoted";
			CREATE UNIQUE INDEX ON mallory."$quoted mv" ("$quoted");
			SELECT metrics_refresh.schedule('$literal', NULL, 'named', strategy => 'incremental');
			INSERT INTO mallory."$quoted" VALUES (1, 'x');
			SELECT metrics_refresh.refresh('$literal');
			ALTER TABLE mallory."$quoted" RENAME TO "$quoted x"; ALTER TABLE mallory."$quoted x" RENAME "a$quoted" TO "b$quoted";
			SELECT metrics_refresh.refresh('$literal');
			SELECT metrics_refresh.unschedule('named');
			DROP MATERIALIZED VIEW mallory."$quoted mv"}, goes_on => 1);
		is_no_superuser('mallory', "a table, a column and a domain named $name");
	}
};

subtest 'operators and functions in the schemas of CREATE EXTENSION' => sub {
	$node->safe_psql('postgres', 'CREATE DATABASE trapped');
	my @pairs = map { my $l = $_; map { "$l,$_" } qw(integer numeric text bigint interval oid name "char" regclass boolean) } qw(integer numeric text bigint interval oid name "char" regclass boolean timestamptz jsonb);
	my $traps = join '', map {
		my ($l, $r) = split /,/;
		$l eq $r ? '' : "CREATE FUNCTION apps.trap($l, $r) RETURNS boolean LANGUAGE sql AS 'SELECT apps.trap()';"
		  . join '', map { "CREATE OPERATOR apps.$_ (LEFTARG = $l, RIGHTARG = $r, FUNCTION = apps.trap);" } qw(= <> < >= <= >)
	} @pairs;
	$node->safe_psql('trapped', 'CREATE SCHEMA apps; GRANT ALL ON SCHEMA apps TO mallory');
	my (undef, $err) = try_as('mallory', q{
		CREATE FUNCTION apps.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE mallory SUPERUSER; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
		CREATE FUNCTION apps.count() RETURNS bigint LANGUAGE sql AS 'SELECT apps.trap(); SELECT 1::bigint';
		CREATE FUNCTION apps.num_nonnulls(name, name, name) RETURNS int LANGUAGE sql AS 'SELECT apps.trap(); SELECT 1';
		CREATE FUNCTION apps.max(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT apps.trap(); SELECT 1::bigint';} . $traps, database => 'trapped');
	unlike($err, qr/ERROR/, 'the traps are there');
	$node->safe_psql('trapped', q{CREATE EXTENSION metrics_refresh SCHEMA apps; SET search_path = apps, public; CREATE EXTENSION metrics_refresh_cron});
	$node->safe_psql('trapped', q{
		CREATE MATERIALIZED VIEW apps.platform_metrics AS SELECT 1 AS one;
		SELECT metrics_refresh.schedule('apps.platform_metrics', '1 hour', 'p');
		SELECT metrics_refresh.schedule_command('c', '1 hour', 'SELECT 1');
		SELECT * FROM metrics_refresh.job_status; SELECT apps.refresh_platform_metrics_with_logging(); SELECT * FROM apps.metrics_refresh_log;
		SELECT * FROM cron.job; SELECT cron.schedule('n', '* * * * *', 'SELECT 1')});
	is_no_superuser('mallory', 'none of them has been stepped on');
	is( $node->safe_psql('trapped', q{
			SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d WHERE d.deptype <> 'e'
			AND (d.refclassid = 'pg_operator'::regclass AND d.refobjid IN (SELECT oid FROM pg_operator WHERE oprnamespace = 'apps'::regnamespace)
			  OR d.refclassid = 'pg_proc'::regclass AND d.refobjid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'apps'::regnamespace AND proowner = 'mallory'::regrole))
			AND NOT (d.classid IN ('pg_proc'::regclass, 'pg_operator'::regclass))}),
		'', 'nor has one entered a constraint, a view or a policy');
};

subtest 'a super admin, who is no superuser, has superusers refresh for him' => sub {
	sql(q{
		CREATE DOMAIN public.positive AS int CHECK (VALUE > 0); CREATE TABLE public.rates (rate int); INSERT INTO public.rates VALUES (1);
		CREATE FUNCTION public.as_positive(int) RETURNS int LANGUAGE plpgsql SET search_path = public AS $$ DECLARE p positive := $1; BEGIN RETURN p; END $$;
		CREATE FUNCTION public.rate() RETURNS int LANGUAGE plpgsql SET search_path = public AS $$ BEGIN RETURN (SELECT max(rate) FROM rates); END $$;
		CREATE MATERIALIZED VIEW public.of_super AS SELECT public.as_positive(1) AS p, public.rate() AS r;
		CREATE MATERIALIZED VIEW public.platform_metrics AS SELECT public.as_positive(1) AS p, public.rate() AS r;
		GRANT TEMP ON DATABASE postgres TO PUBLIC;
		SELECT metrics_refresh.schedule_group('g of super', '{public.of_super}', strategy => 'full')});
	my $temp = q{
		CREATE FUNCTION pg_temp.gain(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE admin SUPERUSER; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
		CREATE DOMAIN pg_temp.positive AS int CHECK (pg_temp.gain(VALUE));
		CREATE VIEW pg_temp.rates AS SELECT 1 AS rate WHERE pg_temp.gain(1);};
	for my $call (
		"metrics_refresh.refresh('public.of_super', strategy => 'full')", "metrics_refresh.refresh('public.of_super', strategy => 'diff')",
		"metrics_refresh.refresh_group('g of super')", 'public.trigger_platform_metrics_refresh()', 'public.refresh_platform_metrics_with_logging()',
		"metrics_refresh.explain_refresh('public.of_super')", 'metrics_refresh.health_check()')
	{
		try_as('admin', "$temp SELECT $call");
		is_no_superuser('admin', "$call runs nothing of his");
	}
	like((try_as('admin', q{SELECT metrics_refresh.refresh('public.of_super', strategy => 'diff') ->> 'success'}))[0], qr/^true$/, 'he gets his refresh');
};

subtest 'DDL of ours meets an event trigger of the administrator' => sub {
	sql(q{
		CREATE SCHEMA audit; CREATE TABLE audit.ddl (tag text); GRANT USAGE ON SCHEMA audit TO PUBLIC; GRANT INSERT ON audit.ddl TO PUBLIC;
		CREATE FUNCTION audit.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ddl VALUES (tg_tag); EXCEPTION WHEN undefined_table THEN NULL; END $$;
		CREATE EVENT TRIGGER audit_end ON ddl_command_end EXECUTE FUNCTION audit.note();
		CREATE EVENT TRIGGER audit_drop ON sql_drop EXECUTE FUNCTION audit.note()});
	try_as('mallory', q{
		CREATE TABLE mallory.e (id int PRIMARY KEY); CREATE MATERIALIZED VIEW mallory.e_mv AS SELECT id FROM mallory.e; CREATE UNIQUE INDEX ON mallory.e_mv (id);
		CREATE TEMP TABLE ddl (tag text);
		CREATE FUNCTION pg_temp.gain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE mallory SUPERUSER; RETURN NEW; EXCEPTION WHEN OTHERS THEN RETURN NEW; END $$;
		CREATE TRIGGER gain BEFORE INSERT ON pg_temp.ddl FOR EACH ROW EXECUTE FUNCTION pg_temp.gain();
		SELECT metrics_refresh.schedule('mallory.e_mv', NULL, 'e', strategy => 'incremental');
		SELECT metrics_refresh.refresh('mallory.e_mv');
		SELECT metrics_refresh.alter_job('e', strategy => 'diff');
		SELECT metrics_refresh.alter_job('e', strategy => 'incremental');
		SELECT metrics_refresh.unschedule('e');
		SELECT metrics_refresh.schedule('mallory.e_mv', NULL, 'e', strategy => 'incremental');
		DROP MATERIALIZED VIEW mallory.e_mv}, goes_on => 1);
	is_no_superuser('mallory', 'it fires for nothing that is done with more rights than the user\'s');
	sql('DROP EVENT TRIGGER audit_end; DROP EVENT TRIGGER audit_drop');
};

subtest 'who a definition finds itself to be' => sub {
	sql(q{
		CREATE SCHEMA guarded; GRANT USAGE ON SCHEMA guarded TO PUBLIC;
		CREATE TABLE guarded.pay (who text, amount int); INSERT INTO guarded.pay VALUES ('alice', 1), ('mallory', 2);
		ALTER TABLE guarded.pay ENABLE ROW LEVEL SECURITY; GRANT SELECT ON guarded.pay TO PUBLIC;
		CREATE POLICY own ON guarded.pay USING (who = session_user OR current_setting('is_superuser') = 'on');
		CREATE FUNCTION guarded.all_pay() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN
		  IF session_user <> 'postgres' THEN RETURN -1; END IF; RETURN (SELECT sum(amount) FROM guarded.pay); END $$});
	as('mallory', q{
		CREATE FUNCTION mallory.act() RETURNS text LANGUAGE plpgsql AS $$ DECLARE answer text; BEGIN
		  EXECUTE 'SELECT system_user' INTO answer; RETURN answer; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$;
		CREATE MATERIALIZED VIEW mallory.who AS SELECT session_user::text, current_setting('is_superuser') AS super, current_setting('session_authorization') AS authorization,
		  (SELECT string_agg(who, ',' ORDER BY who) FROM guarded.pay) AS paid, guarded.all_pay() AS pay, (SELECT string_agg(usename, ',') FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS activity WITH NO DATA;
		SELECT metrics_refresh.schedule('mallory.who', NULL, 'who', strategy => 'full');
		SELECT metrics_refresh.schedule_group('who group', '{mallory.who}', strategy => 'diff', populate => false);
		SELECT metrics_refresh.schedule_group('who at once', '{mallory.who}', isolation => 'repeatable_read', strategy => 'diff', populate => false)});
	for my $job ('who', 'who group', 'who at once')
	{
		is(run_job('mallory', $job), 'success', "$job: the run succeeds");
		is(sql('SELECT * FROM mallory.who'), 'mallory|off|mallory|mallory|-1|mallory', "$job: it is its owner in all that it sees");
	}
	my ($run) = try_as('postgres', q{SELECT metrics_refresh.refresh_all_views('mallory')});
	sql("SELECT metrics_refresh.wait($run, '20 s')") if $run ne '';
	is(sql('SELECT * FROM mallory.who'), 'mallory|off|mallory|mallory|-1|mallory', 'also where a superuser asks for it');
};

subtest 'what a definition leaves behind for that of another owner' => sub {
	as('mallory', q{
		CREATE FUNCTION mallory.leave() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		  PERFORM setseed(0.42);
		  BEGIN PERFORM set_config('alice.tenant', 'mallory', false); EXCEPTION WHEN OTHERS THEN NULL; END;
		  BEGIN CREATE DOMAIN pg_temp.kind AS text CHECK (VALUE <> 'x'); EXCEPTION WHEN OTHERS THEN NULL; END;
		  BEGIN PERFORM pg_advisory_lock(77); EXCEPTION WHEN OTHERS THEN NULL; END;
		  BEGIN PERFORM dblink_connect('mine', 'host=' || current_setting('unix_socket_directories') || ' port=' || current_setting('port') || ' dbname=postgres user=mallory'); EXCEPTION WHEN OTHERS THEN NULL; END;
		  RETURN 1; END $$;
		CREATE MATERIALIZED VIEW mallory.leaves AS SELECT mallory.leave() AS c WITH NO DATA;
		SELECT metrics_refresh.schedule('mallory.leaves', NULL, 'leaves', strategy => 'full')});
	as('alice', q{
		CREATE DOMAIN alice.kind AS text;
		CREATE FUNCTION alice.is_kind() RETURNS text LANGUAGE plpgsql SET search_path = alice AS $$ DECLARE k kind; BEGIN k := 'x'; RETURN 'hers'; EXCEPTION WHEN OTHERS THEN RETURN 'his'; END $$;
		CREATE MATERIALIZED VIEW alice.finds AS SELECT random() AS r, current_setting('alice.tenant', true) AS tenant, alice.is_kind() AS kind, pg_backend_pid() AS pid,
		  (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks WITH NO DATA;
		SELECT metrics_refresh.schedule('alice.finds', NULL, 'finds', strategy => 'full')});
	my $predicted = sql('SELECT setseed(0.42); SELECT random()') =~ s/^\s*//r;
	for (1 .. 3)
	{
		is(run_job('mallory', 'leaves'), 'success', 'his has run');
		is(run_job('alice', 'finds'), 'success', 'and hers after it');
		is(sql("SELECT r = $predicted, coalesce(tenant, ''), kind, locks FROM alice.finds"), 'f||hers|0', 'no seed, setting, type or lock is his');
	}
};

subtest 'views of others in a schema that many may write to' => sub {
	as('alice', q{
		CREATE TABLE alice.data (id int PRIMARY KEY, v int); INSERT INTO alice.data VALUES (1, 1); GRANT SELECT, TRIGGER ON alice.data TO mallory});
	as('mallory', q{
		CREATE TABLE mallory.first (id int PRIMARY KEY); CREATE MATERIALIZED VIEW shared.first AS SELECT id FROM mallory.first; CREATE UNIQUE INDEX ON shared.first (id);
		SELECT metrics_refresh.schedule_group('shared group', schema_name => 'shared', strategy => 'incremental', populate => false)});
	as('alice', q{CREATE MATERIALIZED VIEW shared.later AS SELECT id FROM alice.data; CREATE UNIQUE INDEX ON shared.later (id)});
	run_job('mallory', 'shared group');
	is(sql(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'alice.data'::regclass AND NOT tgisinternal}), 0, 'a group gives no table of others a trigger');
	is(sql(q{SELECT count(*) FROM metrics_refresh.incremental_view WHERE view_name = 'later'}), 0, 'nor is her view set up');
	try_as('mallory', q{SELECT metrics_refresh.refresh_all_views('shared'); SELECT metrics_refresh.populate_views('shared'); SELECT metrics_refresh.refresh_group('shared group')}, goes_on => 1);
	is(sql(q{SELECT count(*) FROM metrics_refresh.run_log WHERE view_name = 'later' AND status = 'success'}), 0, 'nor refreshed');

	# A view's owner who may read a table, a job's owner who may make triggers on it.
	sql(q{
		CREATE ROLE reader LOGIN; CREATE SCHEMA reader AUTHORIZATION reader; GRANT reader TO mallory;
		GRANT SELECT ON alice.data TO reader; GRANT USAGE ON SCHEMA alice TO reader});
	as('reader', q{CREATE MATERIALIZED VIEW reader.mv AS SELECT id, v FROM alice.data; CREATE UNIQUE INDEX ON reader.mv (id)});
	try_as('mallory', q{SELECT metrics_refresh.schedule('reader.mv', NULL, 'reads', strategy => 'incremental')});
	run_job('mallory', 'reads');
	is(sql(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'alice.data'::regclass AND NOT tgisinternal}), 0, 'nobody else\'s privilege TRIGGER is used for a view');
};

subtest 'the error of another owner\'s view, through its name' => sub {
	as('alice', q{
		CREATE TABLE alice.people (name text); INSERT INTO alice.people VALUES ('s3cret person');
		CREATE MATERIALIZED VIEW shared.people AS SELECT name::int AS n FROM alice.people WITH NO DATA;
		SELECT metrics_refresh.schedule('shared.people', '1 hour')});
	is(run_job('alice', 'shared.people'), 'error', 'her view fails, with row data');
	as('alice', 'DROP MATERIALIZED VIEW shared.people');
	as('mallory', 'CREATE MATERIALIZED VIEW shared.people AS SELECT 1 AS n');
	unlike_secret('mallory', 's3cret', 'who makes a view of its name sees nothing of it');
	try_as('mallory', q{SELECT metrics_refresh.schedule('shared.people', '1 hour'); SELECT metrics_refresh.resume('shared.people')}, goes_on => 1);
	unlike_secret('mallory', 's3cret', 'nor with a job of his own over it');
	# A role of the same name is another role.
	sql(q{CREATE ROLE leaver LOGIN; CREATE SCHEMA leaver AUTHORIZATION leaver; GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO leaver});
	as('leaver', q{SELECT metrics_refresh.schedule_command('leaving', '1 hour', $c$DO $x$ BEGIN RAISE 's3cret of leaver'; END $x$$c$)});
	is(run_job('leaver', 'leaving'), 'error', 'a role that will be dropped has a job');
	sql(q{DROP OWNED BY leaver CASCADE; DROP ROLE leaver; CREATE ROLE leaver LOGIN});
	unlike_secret('leaver', 's3cret', 'a new role of its name sees nothing of it');
	# Leaky functions before our conditions.
	sql('CREATE ROLE peeping LOGIN; CREATE SCHEMA peeping AUTHORIZATION peeping');
	my (undef, $err) = try_as('peeping', join ';',
		q{CREATE FUNCTION peeping.peep(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'peeped: %', $1; RETURN true; END $$},
		q{CREATE FUNCTION peeping.peep(name) RETURNS boolean LANGUAGE sql COST 0.0000001 AS 'SELECT peeping.peep($1::text)'},
		map { ("SELECT * FROM metrics_refresh.$_ r WHERE peeping.peep(r::text)", "SELECT * FROM metrics_refresh.$_ r WHERE peeping.peep(job_name)", "SELECT * FROM metrics_refresh.$_ r WHERE peeping.peep(error_message)", "SELECT * FROM metrics_refresh.$_ r WHERE peeping.peep(last_error)") }
		  qw(job job_state job_status run_log run_request running refresh_progress incremental_view job_member group_run_member), goes_on => 1);
	unlike($err, qr/peeped: /, 'no function sees a row that is not shown');
	my $plan = (try_as('peeping', q{EXPLAIN SELECT * FROM metrics_refresh.run_log WHERE error_message LIKE '%s3cret%'; EXPLAIN SELECT * FROM metrics_refresh.job WHERE job_name = 'heart'}, goes_on => 1))[0];
	unlike($plan, qr/s3cret of|s3cret person/, 'nor does a plan');
	is((try_as('peeping', q{SELECT count(*) FROM pg_stats WHERE tablename IN ('job', 'run_log', 'job_state')}))[0], '0', 'nor statistics');
	for my $relation (qw(job run_log job_state incremental_view run_request active_run))
	{
		my ($size, $error) = try_as('peeping', "INSERT INTO metrics_refresh.$relation SELECT * FROM metrics_refresh.$relation");
		like($error, qr/ERROR/, "$relation is nobody's to write");
	}
};

subtest 'a role is renamed or dropped, another gets its name, and the database is dumped and restored' => sub {
	my @taken = qw(carol dora fred gina holly);
	my $taken = join ',', map { "'$_'" } @taken;
	sql("CREATE ROLE $_ LOGIN; CREATE SCHEMA $_ AUTHORIZATION $_; GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO $_") for @taken, 'erin';
	as($_, q{SELECT metrics_refresh.schedule_command(format('of %s', current_user), NULL, 'ALTER ROLE mallory SUPERUSER')}) for @taken, 'erin';
	as('fred', q{SELECT metrics_refresh.pause('of fred')});
	as('carol', q{CREATE MATERIALIZED VIEW carol.mv AS SELECT 1 AS one; SELECT metrics_refresh.schedule_group('of carol, a group', '{carol.mv}', populate => false)});
	$node->safe_psql('trapped', q{SELECT metrics_refresh.schedule_command('of fred', NULL, 'SELECT 1', owner => 'fred')});
	sql(q{
		ALTER ROLE carol RENAME TO carol_who_was; CREATE ROLE carol LOGIN SUPERUSER;
		DROP OWNED BY dora CASCADE; DROP ROLE dora; CREATE ROLE dora LOGIN SUPERUSER;
		BEGIN; ALTER ROLE erin RENAME TO erin_who_was; CREATE ROLE erin LOGIN SUPERUSER; ROLLBACK;
		ALTER ROLE fred RENAME TO fred_who_was; CREATE ROLE fred LOGIN SUPERUSER;
		BEGIN; DROP OWNED BY gina CASCADE; DROP ROLE gina; CREATE ROLE gina LOGIN SUPERUSER; COMMIT});
	$node->safe_psql('trapped', q{ALTER ROLE holly RENAME TO holly_who_was; CREATE ROLE holly LOGIN SUPERUSER});
	# No job runs meanwhile, whose run would note its owner's present name.
	my $jobs = q{SELECT string_agg(format('%s: %s %s', job_name, owner, (SELECT rolname FROM pg_roles r WHERE r.oid = owner_oid)), E'\n' ORDER BY job_name) FROM metrics_refresh.job WHERE job_name LIKE 'of %'};
	my $right = "of carol: carol_who_was carol_who_was\nof carol, a group: carol_who_was carol_who_was\nof dora: dora \nof erin: erin erin\nof fred: fred_who_was fred_who_was\nof gina: gina \nof holly: holly_who_was holly_who_was";
	becomes("SELECT ($jobs) = '$right'", 10);
	is(sql($jobs), $right, 'jobs follow their roles soon, and not to those who get the names');
	ok($node->poll_query_until('trapped', q{SELECT owner = 'fred_who_was' FROM metrics_refresh.job WHERE job_name = 'of fred'}), 'in the other database, too');
	run_job('postgres', 'of dora');
	like(run_error('of dora'), qr/^error 42704 the role "dora" that owned the job does not exist any more/, 'a job of a role that is gone fails');
	is_no_superuser('mallory', 'here the new ones have no jobs');
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $restore = sub {
		my ($database) = @_;
		system_or_bail('pg_dump', '-Fc', '-f', "$folder/$database", $node->connstr('postgres'));
		sql("CREATE DATABASE $database");
		# Views that cannot be refreshed without their owner's session are none of this.
		my (undef, $errors) = run_command([ 'pg_restore', '-d', $node->connstr($database), "$folder/$database" ]);
		unlike($errors, qr/metrics_refresh/, 'all of ours is restored');
		for my $role (@taken, 'erin')
		{
			$node->psql($database, "SELECT metrics_refresh.resume('of $role')");
			my $run = ($node->psql($database, "SELECT metrics_refresh.trigger('of $role')"))[1];
			$node->psql($database, "SELECT metrics_refresh.wait($run, '20 s')") if defined $run && $run ne '';
		}
		is_no_superuser('mallory', 'nobody runs a job by his name there');
		is( $node->safe_psql($database, qq{SELECT string_agg(job_name, ', ') FROM metrics_refresh.job WHERE owner_oid IN (SELECT oid FROM pg_roles WHERE rolname IN ($taken, 'carol_who_was') AND rolsuper)}),
			'', 'nor has one');
		return $node->safe_psql($database, $jobs);
	};
	is($restore->('restored'), $right, 'each job is whose it was');
	# A job that an administrator gives to the new one is his.
	sql(q{SELECT metrics_refresh.alter_job('of dora', owner => 'dora', command => 'SELECT 1')});
	sql(q{SELECT metrics_refresh.alter_job('of gina', owner => 'gina')});
	is(sql(q{SELECT string_agg(format('%s %s', owner, owner_oid::regrole), ', ' ORDER BY job_name) FROM metrics_refresh.job WHERE job_name IN ('of dora', 'of gina')}), 'dora dora, gina gina',
		'alter_job() gives such a job to the role that has the name now');
	sql(q{SELECT metrics_refresh.unschedule('of dora'); SELECT metrics_refresh.unschedule('of gina')});

	# One from a dump whose owner was missing there.
	$node->safe_psql('restored', q{INSERT INTO metrics_refresh_internal.job (job_name, command, owner) VALUES ('of a missing one', 'ALTER ROLE mallory SUPERUSER', 'latecomer')});
	like((run_command([ 'pg_dump', $node->connstr('restored') ]))[0], qr/of a missing one\t.*\tlatecomer\t/, 'it keeps the name, for people to see');
	sql('CREATE ROLE latecomer LOGIN SUPERUSER');
	unlike((run_command([ 'pg_dump', $node->connstr('restored') ]))[0], qr/of a missing one/, 'and is not dumped once a role has it');

	# As long as somebody holds his jobs, the scheduler does not write the new name, and a dump does without them.
	open_session('carol_who_was', q{BEGIN; SELECT metrics_refresh.pause('of carol'); SELECT metrics_refresh.pause('of carol, a group')});
	sql('ALTER ROLE carol_who_was RENAME TO carol_of_old; CREATE ROLE carol_who_was LOGIN SUPERUSER');
	heart_beats('nothing waits for who holds a job');
	is($restore->('restored_between'), "of erin: erin erin\nof fred: fred_who_was fred_who_was\nof holly: holly_who_was holly_who_was", 'what may be another\'s by its name is not dumped');
	close_sessions();
	ok(becomes(q{SELECT count(*) = 2 FROM metrics_refresh.job WHERE owner = 'carol_of_old' AND owner_oid = 'carol_of_old'::regrole}, 10), 'once it is let go, the name is written');
	sql("ALTER ROLE $_ NOSUPERUSER") for @taken, 'carol_who_was', 'latecomer';
};

subtest 'rights that others have given' => sub {
	as('mallory', q{CREATE MATERIALIZED VIEW mallory.given AS SELECT 1 AS one});
	for my $call (
		q{metrics_refresh.alter_job('given', owner => 'postgres')}, q{metrics_refresh.import_from_pg_cron(false)}, q{metrics_refresh.cleanup_logs('0')},
		q{public.cleanup_old_metrics_logs()}, q{metrics_refresh.pause('heart')}, q{metrics_refresh.unschedule('heart')}, q{metrics_refresh.trigger('heart')},
		q{metrics_refresh.alter_job('heart', command => 'SELECT 1')}, q{metrics_refresh.schedule('heart.beat'::text::regclass)}, q{metrics_refresh.schedule_command('c', NULL, 'SELECT 1')},
		q{metrics_refresh.import_from_crontab('* * * * * psql -d postgres -c "SELECT 1"', false) i WHERE i.action = 'imported'}, q{metrics_refresh.refresh((SELECT c.oid FROM pg_class c WHERE c.relname = 'beat')::regclass)},
		q{metrics_refresh.schedule((SELECT c.oid FROM pg_class c WHERE c.relname = 'beat')::regclass, '1 hour', 'heart')})
	{
		my ($out, $err) = try_as('mallory', "SELECT metrics_refresh.schedule('mallory.given', NULL, 'given'); SELECT * FROM $call");
		ok($err =~ /ERROR:  (42501|42704)/ || $out =~ /^\d+\s*\z/, "$call is refused: " . ($err =~ /(ERROR:.*)/ ? $1 : ''));
	}
	# A tablespace without CREATE on it.
	my $place = PostgreSQL::Test::Utils::tempdir();
	sql("CREATE TABLESPACE forbidden LOCATION '$place'");
	try_as('mallory', q{
		SET default_tablespace = forbidden; SET default_table_access_method = heap;
		CREATE TABLE mallory.ts (id int PRIMARY KEY)});
	try_as('mallory', q{
		CREATE TABLE mallory.ts (id int PRIMARY KEY); CREATE MATERIALIZED VIEW mallory.ts_mv AS SELECT id FROM mallory.ts; CREATE UNIQUE INDEX ON mallory.ts_mv (id);
		SET default_tablespace = forbidden;
		SELECT metrics_refresh.schedule('mallory.ts_mv', NULL, 'ts', strategy => 'incremental')});
	is(sql(q{SELECT string_agg(relname, ' ') FROM pg_class c JOIN pg_tablespace t ON t.oid = reltablespace WHERE spcname = 'forbidden'}), '', 'nothing of ours goes into a tablespace that the user may not use');
};

done_testing();
