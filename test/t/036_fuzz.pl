# All SQL functions of both extensions, called by a superuser, by one who has views and jobs, and by a
# stranger, at once, with values that nobody expects and where nobody expects them (Fuzz.pm,
# HostileValues.pm). Whatever comes of a call: no process of the server dies, no internal error is
# raised, our processes live and a job goes on running, nobody gains rights, nothing appears or goes
# that is not ours, a stranger sees nothing of others and holds no lock on what is theirs, and what the
# scheduler keeps does not grow.
#
# FUZZ_SECONDS says how long (PG_TEST_EXTRA=long: ten minutes), FUZZ_SEED repeats a run's calls.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Fuzz;
use HostileValues;
use IPC::Run ();
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $long = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/;
my $seconds = $ENV{FUZZ_SECONDS} // ($long ? 600 : 20);
# The short run is the same each time; the long one is new.
my $seed = $ENV{FUZZ_SEED} // ($seconds > 60 ? time % 100_000 : 7);
note "FUZZ_SEED=$seed FUZZ_SECONDS=$seconds";

my $node = start_node(
	'fuzz',
	max_worker_processes => 24,
	max_prepared_transactions => 10,
	'metrics_refresh.max_workers' => 8,
	'metrics_refresh.suspend_after' => 0,
	# What is said of an error is said by the client; the log has to stay short.
	log_min_error_statement => 'panic',
	log_line_prefix => '%m [%p] %b %e ');
my %schema = (postgres => 'fuzz_super', fuzz_owner => 'fuzz_owner', fuzz_stranger => 'fuzz_stranger');
my @roles = sort keys %schema;
my @secrets = ('s3cret of super', 's3cret of owner');
my $directory = PostgreSQL::Test::Utils::tempdir();

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]) }

# What a call leaves, once its transaction is over; not the caller's own SET ROLE, which is reset before.
append_to_file("$directory/left.sql", q{
SELECT 'left: ' || string_agg(concat_ws(' ', locktype, mode, relation::regclass), ', ') FROM pg_catalog.pg_lock_status() WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid' AND mode <> 'SIReadLock' HAVING count(*) > 0;
SELECT 'left: the rights of ' || current_user WHERE current_user <> session_user;
});
# A role without any right on a relation has no reason to hold a lock on it; and what is done as the
# extension is over when the call is.
append_to_file("$directory/held.sql", q{
SELECT 'held: ' || string_agg(concat_ws(' ', l.mode, c.oid::regclass), ', ')
FROM pg_catalog.pg_lock_status() l JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = pg_backend_pid() AND n.nspname !~ '^(pg_|metrics_refresh|cron$)' AND NOT pg_has_role(c.relowner, 'USAGE')
  AND NOT has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') HAVING count(*) > 0;
SELECT 'held: the rights of ' || current_user WHERE current_user <> session_user;
SELECT 'held: a search_path of ours' WHERE current_setting('search_path') = 'pg_catalog, pg_temp';
});

# What is there to be hurt. The secrets are in commands, settings, names and errors of others, and in the
# rows that these are about.
my $make_roles = q{
	CREATE ROLE fuzz_owner LOGIN; CREATE ROLE fuzz_stranger LOGIN; CREATE ROLE fuzz_heart LOGIN;
	CREATE SCHEMA fuzz_traps; GRANT ALL ON SCHEMA fuzz_traps TO PUBLIC;
	CREATE SCHEMA fuzz_heart AUTHORIZATION fuzz_heart; CREATE SCHEMA fuzz_super;
	CREATE SCHEMA fuzz_owner AUTHORIZATION fuzz_owner; CREATE SCHEMA fuzz_stranger AUTHORIZATION fuzz_stranger;
	GRANT USAGE ON SCHEMA fuzz_owner TO PUBLIC};
