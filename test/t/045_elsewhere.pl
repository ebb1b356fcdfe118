# Tables whose rows may be written past this server's counts: distributed ones (Citus), those whose scan
# an extension replaces, foreign ones; partitions on their way out; rows that are removed without a
# transaction number. A view over them is never called fresh wrongly, and it is said why it is not. And
# views whose own access method cannot do what a strategy needs.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = build_module('stand_in');
my $node = start_node(
	'elsewhere',
	shared_preload_libraries => "metrics_refresh,$module",
	autovacuum => 'off',
	'metrics_refresh.log_skips' => 'off');
create_extension($node);

sub query { return $node->safe_psql('postgres', $_[0]); }
sub strategy { return query("SELECT metrics_refresh.refresh('$_[0]') ->> 'strategy'"); }
sub explained { return query("SELECT $_[1] FROM metrics_refresh.explain_refresh('$_[0]')"); }
sub health { return query("SELECT severity, detail FROM metrics_refresh.health_check() WHERE check_name = 'changes' ORDER BY detail"); }

sub refused
{
	my ($view) = @_;
	my (undef, undef, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT metrics_refresh.schedule('$view', strategy => 'incremental')");
	return $err;
}

# A test: the view is refreshed each time, in whatever way, and says why.
sub never_skipped
{
	my ($view, $why, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join(' ', map { strategy($view) } 1 .. 3), 'diff diff diff', "$name: never skipped");
	like(explained($view, 'change_state'), $why, 'and it is said why');
	return;
}

sub skipped
{
	my ($view, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	strategy($view);
	return is(strategy($view), 'skip', $name);
}

sub sets
{
	my ($name, $value) = @_;
	query("ALTER SYSTEM SET $name = '$value'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('$name') = '$value'") or die $name;
	return;
}

subtest 'distributed tables' => sub {
	query(q{
		CREATE TABLE by_hash (id int PRIMARY KEY, n int);
		CREATE TABLE reference (id int PRIMARY KEY, n int);
		CREATE TABLE one_shard (id int PRIMARY KEY, n int);
		CREATE TABLE managed (id int PRIMARY KEY, n int);
		CREATE TABLE plain (id int PRIMARY KEY, n int);
		CREATE TABLE parted (id int, n int) PARTITION BY RANGE (id);
		CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
		CREATE TABLE mixed (id int, n int) PARTITION BY RANGE (id);
		CREATE TABLE mixed_1 PARTITION OF mixed FOR VALUES FROM (0) TO (10);
		CREATE TABLE mixed_2 PARTITION OF mixed FOR VALUES FROM (10) TO (20);
		CREATE VIEW through AS SELECT id, n FROM by_hash;
		CREATE MATERIALIZED VIEW v_by_hash AS SELECT n, count(*) FROM by_hash GROUP BY n;
		CREATE MATERIALIZED VIEW v_reference AS SELECT id, n FROM reference;
		CREATE MATERIALIZED VIEW v_one_shard AS SELECT id, n FROM one_shard;
		CREATE MATERIALIZED VIEW v_managed AS SELECT id, n FROM managed;
		CREATE MATERIALIZED VIEW v_parted AS SELECT id, n FROM parted;
		CREATE MATERIALIZED VIEW v_mixed AS SELECT id, n FROM mixed;
		CREATE MATERIALIZED VIEW v_through AS SELECT id, n FROM through;
		CREATE MATERIALIZED VIEW v_subquery AS SELECT id, n FROM plain WHERE n IN (SELECT n FROM by_hash);
		CREATE MATERIALIZED VIEW v_plain AS SELECT id, n FROM plain;
		CREATE MATERIALIZED VIEW v_kept AS SELECT id, n FROM managed});
	my %reads = (
		v_by_hash => 'by_hash', v_reference => 'reference', v_one_shard => 'one_shard',
		v_managed => 'managed', v_parted => 'parted', v_mixed => 'mixed_2', v_through => 'by_hash',
		v_subquery => 'by_hash');
	skipped($_, "$_ is skipped before its table is distributed") for sort keys %reads;
	query(q{SELECT metrics_refresh.schedule('v_kept', strategy => 'incremental', job_name => 'kept')});
	sub kept { return query(q{SELECT (r ->> 'strategy') || ': ' || (r ->> 'reason') FROM metrics_refresh.refresh('v_kept', 'incremental') r}); }
	kept() for 1 .. 2;
	query('INSERT INTO managed VALUES (1, 1)');
	like(kept(), qr/^incremental: the rows of 1 key/, 'a view is kept by keys');
	skipped('v_managed', 'v_managed is skipped again');

	query(q{SET allow_system_table_mods = on;
		CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL, partmethod "char" NOT NULL,
		  partkey text, colocationid int, repmodel "char", autoconverted boolean);
		CREATE UNIQUE INDEX pg_dist_partition_logical_relid_index ON pg_catalog.pg_dist_partition (logicalrelid);
		INSERT INTO pg_dist_partition VALUES
		  ('by_hash', 'h', 'id', 1, 's', false), ('reference', 'n', NULL, 2, 't', false), ('one_shard', 'n', NULL, 3, 's', false),
		  ('managed', 'n', NULL, 0, 's', true), ('parted', 'h', 'id', 1, 's', false), ('parted_1', 'h', 'id', 1, 's', false),
		  ('mixed_2', 'h', 'id', 1, 's', false)});
	for my $view (sort keys %reads)
	{
		my $why = qr/^rows of the table $reads{$view} may be written elsewhere: it is distributed by Citus/;
		is(explained($view, 'strategy'), 'diff', "$view is not skipped once its table is distributed");
		never_skipped($view, $why, $view);
	}
	skipped('v_plain', 'a view of none of them is skipped');
	like(explained('v_by_hash', 'incremental'), qr/^not possible: rows of the table by_hash may be written elsewhere/, 'explain_refresh() says that incremental is not possible');
	like(refused($_), qr/ERROR:  0A000: .*"$_" cannot be refreshed incrementally.*rows of the table $reads{$_} may be written elsewhere/s, "nor is it set up for $_")
	  for qw(v_by_hash v_reference v_one_shard v_managed v_through);
	query('UPDATE managed SET n = 2');
	like(kept(), qr/^diff: rows of the table managed may be written elsewhere/, 'what was set up before looks at all rows, and says why') for 1 .. 2;
	query(q{SELECT metrics_refresh.schedule('v_mixed', job_name => 'mixed'), metrics_refresh.schedule('v_plain', job_name => 'plain')});
	query(q{SELECT metrics_refresh.schedule_group('both', ARRAY['v_plain', 'v_through']::regclass[])});
	is(health(), join("\n",
		'warning|public.v_kept is refreshed as a whole, although its strategy is incremental: rows of the table public.managed may be written elsewhere: it is distributed by Citus',
		'ok|public.v_mixed is refreshed at every due time, changed or not: rows of the table public.mixed_2 may be written elsewhere: it is distributed by Citus',
		'ok|public.v_through is refreshed at every due time, changed or not: rows of the table public.by_hash may be written elsewhere: it is distributed by Citus'),
		'health_check() names them');
	# It waits for nobody.
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('BEGIN; LOCK TABLE by_hash');
	like(health(), qr/public.by_hash/, 'also while somebody holds the table');
	$holder->quit;

	query(q{SET allow_system_table_mods = on; DELETE FROM pg_dist_partition WHERE logicalrelid <> 'by_hash'::regclass});
	skipped('v_managed', 'a table that is distributed no more is counted');
	kept();
	query('UPDATE managed SET n = 3');
	like(kept(), qr/^incremental/, 'and captured');
	is(query('TABLE v_kept'), '1|3', 'rightly');
	query(q{SET allow_system_table_mods = on; DROP INDEX pg_catalog.pg_dist_partition_logical_relid_index});
	never_skipped('v_by_hash', qr/by_hash may be written elsewhere/, 'a catalog without its index');
	query(q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job;
		SET allow_system_table_mods = on; DROP TABLE pg_catalog.pg_dist_partition});
	skipped('v_by_hash', 'without the other extension all is as before');
	# A table of that name that is another one
	query(q{CREATE TABLE pg_dist_partition (logicalrelid regclass); INSERT INTO pg_dist_partition VALUES ('by_hash')});
	skipped('v_by_hash', 'a user\'s table of that name means nothing');
	query('DROP TABLE pg_dist_partition');
	for my $columns ('logicalrelid text', 'other regclass')
	{
		query("SET allow_system_table_mods = on; CREATE TABLE pg_catalog.pg_dist_partition ($columns)");
		skipped('v_by_hash', "nor one with the column $columns");
		query('SET allow_system_table_mods = on; DROP TABLE pg_catalog.pg_dist_partition');
	}
};

