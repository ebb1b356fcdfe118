# Every documented way of dumping and restoring brings back every job, member, pause, default job that was
# removed or changed, and what the strategy incremental needs, whatever the order in which tables are
# filled, whether triggers are disabled meanwhile, and while jobs begin to run already.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('restore', 'metrics_refresh.max_workers' => 4, max_connections => 60);
$node->safe_psql('postgres', 'CREATE ROLE keeper LOGIN; CREATE ROLE app_owner; CREATE DATABASE source');
$node->safe_psql(
	'source', q{
	CREATE SCHEMA app AUTHORIZATION app_owner;
	CREATE MATERIALIZED VIEW public.platform_metrics AS SELECT 1 AS one;
	CREATE EXTENSION metrics_refresh;
	CREATE TABLE app.event (id int PRIMARY KEY, kind int, amount int);
	INSERT INTO app.event SELECT g, g % 7, g FROM generate_series(1, 500) g;
	CREATE TABLE app.ballast AS SELECT g AS id, repeat('x', 100) AS body FROM generate_series(1, 20000) g;
	CREATE INDEX ON app.ballast (body);
	CREATE MATERIALIZED VIEW app.by_kind AS SELECT kind, count(*), sum(amount) FROM app.event GROUP BY kind;
	CREATE MATERIALIZED VIEW app.kinds AS SELECT count, count(*) AS kinds FROM app.by_kind GROUP BY count;
	CREATE MATERIALIZED VIEW app.total AS SELECT count(*) FROM app.event;
	CREATE MATERIALIZED VIEW app.by_key AS SELECT * FROM app.event WHERE amount > 3;
	CREATE UNIQUE INDEX ON app.by_key (id);
	ALTER TABLE app.event OWNER TO app_owner;
	ALTER MATERIALIZED VIEW app.total OWNER TO app_owner;
	GRANT SELECT ON app.event TO app_owner;
	SELECT metrics_refresh.schedule('app.by_kind', '1 second', job_name => 'by kind', strategy => 'incremental');
	SELECT metrics_refresh.schedule('app.kinds', '1 second', job_name => 'kinds', strategy => 'incremental', on_overlap => 'queue_one');
	SELECT metrics_refresh.schedule('app.by_key', '1 second', job_name => 'by key', strategy => 'incremental');
	SELECT metrics_refresh.schedule_group('listed', '{app.by_kind,app.kinds,app.total,platform_metrics}', schedule => '1 second', populate => false, strategy => 'diff');
	SELECT metrics_refresh.schedule_group('of schema', schema_name => 'app', schedule => '0 5 * * *', populate => false);
	SELECT metrics_refresh.schedule_command('paused', '1 second', 'SELECT 1', settings => '{"work_mem": "8MB"}', blackout => '{"sun 00:00-23:59"}');
	SELECT metrics_refresh.pause('paused');
	SELECT metrics_refresh.schedule_command('of keeper', '1 hour', 'SELECT 2', owner => 'keeper');
	SELECT metrics_refresh.schedule('app.total', '@daily', job_name => 'of owner', timezone => 'Europe/Berlin', owner => 'app_owner');
	SELECT metrics_refresh.alter_job('refresh-platform-metrics', schedule => '17 * * * *', owner => 'keeper');
	SELECT metrics_refresh.unschedule('cleanup-metrics-logs');
	SELECT metrics_refresh.schedule_command('removed', '1 second', 'SELECT 1');
	SELECT metrics_refresh.unschedule('removed')});
wait_for_runs($node, 'source', $_, 1) for ('by kind', 'kinds', 'by key', 'listed');

# All that is configured, and that the extension's own triggers fire in every session.
my $configured = q{
	SELECT 'job', to_jsonb(j) - '{view_oid,owner_oid,effective_from}'::text[] FROM metrics_refresh_internal.job j WHERE NOT one_time
	UNION ALL SELECT 'bound', jsonb_build_array(job_name, owner_oid = to_regrole(quote_ident(owner))::oid,
	  view_oid = to_regclass(quote_ident(view_schema) || '.' || quote_ident(view_name))::oid) FROM metrics_refresh_internal.job WHERE NOT one_time
	UNION ALL SELECT 'member', jsonb_build_array(job_id, view_schema, view_name, view_oid = to_regclass(quote_ident(view_schema) || '.' || quote_ident(view_name))::oid)
	  FROM metrics_refresh_internal.job_member
	UNION ALL SELECT 'removed', to_jsonb(r) FROM metrics_refresh_internal.removed_default_job r
	UNION ALL SELECT 'sequence', jsonb_build_array((SELECT last_value FROM metrics_refresh_internal.job_id_seq), (SELECT last_value FROM metrics_refresh_internal.incremental_id_seq))
	UNION ALL SELECT 'trigger', jsonb_build_array(tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE tgrelid IN
	  (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'metrics_refresh'))
	  AND NOT tgisinternal
	ORDER BY 1, 2};