my $make_places = q{
	CREATE TABLE fired (call text); CREATE TABLE deferred (call text);
	CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE NEW.call; RETURN NULL; END $$;
	CREATE TRIGGER fire AFTER INSERT ON fired FOR EACH ROW EXECUTE FUNCTION fire();
	CREATE CONSTRAINT TRIGGER fire AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fire();
	CREATE TABLE base (id int PRIMARY KEY, v text); INSERT INTO base SELECT n, n FROM generate_series(1, 100) n;
	CREATE MATERIALIZED VIEW mv AS SELECT id, v FROM base; CREATE UNIQUE INDEX mv_id ON mv (id);
	CREATE MATERIALIZED VIEW sums AS SELECT id % 7 AS k, count(*) AS n FROM base GROUP BY 1;
	CREATE MATERIALIZED VIEW over AS SELECT max(n) AS n FROM sums;
	CREATE MATERIALIZED VIEW "a'b""c;--$$\ é" AS SELECT 1 AS one WITH NO DATA;
	CREATE VIEW plain AS SELECT * FROM mv; CREATE SEQUENCE seq};

# The session's own, and names of others.
my %own = map { my $s = $schema{$_}; $_ => {
	views => [ "$s.mv", "$s.sums", "$s.over", "$s.\"a'b\"\"c;--\$\$\\ é\"" ],
	relations => [ "$s.base", "$s.plain", "$s.mv_id", "$s.seq", 'fuzz_owner.mv', 'fuzz_super.mv', 'fuzz_super.failing', 'fuzz_owner.failing', 'fuzz_super.vault', 'fuzz_heart.beat', 'pg_class',
		'pg_class_oid_index', 'pg_catalog.pg_stats', 'pg_toast.pg_toast_1255', 'information_schema.tables', 'metrics_refresh.job', 'metrics_refresh.run_log', 'public.metrics_refresh_log', 'cron.job' ],
	groups => [ "$s group", 'other group' ],
	schemas => [ $s, 'fuzz_owner', 'fuzz_super', 'public', 'pg_catalog', 'metrics_refresh' ],
	roles => [ @roles, 'fuzz_heart', 'pg_read_all_data', 'public', 'nobody' ],
	commands => [ 'SELECT 1', 'SELECT pg_sleep(0.05)', 'BEGIN; SELECT 1; COMMIT', 'SELECT 1/0', 'DO $$ BEGIN RAISE NOTICE $x$a$x$; END $$', "REFRESH MATERIALIZED VIEW $s.mv", 'VACUUM fuzz_heart.nap', 'SELECT', ';', '--' ],
	jobs => [ "$s mv", "$s sums", "$s command", "$s group", "$s.mv", 'cleanup-metrics-logs', 'refresh-platform-metrics' ],
	runs => [], oids => [] } } @roles;
# Whoever may do everything may also stop the heart and give secrets away, and is not asked to.
push @{ $own{fuzz_owner}{jobs} }, 'fuzz_super mv', 'heart', 'other group', 'fuzz_stranger mv';
push @{ $own{fuzz_stranger}{jobs} }, 'fuzz_super mv', 'heart', 'other group', 'fuzz_owner mv', 'fuzz_owner command', 'fuzz_heart.beat';
$own{postgres}{roles} = [ @roles, 'nobody', 'public' ];
$own{postgres}{relations} = [ grep { !/failing/ } @{ $own{postgres}{relations} } ];

# The numbers of the jobs that stay, by database. Their names may be other roles' as well.
my %kept;
sub jobs_of { return sql(q{SELECT string_agg(job_id::text, ',') FROM metrics_refresh.job}, $_[0]) }