subtest 'scans that are replaced' => sub {
	query(q{
		CREATE TABLE scanned (id int PRIMARY KEY, n int);
		CREATE TABLE tree (id int, n int) PARTITION BY RANGE (id);
		CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
		CREATE TABLE tree_2 PARTITION OF tree FOR VALUES FROM (10) TO (20);
		INSERT INTO scanned VALUES (1, 1);
		CREATE MATERIALIZED VIEW v_scanned AS SELECT id, n FROM scanned;
		CREATE MATERIALIZED VIEW v_tree AS SELECT id, n FROM tree;
		CREATE MATERIALIZED VIEW v_scanned_kept AS SELECT id, n FROM scanned;
		SELECT metrics_refresh.schedule('v_scanned_kept', strategy => 'incremental', job_name => 'kept')});
	skipped($_, "$_ is skipped while its scan is the server's") for qw(v_scanned v_tree);
	query(q{SELECT metrics_refresh.schedule('v_scanned', '1 second', job_name => 'beat')});
	until_ok($node, 'postgres', q{SELECT skipped > 1 FROM metrics_refresh.job_status WHERE job_name = 'beat'}, 'in a job as well');
	sub scanned_kept { return query(q{SELECT (r ->> 'strategy') || ': ' || (r ->> 'reason') FROM metrics_refresh.refresh('v_scanned_kept', 'incremental') r}); }
	scanned_kept() for 1 .. 2;
	sets('stand_in.tables', 'scanned, tree_2');
	never_skipped('v_scanned', qr/^rows of the table scanned may be written elsewhere: the scan stand-in takes the place of its own/, 'a table whose scan is replaced');
	never_skipped('v_tree', qr/^rows of the table tree_2 may be written elsewhere/, 'a partition whose scan is replaced');
	wait_for_runs($node, 'postgres', 'beat', 2, 'the job that was skipped runs at its due times')
	  or die;
	like(refused('v_scanned'), qr/ERROR:  0A000: .*"v_scanned" cannot be refreshed incrementally.*rows of the table scanned may be written elsewhere/s, 'incremental is refused');
	like(explained('v_scanned', 'incremental'), qr/^not possible: rows of the table scanned may be written elsewhere/, 'and explained');
	query('UPDATE scanned SET n = 2');
	like(scanned_kept(), qr/^diff: rows of the table scanned may be written elsewhere/, 'what was set up before looks at all rows') for 1 .. 2;
	is(query('TABLE v_scanned_kept'), '1|2', 'and is right');
	is(health(), join("\n",
		'ok|public.v_scanned is refreshed at every due time, changed or not: rows of the table public.scanned may be written elsewhere: the scan stand-in takes the place of its own',
		'warning|public.v_scanned_kept is refreshed as a whole, although its strategy is incremental: rows of the table public.scanned may be written elsewhere: the scan stand-in takes the place of its own'),
		'health_check() names it');
	sets('stand_in.scan', 'ColumnarScan');
	skipped($_, "$_ is skipped with a scan that is known to read here") for qw(v_scanned v_tree);
	like((map { scanned_kept() } 1 .. 2)[1], qr/^incremental/, 'and kept by keys');
	sets('stand_in.scan', 'stand-in');

	# A session remembers what the planner said, until something is different.
	sets('stand_in.tables', '');
	query(qq{CREATE FUNCTION stand_in_scans() RETURNS bigint LANGUAGE c AS '$module'});
	my $session = $node->background_psql('postgres');
	my $in_session = sub { $session->query_safe("SELECT metrics_refresh.refresh('$_[0]') ->> 'strategy'") };
	my $planned = sub { my $before = $session->query_safe('SELECT stand_in_scans()'); $in_session->('v_tree'); return $session->query_safe("SELECT stand_in_scans() - $before") };
	$in_session->('v_tree') for 1 .. 10;
	is($in_session->('v_tree'), 'skip', 'a view of partitions is skipped again and again');
	is($planned->(), 0, 'and planned no more');
	$session->query_safe(q{SET stand_in.tables = 'tree_1'});
	is($in_session->('v_tree'), 'diff', 'a setting of the library is another one') for 1 .. 2;
	$session->query_safe(q{SET stand_in.tables = 'tree_3'});
	is(join(' ', map { $in_session->('v_tree') } 1 .. 2), 'diff skip', 'and yet another');
	query('CREATE TABLE tree_3 PARTITION OF tree FOR VALUES FROM (20) TO (30)');
	is($in_session->('v_tree'), 'diff', 'a partition comes whose scan is replaced') for 1 .. 2;
	query('ALTER TABLE tree_3 RENAME TO tree_4');
	is(join(' ', map { $in_session->('v_tree') } 1 .. 2), 'diff skip', 'is another one');
	query('ALTER TABLE tree_2 RENAME TO tree_3');
	is($in_session->('v_tree'), 'diff', 'and takes the name of another') for 1 .. 2;
	$session->query_safe(q{BEGIN; ALTER TABLE tree_3 RENAME TO tree_2});
	is($in_session->('v_tree'), 'diff', 'what this transaction has changed counts');
	$session->query_safe('ROLLBACK');
	is($in_session->('v_tree'), 'diff', 'as does that it was rolled back') for 1 .. 2;
	query('DROP TABLE tree_4; ALTER TABLE tree_3 RENAME TO tree_2');
	$session->quit;

	# A plan runs what is in the indexes of a table: nobody who only looks makes one for another role.
	query(q{
		CREATE ROLE admin; CREATE ROLE owner; GRANT CREATE ON SCHEMA public TO owner;
		SET ROLE owner;
		CREATE FUNCTION tells(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
		  IF current_setting('tells.off', true) IS DISTINCT FROM 'on' THEN RAISE EXCEPTION 'planned'; END IF;
		  RETURN true; END $$;
		CREATE TABLE told (id int PRIMARY KEY);
		SET tells.off = on;
		CREATE INDEX ON told (id) WHERE tells(1);
		CREATE MATERIALIZED VIEW v_told AS SELECT id FROM told});
	sets('metrics_refresh.admin_role', 'admin');
	my $look = q{SELECT strategy FROM metrics_refresh.explain_refresh('v_told')};
	for my $role (qw(admin postgres))
	{
		my (undef, $out, $err) = $node->psql('postgres', "SET ROLE $role; $look; SELECT count(*) FROM metrics_refresh.health_check() WHERE check_name = 'none'");
		is("$out$err", "diff\n0", "$role, who only looks, runs no code of the owner's");
	}
	(undef, undef, my $err) = $node->psql('postgres', "SET ROLE owner; $look");
	like($err, qr/planned/, 'the owner himself does');
	sets('metrics_refresh.admin_role', '');
	query('DROP TABLE told CASCADE');
	sets('stand_in.tables', '');
	query(q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job});
	skipped($_, "$_ is skipped again") for qw(v_scanned v_tree);
};

