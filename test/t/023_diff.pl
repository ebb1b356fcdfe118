# The strategy diff against what it must never differ from: views of many shapes, over tables that
# several sessions change in every way meanwhile, are refreshed and compared with their definitions in
# the same snapshot, again and again; then the server is shut down at once under that load, and it is
# done again. At the end amcheck reads every view and index. PG_TEST_EXTRA=long takes minutes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Differential;
use MetricsRefreshTest;
use Test::More;

my $rounds = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/ ? 150 : 5;

my $node = start_node(
	'diff',
	autovacuum_naptime => '1s',
	max_wal_senders => 3,
	hot_standby => 'on',
	'metrics_refresh.max_workers' => 2);
$node->append_conf('pg_hba.conf', 'local replication all trust');
$node->reload;
create_extension($node);
create_try($node);
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION amcheck;
	CREATE TYPE pair AS (a int, b text);
	CREATE TABLE account (id int PRIMARY KEY, parent int, name text, body text);
	CREATE TABLE event (id bigserial, account int, at timestamptz, kind text, amount numeric, tags text[], doc jsonb);
	CREATE INDEX ON event (account);
	CREATE TABLE part (id int, n int) PARTITION BY HASH (id);
	CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1);

	-- One of many things that a session may do to a table, some of which are undone.
	CREATE PROCEDURE write_once() LANGUAGE plpgsql AS $$
	DECLARE
	  a int := random() * 300;
	  e int := random() * 3000;
	BEGIN
	  CASE (random() * 15)::int
	  WHEN 0, 1, 2 THEN
	    INSERT INTO event (account, at, kind, amount, tags, doc)
	    SELECT nullif((random() * 300)::int, 7), now() - random() * interval '60 days', chr(97 + (random() * 4)::int),
	      nullif((random() * 50)::int, 3), ARRAY[chr(97 + (random() * 4)::int), kind], jsonb_build_object('n', (random() * 9)::int)
	    FROM generate_series(1, 1 + (random() * 30)::int), (VALUES ('x'), (NULL)) k (kind);
	  WHEN 3 THEN UPDATE event SET account = a WHERE id % 97 = e % 97;
	  WHEN 4 THEN UPDATE event SET amount = amount + 1 WHERE account = a;
	  WHEN 5 THEN UPDATE event SET account = NULL WHERE account = a;
	  WHEN 6 THEN DELETE FROM event WHERE id % 41 = e % 41;
	  WHEN 7 THEN
	    INSERT INTO account VALUES (a, nullif(a / 3, 5), 'name ' || a, repeat(md5(random()::text), (random() * 300)::int))
	    ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, body = excluded.body;
	  WHEN 8 THEN
	    BEGIN
	      DELETE FROM account WHERE id % 2 = 0;
	      UPDATE event SET kind = 'undone';
	      RAISE division_by_zero;
	    EXCEPTION WHEN division_by_zero THEN
	      DELETE FROM account WHERE id = a;
	    END;
	  WHEN 9 THEN
	    UPDATE event SET kind = kind || '!' WHERE id % 53 = e % 53;
	    ROLLBACK;
	  WHEN 10 THEN INSERT INTO part SELECT g, a FROM generate_series(e, e + 20) g;
	  WHEN 11 THEN UPDATE part SET id = id + 1, n = n + 1 WHERE n = a OR id % 19 = e % 19;
	  WHEN 12 THEN DELETE FROM part WHERE id % 7 = e % 7;
	  WHEN 13 THEN UPDATE account SET name = name || '.' WHERE id % 11 = a % 11;
	  WHEN 14 THEN
	    IF random() < 0.1 THEN TRUNCATE part; END IF;
	  ELSE UPDATE event SET at = at - interval '1 hour', doc = doc || '{"m": null}' WHERE account = a;
	  END CASE;
	END $$;

	CREATE MATERIALIZED VIEW v_copy AS SELECT * FROM event;
	CREATE UNIQUE INDEX ON v_copy (id);
	CREATE INDEX ON v_copy (account);
	CREATE INDEX ON v_copy USING gin (tags);
	CREATE INDEX ON v_copy USING brin (at);
	CREATE INDEX ON v_copy USING hash (kind);
	CREATE MATERIALIZED VIEW v_group AS
	  SELECT account, count(*), sum(amount), avg(amount), array_agg(kind ORDER BY id) AS kinds, max(at) FROM event GROUP BY account;
	CREATE UNIQUE INDEX ON v_group (account);
	CREATE MATERIALIZED VIEW v_bag AS SELECT amount, kind, NULL::int AS nothing FROM event;
	CREATE MATERIALIZED VIEW v_nulls AS SELECT NULL::text AS a, NULL::numeric AS b FROM event;
	CREATE MATERIALIZED VIEW v_join AS
	  SELECT e.id, a.id AS account, a.name, e.kind, a.body FROM event e LEFT JOIN account a ON a.id = e.account WHERE e.amount > 10;
	CREATE INDEX ON v_join (account, name);
	CREATE MATERIALIZED VIEW v_body AS SELECT id, name, body, length(body) AS size FROM account;
	-- Unique in several ways, each its own: swapped values must not collide on the way.
	CREATE UNIQUE INDEX ON v_body (id);
	CREATE UNIQUE INDEX ON v_body (lower(name)) WHERE size > 0;
	CREATE UNIQUE INDEX ON v_body (name DESC) INCLUDE (size);
	CREATE MATERIALIZED VIEW v_rank AS SELECT row_number() OVER (ORDER BY name DESC, id) AS place, id FROM account;
	CREATE UNIQUE INDEX ON v_rank (place);
	CREATE UNIQUE INDEX ON v_rank (id);
	CREATE MATERIALIZED VIEW v_union AS SELECT id, n FROM part UNION ALL SELECT id, parent FROM account;
	CREATE MATERIALIZED VIEW v_distinct AS SELECT DISTINCT kind, tags FROM event;
	CREATE UNIQUE INDEX ON v_distinct (kind, tags);
	CREATE MATERIALIZED VIEW v_types AS
	  SELECT id, (id, name)::pair AS pair, name::char(12) AS padded, name::"char" AS c, name::name AS n, (id % 2 = 0) AS flag, id::int2 AS small,
	    point(id, 0) AS p, int4range(id, id + parent) AS r, make_interval(days => id) AS i, ('10.0.0.' || id % 250)::inet AS net,
	    md5(name)::uuid AS u, decode(md5(body), 'hex') AS bytes, to_json(name) AS j, xmlelement(name x, name) AS x, id::float4 AS f,
	    string_to_array(name, ' ') AS words, id::oid AS o, ARRAY[[id, NULL], [1, 2]] AS grid, -0.0::float8 * (id % 2) AS zero
	  FROM account;
	CREATE INDEX ON v_types USING gist (p);
	CREATE INDEX ON v_types USING spgist (net);
	CREATE INDEX ON v_types USING gist (r);
	CREATE MATERIALIZED VIEW v_row AS SELECT id, n FROM part;
	-- An index over the whole row.
	CREATE FUNCTION key_of(v_row) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1.id + $1.n; END';
	CREATE INDEX ON v_row (key_of(v_row));
	CREATE MATERIALIZED VIEW v_stacked AS SELECT kind, count(*) FROM v_copy GROUP BY kind;
	CREATE MATERIALIZED VIEW v_none AS SELECT FROM part;
	CREATE MATERIALIZED VIEW v_empty AS SELECT * FROM event WHERE false;

	CREATE VIEW mine AS SELECT oid::regclass AS of FROM pg_class WHERE relkind = 'm' ORDER BY relname DESC;
	SELECT setseed(0.5);
	INSERT INTO account SELECT g, g / 2, 'name ' || g, repeat(md5(g::text), g) FROM generate_series(1, 250) g;
	INSERT INTO event (account, at, kind, amount, tags, doc)
	SELECT g % 300, now(), 'k' || g % 5, g % 50, ARRAY['a'], '{}' FROM generate_series(1, 4000) g});