sub create_world
{
	my ($database) = @_;
	sql('CREATE EXTENSION metrics_refresh; CREATE EXTENSION metrics_refresh_cron', $database);
	sql($make_roles =~ s/CREATE ROLE \w+ LOGIN;//gr, $database);
	sql(q{
		GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO fuzz_owner, fuzz_stranger;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cron TO fuzz_owner; GRANT USAGE ON SCHEMA cron TO fuzz_owner, fuzz_stranger;
		CREATE MATERIALIZED VIEW public.platform_metrics AS SELECT 1 AS one}, $database);
	sql("SET ROLE $_; SET search_path = $schema{$_}; $make_places", $database) for @roles;
	# So that numbers of jobs and runs that are guessed meet none of those with secrets.
	sql("SELECT setval(oid::regclass, 5000) FROM pg_class WHERE relname IN ('job_id_seq', 'run_id_seq')", $database);
	for my $role ('super', 'owner')
	{
		my $as = $role eq 'super' ? 'postgres' : 'fuzz_owner';
		sql(qq{
			SET ROLE $as;
			CREATE TABLE fuzz_$role.vault AS SELECT 's3cret of $role'::text AS v;
			CREATE FUNCTION fuzz_$role.fail() RETURNS int LANGUAGE plpgsql AS \$\$ BEGIN
			  RAISE 'failed at %', (SELECT v FROM fuzz_$role.vault) USING DETAIL = 's3cret of $role', HINT = 's3cret of $role'; END \$\$;
			CREATE MATERIALIZED VIEW fuzz_$role.failing AS SELECT fuzz_$role.fail() AS c WITH NO DATA;
			SELECT metrics_refresh.schedule('fuzz_$role.failing', NULL, 's3cret of $role: view', settings => '{"application_name": "s3cret of $role"}');
			SELECT metrics_refresh.schedule_command('s3cret of $role: command', '1 hour', 'SELECT fuzz_$role.fail() -- s3cret of $role');
			SELECT metrics_refresh.schedule_group('s3cret of $role: group', '{fuzz_$role.failing}', populate => false);
			SELECT metrics_refresh.schedule_group('other group', '{fuzz_$role.failing}', populate => false) WHERE '$role' = 'super'}, $database);
	}
	$kept{$database} = jobs_of($database);
	my @oids = split /\n/, sql(q{SELECT oid FROM pg_class WHERE relname IN ('mv', 'sums', 'over', 'base', 'failing', 'vault', 'mv_id', 'plain', 'seq') ORDER BY oid}, $database);
	$own{$_}{oids} = [ @oids, 2619, 1259 ] for qw(fuzz_owner fuzz_stranger);
	return;
}

# What the sessions go on from, and what the last ones have left behind is put away.
sub set_up_round
{
	my ($database) = @_;
	sql(qq{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE job_id NOT IN ($kept{$database}) AND NOT is_default;
		SELECT metrics_refresh.trigger(job_id::text) FROM metrics_refresh.job WHERE job_name ~ '^s3cret' AND job_id IN ($kept{$database});
		SET ROLE fuzz_owner; SELECT metrics_refresh.schedule('fuzz_owner.mv', NULL, 'heart')}, $database);
	for my $role (@roles)
	{
		my $s = $schema{$role};
		my $jobs = sql(qq{
			SET ROLE $role;
			SELECT metrics_refresh.schedule('$s.mv', '1 second', '$s mv', strategy => 'diff');
			SELECT metrics_refresh.schedule('$s.sums', NULL, '$s sums', strategy => 'incremental');
			SELECT metrics_refresh.schedule_command('$s command', '2 seconds', 'SELECT 1');
			SELECT metrics_refresh.schedule_group('$s group', '{$s.mv,$s.over,$s.sums}', schedule => '3 seconds');
			SELECT metrics_refresh.trigger('$s sums')}, $database);
		# Strangers guess.
		my @runs = split /\n/, $jobs;
		$own{$role}{runs} = [ @runs, $role eq 'postgres' ? () : map { 5000 + $_ } 1 .. 20 ];
	}
	return;
}

# All that may not change: who is what, and every object that is not ours to make.
sub state_of
{
	my ($database) = @_;
	return sql(q{
		SELECT 'role', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, md5(rolpassword), rolvaliduntil FROM pg_authid ORDER BY rolname;
		SELECT 'member', roleid::regrole, member::regrole, grantor::regrole, admin_option FROM pg_auth_members ORDER BY 2, 3, 4;
		SELECT 'setting', s.* FROM pg_db_role_setting s ORDER BY 2, 3;
		SELECT 'extension', extname, extowner::regrole FROM pg_extension ORDER BY 2;
		SELECT 'event trigger', evtname FROM pg_event_trigger ORDER BY 2;
		SELECT 'database', datname, datdba::regrole, datacl FROM pg_database ORDER BY 2;
		SELECT 'schema', nspname, nspowner::regrole, nspacl FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' ORDER BY 2;
		SELECT 'function', oid::regprocedure, proowner::regrole, proacl, prosecdef, proconfig FROM pg_proc
		-- What create_schema_api() is called to make, as it has to be.
		WHERE NOT (proname IN ('refresh_all_views', 'manual_refresh', 'get_cron_job_status', 'health_check')
			AND pronamespace::regnamespace::text ~ '^(fuzz_|public$)' AND NOT prosecdef AND proconfig = '{"search_path=pg_catalog, pg_temp"}') ORDER BY 2;
		SELECT 'relation', n.nspname, relname, relkind, relowner::regrole, relacl, reltablespace FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname !~ '^(metrics_refresh|pg_(toast|temp))' ORDER BY 2, 3;
		SELECT 'type', n.nspname, typname, typowner::regrole FROM pg_type JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname !~ '^(metrics_refresh|pg_(toast|temp))' ORDER BY 2, 3;
		SELECT 'base', (SELECT count(*) FROM fuzz_owner.base), (SELECT count(*) FROM fuzz_super.base), (SELECT v FROM fuzz_super.vault)}, $database);
}

# Lines of the one that the other has not.
sub difference
{
	my ($before, $after) = @_;
	my %had = map { $_ => 1 } split /\n/, $before;
	my %has = map { $_ => 1 } split /\n/, $after;
	return ((map { "gone: $_" } grep { !$has{$_} } sort keys %had), (map { "new: $_" } grep { !$had{$_} } sort keys %has));
}

# The secrets that a role is shown by all relations of ours that it may read.
sub secrets_shown_to
{
	my ($role, $database, @not_theirs) = @_;
	my $relations = sql(q{SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'v', 'm') AND (n.nspname ~ '^(metrics_refresh|cron$)' OR c.relname = 'metrics_refresh_log')}, $database);
	my @shown;
	for my $relation (split /\n/, $relations)
	{
		my ($code, $out) = $node->psql($database, "SET ROLE $role; SELECT r FROM $relation r");
		push @shown, map { my $secret = $_; $out =~ /(.*\Q$secret\E.*)/ ? "$relation shows $role: $1" : () } @not_theirs;
	}
	return @shown;
}