subtest 'foreign tables' => sub {
	my $file = PostgreSQL::Test::Utils::tempdir() . '/rows.csv';
	append_to_file($file, "11,1\n");
	query(qq{
		CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
		CREATE FOREIGN TABLE afar (id int, n int) SERVER files OPTIONS (filename '$file', format 'csv');
		CREATE TABLE near (id int, n int) PARTITION BY RANGE (id);
		CREATE TABLE near_1 PARTITION OF near FOR VALUES FROM (0) TO (10);
		CREATE MATERIALIZED VIEW v_afar AS SELECT id, n FROM afar;
		CREATE MATERIALIZED VIEW v_near AS SELECT id, n FROM near;
		CREATE TABLE heir (id int, n int);
		CREATE MATERIALIZED VIEW v_heir AS SELECT id, n FROM heir});
	skipped('v_near', 'a partitioned table without a foreign partition is counted');
	skipped('v_heir', 'and a table without a foreign child');
	query(qq{CREATE FOREIGN TABLE near_2 PARTITION OF near FOR VALUES FROM (10) TO (20) SERVER files OPTIONS (filename '$file', format 'csv');
		CREATE FOREIGN TABLE heir_1 () INHERITS (heir) SERVER files OPTIONS (filename '$file', format 'csv')});
	my %reads = (v_afar => 'afar', v_near => 'near_2', v_heir => 'heir_1');
	never_skipped($_, qr/^changes of the foreign table $reads{$_} cannot be seen/, $_) for sort keys %reads;
	append_to_file($file, "12,2\n");
	for my $view (sort keys %reads)
	{
		strategy($view);
		is(query("SELECT count(*) FROM $view"), 2, "$view has what was written to the file");
	}
	like(refused('v_afar'), qr/ERROR:  0A000: .*foreign table afar/s, 'incremental is refused');
	query(q{SELECT metrics_refresh.schedule('v_near', job_name => 'near')});
	is(health(), 'ok|public.v_near is refreshed at every due time, changed or not: changes of the foreign table public.near_2 cannot be seen here', 'health_check() names it');
	query(q{SELECT metrics_refresh.unschedule('near')});
};