my @views = split /\n/, $node->safe_psql('postgres', 'SELECT of FROM mine');
my $wrong = '';

sub try_all
{
	my ($memory) = @_;
	$wrong .= try_each($node, map { [ $_, 'diff', $memory ] } @views);
	return;
}

# What the primary writes from here on, a standby replays.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('diff_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

for my $when ('at first', 'after an immediate shutdown under load')
{
	my $writers = start_writers($node);
	for my $round (1 .. $rounds)
	{
		try_all($round % 2 ? '64kB' : '4MB');
		last if $wrong;
	}
	$node->stop('immediate');
	IPC::Run::finish($writers);
	is($wrong, '', "$when: every view was equal to its definition after every refresh");
	$node->start;
	wait_for_server($node);
	is( $node->safe_psql('postgres', q{SELECT count(*) FROM mine WHERE differences(of) IS NULL}),
		0, 'recovered views can be read');
}
try_all('64kB');
is($wrong, '', 'and at the end');
my $changed = $node->safe_psql('postgres',
	q{SELECT sum(rows_inserted) > 0, sum(rows_updated) > 0, sum(rows_deleted) > 0, count(*) FILTER (WHERE status <> 'success')
	FROM metrics_refresh.run_log});
is($changed, 't|t|t|0', 'rows were inserted, updated and deleted, and nothing failed');

