# Attacks on what the scheduler takes away by itself, the delta tables and triggers that are left over,
# and on tables of ours by roles that may read or write all tables. As in 038_attacks_on_service.pl, each
# role has a LOGIN and a schema of its own; some have a predefined role besides.
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

my $left_over = 'FROM metrics_refresh_internal.incremental_leftover';
my $deltas = q{FROM pg_class WHERE relname ~ '^delta_\d+_\d+$'};
my $log_at = 0;

# The lines of the server log since this was last called in which that stands.
sub logged
{
	my ($what) = @_;
	my $log = slurp_file($node->logfile, $log_at);
	$log_at += length $log;
	return scalar(() = $log =~ /$what/g);
}

# Incremental views of a table, each with a job.
sub make_views
{
	my ($role, $count, $key) = @_;
	$key //= 'int';
	as($role, qq{
		CREATE TABLE $role.t (k $key PRIMARY KEY, v text); INSERT INTO $role.t SELECT n::$key, repeat('x', n) FROM generate_series(1, 5) n;
		DO \$\$ BEGIN FOR n IN 1 .. $count LOOP
		  EXECUTE format('CREATE MATERIALIZED VIEW $role.m%s AS SELECT k, v, %s AS n FROM $role.t', n, n);
		  EXECUTE format('CREATE UNIQUE INDEX ON $role.m%s (k)', n);
		  PERFORM metrics_refresh.schedule(('$role.m' || n)::regclass, NULL, 'm' || n, strategy => 'incremental');
		END LOOP; END \$\$});
	return;
}

subtest 'constants that make something depend on a delta table' => sub {
	make_views('alice', 4, 'text');
	# The table, its row type, its TOAST table and the array of its rows: whoever knows an OID can have it.
	my ($table, $type, $toast, $array) = split /\|/, sql(q{
		SELECT string_agg(CASE n WHEN 1 THEN c.oid WHEN 2 THEN c.reltype WHEN 3 THEN c.reltoastrelid ELSE t.typarray END::text, '|' ORDER BY n)
		FROM (SELECT row_number() OVER (ORDER BY oid) AS n, * FROM pg_class WHERE relname ~ '^delta_\d+_\d+$') c
		JOIN pg_type t ON t.oid = c.reltype});
	as('mallory', qq{CREATE VIEW mallory.of_table AS SELECT '$table'::regclass; CREATE VIEW mallory.of_type AS SELECT '$type'::regtype;
		CREATE TABLE mallory.of_toast (c regclass DEFAULT '$toast'::regclass); CREATE FUNCTION mallory.of_array() RETURNS regtype RETURN '$array'::regtype});
	as('alice', q{SELECT metrics_refresh.unschedule('m' || n) FROM generate_series(1, 4) n});
	ok(becomes("SELECT count(*) = 0 $left_over", 15), 'nothing is left for the scheduler to do');
	is(sql("SELECT count(*) $deltas"), 4, 'nothing of hers is dropped');
	is(logged('is left over, empty'), 4, 'the log says so');
	is(sql(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'alice.t'::regclass AND NOT tgisinternal}), 0, 'and no trigger fills them');
	is(logged('is left over, empty'), 0, 'once');
	sql('SET client_min_messages = error; ' . join ';', split /\n/, sql(q{SELECT format('DROP TABLE metrics_refresh_internal.%I CASCADE', relname) FROM pg_class WHERE relname ~ '^delta_\d+_\d+$'}));
	as('alice', 'DROP TABLE alice.t CASCADE');
};