subtest 'a partition that is being detached' => sub {
	query(q{
		CREATE TABLE p (id int) PARTITION BY LIST (id);
		CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
		CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2);
		INSERT INTO p VALUES (1), (2);
		CREATE MATERIALIZED VIEW v_p AS SELECT 'all' AS what, count(*) FROM p UNION ALL SELECT 'one', count(*) FROM p_2});
	skipped('v_p', 'a view of a partitioned table and of a partition');
	my $reader = $node->background_psql('postgres');
	$reader->query_safe('BEGIN; SELECT count(*) FROM p');
	my (undef, undef, $err) = $node->psql('postgres', q{SET statement_timeout = '1s'; ALTER TABLE p DETACH PARTITION p_2 CONCURRENTLY});
	like($err, qr/statement timeout/, 'the detachment has to wait, and is pending');
	$reader->quit;
	is(query('SELECT count(*) FROM p'), 1, 'its rows are the parent\'s no more');
	is(strategy('v_p'), 'diff', 'the view is not fresh');
	is(query('TABLE v_p ORDER BY what'), "all|1\none|1", 'and is right after its refresh');
	skipped('v_p', 'then skipped');
	query('ALTER TABLE p DETACH PARTITION p_2 FINALIZE');
	strategy('v_p');
	is(query('TABLE v_p ORDER BY what'), "all|1\none|1", 'right, too, when it is done');
	query('ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES IN (2)');
	is(strategy('v_p'), 'diff', 'attached again, it is not fresh');
	is(query('TABLE v_p ORDER BY what'), "all|2\none|1", 'and right after its refresh');
};