sub memory_of
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : die "no memory of $pid";
}

# The process, and references to its output and errors, which are whole when it has ended.
sub start_psql
{
	my ($role, $database, $text) = @_;
	my $file = "$directory/$role.sql";
	unlink $file;
	append_to_file($file, $text);
	my ($out, $err) = ('', '');
	my $psql = IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-h', $node->host, '-p', $node->port, '-U', $role, '-d', $database, '-f', $file ],
		'<', \undef, '>', \$out, '2>', \$err);
	return ($psql, \$out, \$err);
}

# One round of calls by all roles at once: [faults], and how many calls succeeded of how many, by role.
my $round = 0;
sub fuzz
{
	my ($database, @functions) = @_;
	my (@faults, %count, @started);
	++$round;
	local $ENV{PGOPTIONS} = '-c statement_timeout=700 -c lock_timeout=500';
	for my $role (@roles)
	{
		my $values = HostileValues->new($seed * 1000 + $round * 10 + length $role, $own{$role});
		my ($text, $calls) = @{ script($values, $schema{$role}, @functions) };
		push @started, [ $role, $calls, start_psql($role, $database, $text) ];
	}
	for (@started)
	{
		my ($role, $calls, $psql, $out, $err) = @$_;
		$psql->finish;
		my @others = $role eq 'postgres' ? () : $role eq 'fuzz_owner' ? $secrets[0] : @secrets;
		push @faults, map { substr "$role, round $round: $_", 0, 700 } faults($calls, $$out, $$err, @others);
		$count{$role} = [ calls_that_succeeded($calls, $$err), scalar @$calls ];
	}
	return (\@faults, \%count);
}