subtest 'a type whose owner would keep the delta tables locked' => sub {
	as('mallory', 'CREATE DOMAIN mallory.d AS int');
	make_views('mallory', 40, 'mallory.d');
	# He is faster than the scheduler.
	my $scheduler = process_id($node, 'scheduler', 'postgres');
	kill STOP => $scheduler;
	as('mallory', 'DROP MATERIALIZED VIEW ' . join(', ', map { "mallory.m$_" } 1 .. 40) . q{;
		SELECT metrics_refresh.unschedule('m' || n) FROM generate_series(1, 40) n;
		DO $$ DECLARE t name; BEGIN FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'mallory.t'::regclass AND NOT tgisinternal LOOP
		  EXECUTE format('DROP TRIGGER %I ON mallory.t', t); END LOOP; END $$;
		ALTER TABLE mallory.t ALTER k TYPE int});
	my $holder = open_session('mallory', 'BEGIN; ALTER DOMAIN mallory.d ADD CHECK (VALUE > 0)');
	is(sql(q{SELECT state || ': ' || substring(query FROM 'ALTER DOMAIN') FROM pg_stat_activity WHERE usename = 'mallory'}), 'idle in transaction: ALTER DOMAIN', 'he has changed his type');
	is(sql(q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'mallory' AND l.relation::regclass::text ~ 'delta_'}),
		0, 'and has no delta table locked: their columns have its base type');
	logged('');
	kill CONT => $scheduler;
	heart_beats('others run');
	select undef, undef, undef, 3;
	is(logged('lock timeout'), 0, 'the scheduler waits for none of them');
	$holder->query('COMMIT');
	ok(becomes("SELECT count(*) = 0 $deltas", 70), 'afterwards they go');
	as('mallory', 'DROP TABLE mallory.t');
};

subtest 'the same is noted as left over again and again' => sub {
	make_views('mallory', 10);
	my $holder = open_session('mallory', 'BEGIN; LOCK TABLE mallory.t IN ACCESS SHARE MODE');
	as('mallory', q{SELECT metrics_refresh.schedule_group('g', ARRAY(SELECT ('mallory.m' || n)::regclass FROM generate_series(1, 10) n), populate => false);
		SELECT metrics_refresh.unschedule('m' || n) FROM generate_series(1, 10) n;
		DO $$ BEGIN FOR n IN 1 .. 50 LOOP
		  PERFORM metrics_refresh.alter_job('g', strategy => 'incremental'); PERFORM metrics_refresh.alter_job('g', strategy => 'auto');
		END LOOP; END $$});
	ok(becomes("SELECT count(*) = count(DISTINCT id) AND count(*) > 0 $left_over", 20), 'one row of each is kept, although none can be taken away');
	$holder->query('COMMIT');
	ok(becomes("SELECT count(*) = 0 $left_over", 70), 'afterwards they go');
};

# Each of her views leaves a delta table and triggers, which cannot go while she has her own table locked. New
# ones can be made all the while.
subtest 'views that are made and dropped again and again' => sub {
	sql('CREATE ROLE carol LOGIN; CREATE SCHEMA carol AUTHORIZATION carol');
	make_views('carol', 0);
	sql('ALTER ROLE carol SET metrics_refresh.max_jobs_per_role = 5');
	my $holder = open_session('carol', 'BEGIN; LOCK TABLE carol.t IN ACCESS SHARE MODE');
	my $again = 'CREATE MATERIALIZED VIEW carol.again AS SELECT k, v FROM carol.t; CREATE UNIQUE INDEX ON carol.again (k)';
	as('carol', "$again; SELECT metrics_refresh.schedule('carol.again', NULL, 'again', strategy => 'incremental')");
	my ($refusals, $last) = (0, '');
	for (1 .. 8)
	{
		as('carol', "DROP MATERIALIZED VIEW carol.again; $again");
		my ($out, $error) = try_as('carol', q{SELECT metrics_refresh.alter_job('again', strategy => 'incremental')});
		next unless $error =~ /53400/;
		$refusals++;
		$last = $error;
	}
	is($refusals, 4, 'four are set up again, the others are refused');
	like($last, qr/role "carol" would have more incremental views to be removed than it may.*There are 5 already; metrics_refresh.max_jobs_per_role is 5.*Wait until the scheduler/s, 'it is said why');
	is(sql("SELECT count(*) $deltas"), 5, 'no more delta tables than that are left');
	my $found = q{SELECT severity || '|' || detail FROM metrics_refresh.health_check() WHERE check_name = 'shares' AND detail ~ 'carol.*to be removed'};
	is(as('carol', $found), 'warning|role carol has 5 of 5 incremental views to be removed', 'she is told');
	is(as('alice', $found), '', 'nobody else is');
	is(run_job('carol', 'again'), 'success', 'the job refreshes the view all the same');
	like(sql(q{SELECT strategy_reason FROM metrics_refresh.run_log WHERE job_name = 'again' ORDER BY run_id DESC LIMIT 1}), qr/to be removed/, 'and says why not by keys');
	is(as('carol', q{SELECT metrics_refresh.unschedule('again')}), 't', 'a job can be removed at the limit');
	$holder->query('COMMIT');
	ok(becomes("SELECT count(*) = 0 $deltas", 70), 'afterwards they go');
	is(as('carol', $found), '', 'and with them the finding');
	as('carol', "SELECT metrics_refresh.schedule('carol.again', NULL, 'again', strategy => 'incremental'); SELECT metrics_refresh.unschedule('again')");
	as('carol', 'DROP TABLE carol.t CASCADE');
};