subtest 'rows that are removed without a transaction number' => sub {
	query(qq{
		CREATE FUNCTION stand_in_kill(regclass, tid) RETURNS void STRICT LANGUAGE c AS '$module';
		CREATE EXTENSION pg_surgery;
		CREATE TABLE hurt (id int); CREATE UNLOGGED TABLE hurt_unlogged (id int);
		INSERT INTO hurt SELECT generate_series(1, 40); INSERT INTO hurt_unlogged SELECT generate_series(1, 40);
		CREATE TABLE aside (id int);
		CREATE MATERIALIZED VIEW v_hurt AS SELECT count(*) FROM hurt;
		CREATE MATERIALIZED VIEW v_hurt_unlogged AS SELECT count(*) FROM hurt_unlogged;
		CREATE MATERIALIZED VIEW v_hurt_kept AS SELECT id FROM hurt;
		SELECT metrics_refresh.schedule('v_hurt_kept', strategy => 'incremental', job_name => 'kept')});
	sub hurt_kept { return query(q{SELECT metrics_refresh.refresh('v_hurt_kept', 'incremental') ->> 'strategy'}); }
	hurt_kept() for 1 .. 2;
	# Each way of the transaction, with a number of its own or without; by what keeps the lock and what does not
	my @ways = (
		'%s', 'BEGIN; %s; COMMIT', 'BEGIN; %s; ROLLBACK', 'BEGIN; SAVEPOINT s; %s; ROLLBACK TO s; COMMIT',
		# Savepoints that come after it
		'BEGIN; SAVEPOINT s; %s; SAVEPOINT t; ROLLBACK TO s; COMMIT',
		'BEGIN; SAVEPOINT s; %s; SAVEPOINT t; RELEASE t; ROLLBACK TO s; COMMIT',
		'BEGIN; %s; SAVEPOINT s; ROLLBACK TO s; ROLLBACK',
		# A number that is rolled back with it
		'BEGIN; SELECT txid_current(); %s; ROLLBACK',
		'BEGIN; %s; INSERT INTO aside VALUES (1); ROLLBACK',
		'BEGIN; SAVEPOINT s; SELECT txid_current(); %s; ROLLBACK TO s; COMMIT',
		'BEGIN; SAVEPOINT s; %s; INSERT INTO aside VALUES (1); ROLLBACK TO s; COMMIT',
		'BEGIN; SAVEPOINT s; %s; SAVEPOINT t; INSERT INTO aside VALUES (1); ROLLBACK TO s; COMMIT',
		'BEGIN; INSERT INTO aside VALUES (1); SAVEPOINT s; INSERT INTO aside VALUES (1); SAVEPOINT t; %s; RELEASE t; ROLLBACK TO s; COMMIT');
	my %kills = (
		stand_in_kill => q{SELECT stand_in_kill('%s', '(0,%d)')},
		pg_surgery => q{SELECT heap_force_kill('%s', ARRAY['(0,%d)']::tid[])});
	for my $table (qw(hurt hurt_unlogged))
	{
		my $row = 0;
		for my $tool (sort keys %kills)
		{
			for my $way (@ways)
			{
				skipped("v_$table", "v_$table is skipped");
				$row++;
				query(sprintf $way, sprintf $kills{$tool}, $table, $row);
				is(strategy("v_$table"), 'diff', "$tool removes a row: $way");
				is(query("SELECT v.count = (SELECT count(*) FROM $table) FROM v_$table v"), 't', 'and it is gone from the view');
			}
		}
		is(query("SELECT count(*) FROM $table"), 40 - $row, 'all of them are gone');
	}
	is(hurt_kept(), 'diff', 'a view that is kept by keys looks at all rows');
	is(query('SELECT count(*) = (SELECT count(*) FROM hurt) FROM v_hurt_kept'), 't', 'and is right');
	# Those who look for work and find none leave the view fresh.
	skipped('v_hurt', 'v_hurt is skipped');
	query($_) for 'UPDATE hurt SET id = 0 WHERE false', 'DELETE FROM hurt WHERE id = -1',
	  'BEGIN; SELECT FROM hurt FOR UPDATE SKIP LOCKED LIMIT 0; DELETE FROM hurt WHERE id = -1; COMMIT';
	is(strategy('v_hurt'), 'skip', 'statements that found no row to change leave it fresh');
	query($_) for 'BEGIN; UPDATE hurt SET id = 0; ROLLBACK', 'BEGIN; INSERT INTO aside VALUES (1); SAVEPOINT s; UPDATE hurt SET id = 0; SAVEPOINT t; DELETE FROM hurt; ROLLBACK TO s; COMMIT',
	  'BEGIN; SAVEPOINT s; DELETE FROM hurt; RELEASE s; INSERT INTO aside VALUES (1); ROLLBACK';
	is(strategy('v_hurt'), 'skip', 'and so do changes that were rolled back');
	query(q{SELECT metrics_refresh.unschedule('kept')});
};