my $incremental = q{
	SELECT 'view', to_jsonb(i) - '{view_oid,fingerprint,refreshed_as_of,rows_total,runs_since_audit,uncaptured}'::text[] FROM metrics_refresh_internal.incremental_view i
	UNION ALL SELECT 'parent', to_jsonb(p) - 'view_oid' FROM metrics_refresh_internal.incremental_parent p
	UNION ALL SELECT 'delta', to_jsonb(c.relname) FROM pg_class c WHERE relnamespace = 'metrics_refresh_internal'::regnamespace AND relname ~ '^delta_'
	UNION ALL SELECT 'captures', jsonb_build_array(tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE tgname ~ '^metrics_refresh_'
	ORDER BY 1, 2};
my $jobs = $node->safe_psql('source', $configured);
my $set_up = $node->safe_psql('source', $incremental);
note "$jobs\n$set_up";

my $dir = PostgreSQL::Test::Utils::tempdir();
my $number = 0;

sub dump_source
{
	my ($name, @options) = @_;
	$node->command_ok([ 'pg_dump', @options, '-f', "$dir/$name", 'source' ], "pg_dump @options");
	return "$dir/$name";
}

sub new_database
{
	my $database = 'restored_' . ++$number;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	return $database;
}

sub restore
{
	my ($database, $file, @options) = @_;
	my ($out, $err) = run_command([ 'pg_restore', '-d', $node->connstr($database), @options, $file ]);
	my @errors = grep { /error/ } split /\n/, $err;
	is(join("\n", @errors), '', "pg_restore @options");
	return;
}

sub psql_file
{
	my ($database, @files) = @_;
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', map({ ('-f', $_) } @files), $database ], 'psql -f');
	return;
}

# The incremental set-up is there at once, or (what: 'later') made anew by the jobs' next runs.
sub is_restored
{
	my ($database, $name, $what, $target) = @_;
	$target //= $node;
	# A view that is set up anew gets another number.
	my $but = $what ? qr/^sequence\|.*$/m : qr/(?!)/;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($target->safe_psql($database, $configured) =~ s/$but//r, $jobs =~ s/$but//r, "$name: all that is configured");
	is($target->safe_psql($database, $incremental), $set_up, "$name: the set-up of incremental") unless $what;
	wait_for_runs($target, $database, 'listed', 1, "$name: the group runs");
	is($target->safe_psql($database, q{
			SELECT count(*) FROM metrics_refresh.run_log g WHERE job_name = 'listed' AND status = 'success' AND job_id IS NOT NULL
			AND (SELECT count(*) FROM metrics_refresh.run_log m WHERE m.group_run_id = g.run_id) <> 4}),
		0, "$name: each run with all its members");
	is($target->safe_psql($database, q{
			SELECT string_agg(DISTINCT coalesce(job_name, view_name) || ': ' || error_message, E'\n') FROM metrics_refresh.run_log WHERE status = 'error'
			-- Between the sections a view may be refreshed before the one that it reads.
			AND error_message <> 'materialized view "by_kind" has not been populated'}),
		'', "$name: no run failed");
	# The first refresh of each looks at all rows; then each change is one of keys.
	$target->safe_psql($database, q{SELECT metrics_refresh.pause('listed')});
	until_ok($target, $database, q{
		WITH change AS (UPDATE app.event SET amount = amount + 1, kind = kind + 1 WHERE id % 50 = 0 AND random() < 0.5)
		SELECT count(DISTINCT job_name) = 3 FROM metrics_refresh.run_log WHERE strategy = 'incremental' AND status = 'success'},
		"$name: the views are refreshed by keys again");
	$target->safe_psql($database, q{SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job WHERE owner = 'postgres'});
	until_ok($target, $database, q{SELECT count(*) = 0 FROM metrics_refresh.running}, "$name: at rest");
	until_ok($target, $database, q{SELECT count(*) = 0 FROM pg_trigger WHERE tgname ~ '^metrics_refresh_' AND substring(tgname FROM '\d+')::int NOT IN
		(SELECT id FROM metrics_refresh_internal.incremental_view)}, "$name: no trigger is left that nobody reads from");
	for my $view (qw(by_kind kinds by_key))
	{
		$target->safe_psql($database, "SELECT metrics_refresh.refresh('app.$view')");
	}
	is($target->safe_psql($database, q{
			SELECT count(*) FROM (TABLE app.by_kind EXCEPT SELECT kind, count(*), sum(amount) FROM app.event GROUP BY kind) x
			UNION ALL SELECT count(*) FROM (TABLE app.kinds EXCEPT SELECT count, count(*) FROM app.by_kind GROUP BY count) x
			UNION ALL SELECT count(*) FROM (TABLE app.by_key EXCEPT SELECT * FROM app.event WHERE amount > 3) x}),
		"0\n0\n0", "$name: and right");
	$target->safe_psql('postgres', "DROP DATABASE $database") if $target == $node;
	return;
}

# In one go.
{
	my $database = new_database();
	psql_file($database, dump_source('plain'));
	is_restored($database, 'plain');
}
{
	my $database = new_database();
	psql_file($database, dump_source('inserts', '--inserts', '--rows-per-insert=3', '--on-conflict-do-nothing'));
	is_restored($database, 'inserts');
}
my $custom = dump_source('custom', '-Fc');
for my $options ([], ['-j4'], ['--single-transaction'], ['--disable-triggers'])
{
	my $database = new_database();
	restore($database, $custom, @$options);
	is_restored($database, "custom @$options");
}
my $directory = dump_source('directory', '-Fd', '-j4');
for my $try (1 .. 2)
{
	my $database = new_database();
	restore($database, $directory, '-j4');
	is_restored($database, "directory -j4, try $try");
}

# In whatever order a parallel restore may take: dependent tables first.
{
	my $database = new_database();
	my ($list) = run_command([ 'pg_restore', '-l', $custom ]);
	my @entries = split /\n/, $list;
	my @before = grep { /^\d/ && !/TABLE DATA|SEQUENCE SET|INDEX|CONSTRAINT|TRIGGER|MATERIALIZED VIEW DATA|ACL/ } @entries;
	my @data = sort { ($b =~ /job_member|incremental_parent|removed/) <=> ($a =~ /job_member|incremental_parent|removed/) } grep { /TABLE DATA|SEQUENCE SET/ } @entries;
	my @after = grep { /^\d/ && /INDEX|CONSTRAINT|TRIGGER|MATERIALIZED VIEW DATA|ACL/ } @entries;
	append_to_file("$dir/list", join("\n", @before, @data, @after) . "\n");
	restore($database, $custom, '-L', "$dir/list");
	is_restored($database, 'members before jobs');
}

# Section by section, with jobs that run meanwhile.
{
	my $database = new_database();
	restore($database, $custom, '--section=pre-data');
	restore($database, $custom, '--section=data', '-j4');
	until_ok($node, $database, q{SELECT count(DISTINCT job_name) = 3 FROM metrics_refresh.run_log WHERE view_name IN ('by_kind', 'kinds', 'by_key') AND job_id IS NOT NULL
		AND status <> 'running'}, 'sections: jobs run between them');
	restore($database, $custom, '--section=post-data', '-j4');
	is_restored($database, 'sections', 'later');
}

# Schema, then data.
my $schema = dump_source('schema', '-s');
for my $options ([], ['--disable-triggers'])
{
	my $database = new_database();
	restore($database, $custom, '-s', @$options);
	restore($database, $custom, '-a', @$options);
	is_restored($database, "schema, then data, @$options", 'later');
	$database = new_database();
	psql_file($database, $schema, dump_source('data' . @$options, '-a', @$options));
	is_restored($database, "schema, then data, plain, @$options", 'later');
}

# One schema, with the extension or where it is there already.
{
	my $database = new_database();
	my $file = dump_source('schema_app', '-n', 'app', '-n', 'public', '-e', 'metrics_refresh');
	append_to_file("$file.here", slurp_file($file) =~ s/^CREATE SCHEMA public;$//mr);
	psql_file($database, "$file.here");
	is_restored($database, 'one schema and the extension', 'later');
}
{
	my $database = new_database();
	$node->safe_psql($database, 'CREATE EXTENSION metrics_refresh; CREATE SCHEMA app AUTHORIZATION app_owner');
	restore($database, $custom, map { ('-n', $_) } qw(app public metrics_refresh_internal));
	is_restored($database, 'schemas, into an extension that is there');
}

# Over what is there, whose jobs run.
for my $options ([], ['-j4'])
{
	my $database = new_database();
	restore($database, $custom);
	wait_for_runs($node, $database, 'listed', 1);
	restore($database, $custom, '--clean', '--if-exists', @$options);
	is_restored($database, "--clean @$options");
}

# A cluster, into another.
my $other = start_node('other', 'metrics_refresh.max_workers' => 4);
$node->command_ok([ 'pg_dumpall', '-f', "$dir/all" ], 'pg_dumpall');
my $all = slurp_file("$dir/all") =~ s/^(CREATE|ALTER) ROLE postgres.*\n//gmr;
append_to_file("$dir/all_but_me", $all);
$other->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/all_but_me", 'postgres' ], 'psql -f');
is_restored('source', 'pg_dumpall', undef, $other);

# What the triggers of our tables are is not for a restore to say; by its name one can be disabled.
my ($code, $out, $err) = $node->psql('source', 'ALTER TABLE metrics_refresh_internal.job DISABLE TRIGGER ALL');
like("$code $err", qr/^0 .*NOTICE:  the triggers of the table "job" of metrics_refresh stay as they are/, 'ALTER TABLE DISABLE TRIGGER ALL does nothing');
is($node->safe_psql('source', $configured), $jobs, 'indeed');
$node->safe_psql('source', 'ALTER TABLE metrics_refresh_internal.job DISABLE TRIGGER after_write; ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER after_write');

# A group without members.
$node->safe_psql('source', q{
	DELETE FROM metrics_refresh_internal.job_member;
	CREATE SCHEMA bare;
	SELECT metrics_refresh.alter_job('of schema', schedule => '1 second');
	UPDATE metrics_refresh_internal.job SET group_schema = 'bare' WHERE job_name = 'of schema'});
until_ok($node, 'source', q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'listed' AND status = 'error' AND sqlstate = '55000'
	AND error_message = 'group "listed" has no views'}, 'the run of a group that has lost its members fails');
until_ok($node, 'source', q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'of schema' AND status = 'skipped'
	AND error_message = 'schema "bare" holds no materialized views'}, 'that of a schema without views is skipped');
like(hurt($node, 'source'), qr/^group_members\|warning\|group listed has no materialized views\ngroup_members\|warning\|group of schema has no materialized views$/m,
	'health says so');
is($node->safe_psql('source', q{SELECT count(*) FROM metrics_refresh.run_log l WHERE job_name IN ('listed', 'of schema') AND status = 'success' AND job_id IS NOT NULL
	AND started_at > (SELECT min(started_at) FROM metrics_refresh.run_log WHERE sqlstate = '55000')}), 0, 'and none succeeds');

# Whoever restores holds off what would begin, and nothing else: the scheduler ends runs in time meanwhile.
my $held = new_database();
create_extension($node, $held);
$node->safe_psql('postgres', q{ALTER SYSTEM SET metrics_refresh.cancel_grace = '1s'});
$node->reload;
my $run = $node->safe_psql($held, q{
	SELECT metrics_refresh.schedule_command('stubborn', NULL,
	  'DO $x$ BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $x$');
	SELECT metrics_refresh.trigger('stubborn')});
$run =~ s/.*\n//;
wait_for_run($node, $held, 'stubborn');
my ($in, $out, $err) = ("COPY metrics_refresh_internal.removed_default_job FROM PROGRAM 'true';\nSELECT 'copied';\n", '', '');
my $restoring = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($held) ], '<', \$in, '>', \$out, '2>', \$err);
$restoring->pump until $out =~ /copied/ || $err ne '';
is($err, '', 'a session restores');
$node->safe_psql($held, q{SELECT metrics_refresh.schedule_command('later', '1 second', 'SELECT 1')});
$node->safe_psql($held, "SELECT metrics_refresh.cancel($run)");
until_ok($node, $held, "SELECT status = 'canceled' FROM metrics_refresh.run_log WHERE run_id = $run", 'a run that catches its cancel is ended all the same');
is($node->safe_psql($held, q{SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'later'}), 0, 'and no other has begun');
$in .= "\\q\n";
$restoring->finish;
wait_for_runs($node, $held, 'later', 1, 'which begins once the session has left');

$_->stop for $node, $other;
done_testing();