my $content = join ' UNION ALL ', map {
	"SELECT '$_ ' || count(*) || ' ' || coalesce(md5(string_agg(v::text, chr(10) ORDER BY v::text COLLATE \"C\")), '') FROM $_ v"
} grep { $_ ne 'v_none' } @views;
$content = "SELECT * FROM ($content) c ORDER BY 1";
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $content), $node->safe_psql('postgres', $content), 'the standby has the same rows in every view');
for my $server ($node, $standby)
{
	my $name = $server->name;
	is($server->safe_psql('postgres', q{
		SELECT string_agg(c.relname || ': ' || h.msg, ', ') FROM pg_class c, verify_heapam(c.oid, check_toast => true) h WHERE relkind = 'm'}),
		'', "amcheck finds no fault in the views ($name)");
	is($server->safe_psql('postgres', q{
		SELECT count(*) > 0 FROM (SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_class v ON v.oid = i.indrelid WHERE v.relkind = 'm' AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')) b}),
		't', "nor in their B-trees ($name)");
}
$standby->stop;
# What amcheck does not know: other kinds of index, against the rows that they lead to.
is($node->safe_psql('postgres', q{
	SET enable_seqscan = off;
	SELECT (SELECT count(*) FROM v_copy WHERE tags @> '{a}') - count(*) FILTER (WHERE 'a' = ANY (tags)),
	  (SELECT count(*) FROM v_copy WHERE kind = 'k1') - count(*) FILTER (WHERE kind || '' = 'k1'),
	  (SELECT count(*) FROM v_copy WHERE at < now() - interval '1 day') - count(*) FILTER (WHERE at + interval '0' < now() - interval '1 day') FROM v_copy}),
	'0|0|0', 'GIN, hash and BRIN lead to the same rows');

# More rows to delete than fit into memory, and one to insert.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE many AS SELECT g AS id, md5(g::text) AS t FROM generate_series(1, 20000) g;
	CREATE MATERIALIZED VIEW v_many AS TABLE many;
	CREATE UNIQUE INDEX ON v_many (id);
	DELETE FROM many WHERE id % 20 > 0;
	INSERT INTO many VALUES (0, 'new')});
is($node->safe_psql('postgres', q{SELECT try('v_many', 'diff', '64kB')}), '', 'a view that loses most of its rows');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/WARNING: .*leak/, 'no file is forgotten');

try_all('64kB');  # one reads another, which was refreshed after it
is($node->safe_psql('postgres', q{
	SELECT sum((r ->> 'rows_inserted')::int + (r ->> 'rows_updated')::int + (r ->> 'rows_deleted')::int)
	FROM mine, metrics_refresh.refresh(of, 'diff') r}), 0, 'where nothing changed, no row is written');

# Autovacuum hears of what a diff writes.
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_all_tables WHERE relname = 'v_many' AND last_autoanalyze IS NOT NULL
	AND (SELECT reltuples FROM pg_class WHERE relname = 'v_many') < 2000}, 'the statistics follow the rows');

# Memory: the hashes of a million rows do not fit, and are not kept. Little of what the process maps is
# shared.
$node->append_conf('postgresql.conf', "shared_buffers = '2MB'\nautovacuum = off");
$node->restart;
$node->safe_psql(
	'postgres', q{
	CREATE TABLE large AS SELECT g AS id, g % 1000 AS n FROM generate_series(1, 1000000) g;
	CREATE MATERIALIZED VIEW v_large AS TABLE large;
	CREATE UNIQUE INDEX ON v_large (id)});
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
sub refresh_large
{
	my ($memory) = @_;
	return $session->query_safe("SET work_mem = '$memory'; SET hash_mem_multiplier = 2; SET max_parallel_workers_per_gather = 0;
		UPDATE large SET n = n + 1 WHERE id % 4 = 0; SELECT (r ->> 'rows_updated')::int + (r ->> 'rows_inserted')::int FROM metrics_refresh.refresh('v_large', 'diff') r");
}
sub peak_of  # in MB, of one more refresh
{
	my ($memory) = @_;
	is(refresh_large($memory), 250000, "a quarter of a million rows of a million, $memory");
	open my $clear, '>', "/proc/$pid/clear_refs" or die $!;
	print $clear 5;
	close $clear;
	my ($before) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /VmHWM:\s+(\d+)/;
	refresh_large($memory);
	my ($peak) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /VmHWM:\s+(\d+)/;
	return int(($peak - $before) / 1024);
}
SKIP:
{
	skip "no /proc/PID/clear_refs", 3 unless -w "/proc/$pid/clear_refs";
	my $small = peak_of('4MB');
	note "peak memory of a diff beyond the session's own: $small MB with work_mem 4MB";
	# Hashes within 4 MB times 2, places and rows to write within 4 MB each, and what the allocator
	# keeps; all of the hashes would be some 50 MB more.
	cmp_ok($small, '<', 36, 'a diff stays within its memory');
	my $large = peak_of('64MB');
	note "$large MB with 64MB";
}
$session->quit;
$node->stop;
done_testing();