subtest 'access methods' => sub {
	query(qq{
		CREATE FUNCTION no_deletes(internal) RETURNS table_am_handler LANGUAGE c AS '$module', 'stand_in_handler';
		CREATE ACCESS METHOD no_deletes TYPE TABLE HANDLER no_deletes;
		CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
		CREATE TABLE told_off (id int PRIMARY KEY, n int);
		INSERT INTO told_off VALUES (1, 1);
		CREATE MATERIALIZED VIEW v_am USING no_deletes AS SELECT id, n FROM told_off;
		CREATE UNIQUE INDEX ON v_am (id);
		CREATE MATERIALIZED VIEW v_heap USING other_heap AS SELECT id, n FROM told_off;
		CREATE UNIQUE INDEX ON v_heap (id);
		CREATE MATERIALIZED VIEW v_bare USING no_deletes AS SELECT id, n FROM told_off});
	my $said = sub {
		my ($view, $strategy) = @_;
		query('UPDATE told_off SET n = n + 1');
		my $answer = query("SELECT (r ->> 'success') || ' ' || (r ->> 'strategy') || ': ' || (r ->> 'reason') FROM metrics_refresh.refresh('$view', '$strategy') r");
		is(query("SELECT NOT EXISTS (TABLE $view EXCEPT TABLE told_off)"), 't', "$view is right after $strategy");
		return $answer;
	};
	is(explained('v_am', 'strategy'), 'full', 'auto does not choose what may not work');
	like(explained('v_am', 'reason'), qr/access method no_deletes/, 'and says why');
	like($said->('v_am', 'auto'), qr/^true full: .*access method no_deletes/, 'it refreshes in full');
	like($said->('v_am', 'diff'), qr/^true full: .*diff.*access method no_deletes/, 'diff falls back to it, and says so');
	for my $plain (qw(off on))
	{
		query("ALTER DATABASE postgres SET stand_in.plain_errors = $plain");
		like($said->('v_am', 'concurrently'), qr/^true full: concurrently failed.*no UPDATE and no DELETE/, "concurrently falls back when it fails as not supported (plain errors $plain)");
	}
	is(query('BEGIN; SELECT metrics_refresh.refresh(\'v_am\', \'concurrently\') ->> \'strategy\'; COMMIT'), 'concurrently', 'where nothing is to be deleted it does what it was asked for');
	like($said->('v_heap', 'auto'), qr/^true diff/, 'heap by another name is heap');
	query('ALTER SYSTEM SET stand_in.plain_errors = off');

	# What only core can refresh is audited as well, by what the view holds before and after.
	query(q{
		CREATE LANGUAGE closed HANDLER plpgsql_call_handler;
		CREATE TABLE hidden (n int); INSERT INTO hidden VALUES (1);
		CREATE FUNCTION lies() RETURNS int IMMUTABLE LANGUAGE closed AS 'BEGIN RETURN (SELECT n FROM public.hidden); END';
		CREATE MATERIALIZED VIEW v_lied USING no_deletes AS SELECT id, lies() AS n FROM told_off;
		CREATE MATERIALIZED VIEW v_loose USING no_deletes AS SELECT array_agg(id) AS ids, array_agg(lies()) AS n FROM told_off});
	my $audited = sub {
		my ($view) = @_;
		return query("SET metrics_refresh.audit_every = 2; SET client_min_messages = error; SELECT (r ->> 'strategy') || ': ' || (r ->> 'reason') FROM metrics_refresh.refresh('$view') r");
	};
	for my $view (qw(v_lied v_loose))
	{
		like($audited->($view), qr/^full: .*access method/, "$view is refreshed in full");
		like($audited->($view), qr/^skip/, 'then skipped');
		like($audited->($view), qr/^full: an audit of skipping found nothing wrong/, 'and audited');
		like($audited->($view), qr/^skip/, 'and skipped again');
	}
	query('UPDATE hidden SET n = 2');
	is($audited->('v_lied'), 'full: an audit of skipping corrected rows', 'until an audit finds what it does not know of');
	like(explained('v_lied', 'change_state'), qr/^not skipped any more: an audit of skipping corrected rows/, 'which ends the skipping');
	is(query('SELECT DISTINCT n FROM v_lied'), 2, 'and mends it');
	is($audited->('v_loose'), 'full: an audit of skipping found nothing wrong beside what is not compared: array_agg() depends on the order in which rows are read', 'what is left to the plan is not compared');

	# In jobs, and in a group on one snapshot
	query(q{SELECT metrics_refresh.schedule('v_am', NULL, job_name => 'am', strategy => 'concurrently'),
		metrics_refresh.schedule('v_heap', NULL, job_name => 'heap', strategy => 'incremental'),
		metrics_refresh.schedule_group('all', ARRAY['v_am', 'v_heap']::regclass[], strategy => 'concurrently', isolation => 'repeatable_read')});
	for my $job (qw(am heap all))
	{
		query('UPDATE told_off SET n = n + 1');
		my $run = query("SELECT metrics_refresh.trigger('$job')");
		is(query("SELECT metrics_refresh.wait($run, '1 minute')"), 'success', "the job $job succeeds");
	}
	is(query(q{SELECT strategy, strategy_reason LIKE 'concurrently failed%' FROM metrics_refresh.run_log WHERE job_name = 'am' ORDER BY run_id DESC LIMIT 1}),
		'full|t', 'and its log says how');
	is(query(q{SELECT string_agg(strategy, ' ' ORDER BY view_name) FROM metrics_refresh.run_log WHERE group_run_id = (SELECT max(group_run_id) FROM metrics_refresh.run_log) AND view_name IS NOT NULL}),
		'full concurrently', 'so does the group\'s');
	like(refused('v_am'), qr/ERROR:  0A000: .*"v_am" cannot be refreshed incrementally.*access method no_deletes/s, 'incremental is refused');
	like(explained('v_am', 'incremental'), qr/^not possible: .*access method no_deletes/, 'and explained');
	query(q{SELECT metrics_refresh.schedule('v_bare', NULL, job_name => 'bare')});
	is(query(q{SELECT count(*) FROM metrics_refresh.health_check() WHERE check_name = 'unique_index' AND severity <> 'ok'}), 0,
		'health asks for no index that auto does not use');
};