subtest 'roles that may read or write all tables' => sub {
	sql(q{CREATE ROLE reader LOGIN IN ROLE pg_read_all_data; CREATE ROLE writer LOGIN IN ROLE pg_write_all_data, pg_read_all_data;
		CREATE SCHEMA reader AUTHORIZATION reader; CREATE SCHEMA writer AUTHORIZATION writer});
	as('mallory', q{SELECT metrics_refresh.schedule('mallory.m1', NULL, 'mine')});
	# Whoever has changed a job keeps those waiting who lock the table against writers, and they all others.
	my $holder = open_session('mallory', q{BEGIN; SELECT metrics_refresh.pause('mine'); SELECT metrics_refresh.refresh('mallory.m1')});
	as('reader', 'CREATE FUNCTION reader.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TABLE reader.t (r bigint)');
	for my $table ('job', 'run_log')
	{
		my $key = $table eq 'job' ? 'job_id' : 'run_id';
		for my $statement (
			"CREATE TRIGGER x AFTER INSERT ON metrics_refresh_internal.$table FOR EACH ROW EXECUTE FUNCTION reader.f()",
			"SET search_path = metrics_refresh_internal; CREATE CONSTRAINT TRIGGER x AFTER INSERT ON $table FOR EACH ROW EXECUTE FUNCTION reader.f()",
			"CREATE TABLE reader.c (r bigint REFERENCES metrics_refresh_internal.$table)",
			"CREATE TABLE reader.c (r bigint, FOREIGN KEY (r) REFERENCES metrics_refresh_internal.$table ($key))",
			"ALTER TABLE reader.t ADD FOREIGN KEY (r) REFERENCES metrics_refresh_internal.$table",
			"ALTER TABLE reader.t ADD c bigint REFERENCES metrics_refresh_internal.$table",
			"CREATE SCHEMA AUTHORIZATION reader CREATE TABLE c (r bigint REFERENCES metrics_refresh_internal.$table)",
			"CREATE RULE x AS ON INSERT TO metrics_refresh_internal.$table DO INSTEAD NOTHING")
		{
			my ($out, $error) = try_as('reader', $statement, limit => '2s');
			like($error, qr/42501|permission denied/, $statement);
		}
	}
	# A table of that name that is gone by the time at which the server has waited for its lock.
	as('reader', 'CREATE TABLE reader.job (job_id bigint PRIMARY KEY)');
	my ($out, $error) = try_as('reader', 'SET search_path = reader, metrics_refresh_internal; CREATE TRIGGER x AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION reader.f()');
	like($error, qr/42501/, 'a name that could come to mean a table of ours');
	as('reader', 'CREATE TRIGGER x AFTER INSERT ON reader.job FOR EACH ROW EXECUTE FUNCTION reader.f(); ALTER TABLE reader.t ADD FOREIGN KEY (r) REFERENCES reader.job');
	$holder->query('ROLLBACK');
	heart_beats('others run');
	my $tables = sql(q{SELECT string_agg(oid::regclass::text, ' ') FROM pg_class WHERE relnamespace = 'metrics_refresh_internal'::regnamespace AND relkind = 'r' AND relname !~ '^delta_'});
	for my $table (split / /, $tables)
	{
		my $rows = "SELECT coalesce(sum(hashtext(t::text)), 0) FROM $table t";
		my ($column) = split /\n/, sql("SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 ORDER BY attnum");
		(undef, $error) = try_as('writer', "INSERT INTO $table SELECT (jsonb_populate_record(NULL::$table, '{}')).*");
		like($error, qr/42501.*row-level security/s, "$table takes no row of his");
		is((try_as('writer', "WITH gone AS (DELETE FROM $table RETURNING 1) SELECT count(*) FROM gone"))[0], 0, 'and he deletes none');
	}
	heart_beats('others run');
};

close_sessions();
done_testing();