# What the server's log may not have. Ours are internal errors, but for those that pg_cron has as well.
sub logged
{
	my ($from) = @_;
	my $log = substr slurp_file($node->logfile), $from;
	return grep { /PANIC:|TRAP:|terminated by signal|all server processes terminated|server process \(PID/ || / XX\d\d\d ERROR: .*(cache lookup|could not open|unrecognized|unexpected)/ }
	  split /\n/, $log;
}

# All that is looked at after a while of calls, by name, '' where it is as it has to be.
sub look
{
	my ($database, $before, $faults, %process) = @_;
	return (
		'no call raises an internal error, leaves or holds a lock, or tells a secret' => join("\n", @$faults > 20 ? @$faults[0 .. 19] : @$faults),
		'no process of the server has died, and nothing in its log says that something is broken' => join("\n", logged($before->{log})),
		'the server has not been restarted' => join(' ', difference($before->{writer}, writer())),
		'launcher and scheduler are the same processes' => join("\n", map { kill(0, $process{$_}) ? () : "the $_ has ended" } sort keys %process),
		'nobody has gained rights, and nothing has appeared or gone' => join("\n", difference($before->{state}, state_of($database))),
		'a stranger sees nothing of others' => join("\n", secrets_shown_to('fuzz_stranger', $database, @secrets)),
		'nor does an owner of what is not his' => join("\n", secrets_shown_to('fuzz_owner', $database, $secrets[0])),
		'no run has ended in an internal error' => sql(q{SELECT string_agg(error_message, chr(10)) FROM metrics_refresh.run_log WHERE sqlstate LIKE 'XX%'}, $database),
		'the scheduler keeps no more than before' => join('', map { my $more = memory_of($process{scheduler}) - $_; $more > 32 * 1024 ? "$more kB more" : '' } grep { defined } $before->{memory}));
}

# A crash does not change when the postmaster was started; its helpers are new ones.
sub writer
{
	return sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type IN ('background writer', 'checkpointer') ORDER BY pid});
}

sub now_is
{
	my ($database) = @_;
	return {
		log => -s $node->logfile,
		writer => writer(),
		state => state_of($database) };
}