# Hypertables have their chunks here, compressed ones too. Debian carries it for some versions.
subtest 'TimescaleDB' => sub {
	my $there = query(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'});
	plan skip_all => 'timescaledb is not installed for this server' unless $there;
	$node->stop;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'timescaledb,metrics_refresh,$module'\ntimescaledb.telemetry_level = off");
	$node->start;
	query(q{
		CREATE EXTENSION timescaledb;
		CREATE TABLE metric (at timestamptz NOT NULL, n int);
		SELECT create_hypertable('metric', 'at');
		INSERT INTO metric SELECT '2026-01-01'::timestamptz + g * interval '1 day', g FROM generate_series(1, 30) g;
		CREATE MATERIALIZED VIEW v_metric AS SELECT n, count(*) FROM metric GROUP BY n});
	my $is_right = sub { query('SELECT NOT EXISTS ((TABLE v_metric EXCEPT SELECT n, count(*) FROM metric GROUP BY n) UNION ALL (SELECT n, count(*) FROM metric GROUP BY n EXCEPT TABLE v_metric))') };
	my $change = sub {
		my ($statement) = @_;
		skipped('v_metric', 'a view of a hypertable is skipped');
		query($statement);
		is(strategy('v_metric'), 'diff', "after $statement it is refreshed");
		is($is_right->(), 't', 'and right');
	};
	$change->($_)
	  for q{INSERT INTO metric VALUES ('2026-01-05', 100)}, q{INSERT INTO metric VALUES ('2027-01-05', 100)},
	  q{UPDATE metric SET n = 7 WHERE n = 8}, q{DELETE FROM metric WHERE n = 9}, q{SELECT drop_chunks('metric', '2026-01-10'::timestamptz)};
	# Chunks are children: no view over them is kept by keys, and one that was is not from the first chunk on.
	like(refused('v_metric'), qr/ERROR:  0A000: .*the table metric has children that inherit from it/s, 'incremental is refused');
	query(q{
		CREATE TABLE later (at timestamptz NOT NULL, n int);
		CREATE MATERIALIZED VIEW v_later AS SELECT n, count(*) FROM later GROUP BY n;
		SELECT metrics_refresh.schedule('v_later', NULL, strategy => 'incremental', job_name => 'later')});
	my $later = sub {
		my ($statement) = @_;
		query($statement);
		my $how = query(q{SELECT (r ->> 'strategy') || ': ' || (r ->> 'reason') FROM metrics_refresh.refresh('v_later', 'incremental') r});
		is(query('SELECT NOT EXISTS (SELECT n, count(*) FROM later GROUP BY n EXCEPT TABLE v_later)'), 't', "right after $statement");
		return $how;
	};
	$later->(q{INSERT INTO later VALUES ('2026-01-05', 1)});
	like($later->(q{INSERT INTO later VALUES ('2026-02-05', 1)}), qr/^incremental/, 'a view of a table is kept by keys');
	like($later->($_), qr/^diff: the table later has children that inherit from it/, 'and not once it is a hypertable with chunks')
	  for q{SELECT create_hypertable('later', 'at', migrate_data => true)}, q{INSERT INTO later VALUES ('2026-03-05', 1)};
	query(q{SELECT metrics_refresh.unschedule('later')});

	my ($code) = $node->psql('postgres', q{ALTER TABLE metric SET (timescaledb.compress, timescaledb.compress_segmentby = 'n');
		SELECT compress_chunk(c) FROM show_chunks('metric') c});
	if ($code != 0)
	{
		diag 'this build of timescaledb compresses no chunks';
		return;
	}
	strategy('v_metric');
	is($is_right->(), 't', 'right after its chunks are compressed');
	$change->($_)
	  for q{INSERT INTO metric VALUES ('2026-01-20', 200)}, q{UPDATE metric SET n = 5 WHERE n = 20};
	# A whole batch goes without being decompressed, and many rows come compressed.
	$change->($_)
	  for q{DELETE FROM metric WHERE n = 21},
	  q{SET timescaledb.enable_direct_compress_insert = on; INSERT INTO metric SELECT '2026-01-21'::timestamptz + g * interval '1 s', 6 FROM generate_series(1, 4000) g};
	query($_), is($is_right->(), 't', "right after $_")
	  for q{SELECT compress_chunk(c, recompress => true) FROM show_chunks('metric') c}, q{SELECT decompress_chunk(c) FROM show_chunks('metric') c LIMIT 1};
	strategy('v_metric');
	$change->('TRUNCATE metric');
};

$node->stop;
done_testing();