sql($make_roles =~ s/CREATE SCHEMA.*//gsr);
create_world('postgres');
sql(q{
	CREATE TABLE fuzz_heart.nap (n int);
	CREATE MATERIALIZED VIEW fuzz_heart.beat AS SELECT clock_timestamp() AS at;
	ALTER TABLE fuzz_heart.nap OWNER TO fuzz_heart; ALTER MATERIALIZED VIEW fuzz_heart.beat OWNER TO fuzz_heart;
	SET SESSION AUTHORIZATION fuzz_heart;
	SELECT metrics_refresh.schedule('fuzz_heart.beat', '1 second', 'heart')});
$kept{postgres} = jobs_of('postgres');
set_up_round('postgres');
my @functions = functions($node, 'postgres');
cmp_ok(scalar @functions, '>', 60, 'the catalogs tell of ' . @functions . ' functions');

my $before = now_is('postgres');
my %process = map { $_ => process_id($node, $_) } qw(launcher scheduler);
my (@faults, %succeeded);
my $until = time + $seconds;
while (time < $until || $round < 2)
{
	my ($found, $count) = fuzz('postgres', @functions);
	push @faults, @$found;
	$succeeded{$_}[0] += $count->{$_}[0], $succeeded{$_}[1] += $count->{$_}[1] for @roles;
	last if @faults > 50;
	wait_for_server($node);
	set_up_round('postgres');
	$before->{memory} //= memory_of($process{scheduler});
}
note "$round rounds; " . join ', ', map { "$_: $succeeded{$_}[0] of $succeeded{$_}[1] calls succeeded" } @roles;

my %seen = look('postgres', $before, \@faults, %process);
is($seen{$_} // '', '', $_) for sort keys %seen;
my $now = sql('SELECT clock_timestamp()');
until_ok($node, 'postgres', "SELECT last_success_at > '$now' FROM metrics_refresh.job_status WHERE job_name = 'heart' AND owner = 'fuzz_heart'", 'the job of every second goes on running');
cmp_ok($succeeded{$_}[0], '>', $succeeded{$_}[1] / 10, "$_: some calls get through") for @roles;

# The checks are worth something: functions that do what none may are found out, each of them.
$node->safe_psql('postgres', 'CREATE DATABASE broken');
create_world('broken');
sql(q{
	CREATE SCHEMA bad; GRANT USAGE ON SCHEMA bad TO PUBLIC;
	CREATE FUNCTION bad.internal_error() RETURNS text LANGUAGE sql AS $$ SELECT array_in('{1}', 0, -1)::text $$;
	CREATE FUNCTION bad.leaves_lock() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_lock(1)';
	CREATE FUNCTION bad.holds_lock() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM FROM fuzz_super.vault; END $$;
	CREATE FUNCTION bad.leaves_path() RETURNS void LANGUAGE sql AS $$ SELECT set_config('search_path', 'pg_catalog, pg_temp', false) $$;
	CREATE FUNCTION bad.tells() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN (SELECT v FROM fuzz_super.vault); END $$;
	CREATE FUNCTION bad.warns() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RAISE WARNING '%', (SELECT v FROM fuzz_super.vault); END $$;
	CREATE FUNCTION bad.gives_rights() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN ALTER ROLE fuzz_stranger CREATEDB; END $$;
	CREATE FUNCTION bad.makes() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN CREATE TABLE IF NOT EXISTS fuzz_owner.made (); END $$;
	CREATE FUNCTION bad.ends_session() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN IF session_user = 'fuzz_owner' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; END $$;
	CREATE FUNCTION bad.ends_launcher() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
	  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh launcher'; END $$;
	CREATE VIEW metrics_refresh.bad AS SELECT v FROM fuzz_super.vault; GRANT SELECT ON metrics_refresh.bad TO fuzz_stranger;
	DO $$ DECLARE f regprocedure; BEGIN
	  FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'bad' LOOP
	    EXECUTE format('ALTER EXTENSION metrics_refresh ADD FUNCTION %s', f);
	  END LOOP; END $$}, 'broken');
set_up_round('broken');
$before = now_is('broken');
my @bad = grep { $_->{name} =~ /^bad/ } functions($node, 'broken');
is(scalar @bad, 10, 'a function that an extension gets is called without being told of');
%process = map { $_ => process_id($node, $_) } qw(launcher scheduler);
my @what = (
	'XX000: cache lookup failed', 'caught XX000', 'ExclusiveLock left', 'AccessShareLock fuzz_super.vault held', 'a search_path of ours held', "somebody else's: s3cret of super",
	"somebody else's: .*WARNING.*s3cret of super", 'the session ended before its script');
@faults = ();
# Which of them stands where is drawn.
for (1 .. 50)
{
	push @faults, @{ (fuzz('broken', @bad))[0] };
	last unless grep { my $what = $_; !grep { /$what/ } @faults } @what;
}
for my $what (@what)
{
	ok(scalar(grep { /$what/ } @faults), "found out: $what");
}
# The literal of the first call ends in the third.
my ($text, $calls) = @{ script_of(map { { function => 'none', statements => $_ } }
	[ 'SET standard_conforming_strings = off', q{SELECT '\'} ], ['SELECT 1'], [q{SELECT ' || 'one'}], ['SELECT 2']) };
my ($psql, $out, $err) = start_psql('fuzz_owner', 'broken', $text);
$psql->finish;
is(join("\n", faults($calls, $$out, $$err)), "psql passed over: SELECT 1\npsql passed over: SELECT ' || 'one'", 'found out: psql has passed over calls');
%seen = look('broken', $before, [], %process);
like($seen{'nobody has gained rights, and nothing has appeared or gone'}, qr/new: role\|fuzz_stranger\|f\|t\|f\|t/, 'found out: a role has gained a right');
like($seen{'nobody has gained rights, and nothing has appeared or gone'}, qr/new: relation\|fuzz_owner\|made\|/, 'found out: a table has appeared');
like($seen{'launcher and scheduler are the same processes'}, qr/the launcher has ended/, 'found out: the launcher has ended');
like($seen{'a stranger sees nothing of others'}, qr/metrics_refresh\.bad shows fuzz_stranger: /, 'found out: a view shows what is not the stranger\'s');
is($seen{'the server has not been restarted'}, '', 'up to here the server has not been restarted');
kill_process($node, process_id($node, 'launcher'));
%seen = look('broken', $before, [], launcher => process_id($node, 'launcher'));
isnt($seen{$_}, '', "found out: not $_") for 'the server has not been restarted', 'no process of the server has died, and nothing in its log says that something is broken';

done_testing();
