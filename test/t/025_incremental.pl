# The strategy incremental against what it must never differ from: views of every shape that it keeps,
# over tables that several sessions change in every way meanwhile, are refreshed and compared with
# their definitions in the same snapshot, again and again; then the server is shut down at once under
# that load, and it is done again. PG_TEST_EXTRA=long takes minutes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Differential;
use MetricsRefreshTest;
use Test::More;
use Time::HiRes qw(sleep);

my $rounds = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/ ? 200 : 8;

my $node = start_node('incremental', autovacuum_naptime => '1s', 'metrics_refresh.max_workers' => 2, 'metrics_refresh.audit_every' => 4);
create_extension($node);
create_try($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
	CREATE TABLE region (id int PRIMARY KEY, name text);
	CREATE TABLE account (id int PRIMARY KEY, region int, parent int, name text, body text);
	CREATE TABLE event (id bigserial PRIMARY KEY, account int, at timestamptz, day date, kind text, amount numeric(10,2), ratio float8);
	CREATE INDEX ON event (account);
	CREATE TABLE note (id int, account int, event bigint, words varchar(20));
	CREATE TABLE price (kind text PRIMARY KEY, factor int);
	CREATE VIEW plain AS SELECT e.id, e.account AS who, e.kind, e.amount * 2 AS twice, a.name FROM event e JOIN account a ON a.id = e.account WHERE e.amount > 3;

	-- One of many things that a session may do to a table, some of which are undone.
	CREATE PROCEDURE write_once() LANGUAGE plpgsql AS $$
	DECLARE
	  a int := random() * 300;
	  e int := random() * 3000;
	BEGIN
	  CASE (random() * 22)::int
	  WHEN 0, 1, 2 THEN
	    INSERT INTO event (account, at, day, kind, amount, ratio)
	    SELECT nullif((random() * 300)::int, 7), now() - random() * interval '40 seconds', current_date - (random() * 3)::int,
	      nullif(chr(97 + (random() * 4)::int), 'b'), nullif((random() * 50)::int, 3), random()
	    FROM generate_series(1, 1 + (random() * 10)::int);
	  WHEN 3 THEN UPDATE event SET account = a WHERE id % 197 = e % 197;
	  WHEN 4 THEN UPDATE event SET amount = amount + 1 WHERE account = a;
	  WHEN 5 THEN UPDATE event SET account = NULL WHERE account = a;
	  WHEN 6 THEN DELETE FROM event WHERE id % 97 = e % 97;
	  WHEN 7 THEN
	    INSERT INTO account VALUES (a, nullif(a % 9, 4), nullif(a / 3, 5), 'name ' || a % 50, repeat(md5(random()::text), (random() * 100)::int))
	    ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, body = excluded.body, region = (random() * 9)::int;
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
	  WHEN 10 THEN INSERT INTO note SELECT g, a, g * 7, 'w' || g % 5 FROM generate_series(e, e + 5) g;
	  WHEN 11 THEN UPDATE note SET account = account + 1, words = nullif(words, 'w1') WHERE id % 19 = e % 19;
	  WHEN 12 THEN DELETE FROM note WHERE id % 37 = e % 37;
	  WHEN 13 THEN UPDATE account SET name = name || '.' WHERE id % 31 = a % 31 AND length(name) < 20;
	  WHEN 14 THEN
	    IF random() < 0.1 THEN TRUNCATE note; END IF;
	  WHEN 15 THEN UPDATE region SET name = 'region ' || (random() * 20)::int WHERE id = a % 10;
	  WHEN 16 THEN DELETE FROM region WHERE id = a % 10;
	  WHEN 17 THEN INSERT INTO region SELECT g, 'region ' || g FROM generate_series(0, 9) g ON CONFLICT DO NOTHING;
	  WHEN 18 THEN UPDATE account SET id = id + 300, region = a % 10 WHERE id = a AND NOT EXISTS (SELECT FROM account WHERE id = a + 300);
	  WHEN 19 THEN
	    INSERT INTO price VALUES (chr(97 + a % 5), a % 3) ON CONFLICT (kind) DO UPDATE SET factor = excluded.factor;
	  WHEN 20 THEN DELETE FROM price WHERE kind = chr(97 + a % 5);
	  WHEN 21 THEN UPDATE event SET day = day + 1, ratio = -ratio WHERE id % 113 = e % 113;
	  ELSE UPDATE event SET at = at - interval '5 seconds' WHERE account = a;
	  END CASE;
	END $$;

	-- Few changes, of which each view has some.
	CREATE PROCEDURE write_for_all() LANGUAGE sql AS $$
	  INSERT INTO region VALUES (3, 'region') ON CONFLICT (id) DO UPDATE SET name = 'region ' || (random() * 1e6)::int;
	  INSERT INTO account SELECT id, 3, 12, 'name', '' FROM generate_series(11, 12) id
	  ON CONFLICT (id) DO UPDATE SET region = 3, parent = 12, name = 'name ' || (random() * 1e6)::int;
	  INSERT INTO price VALUES ('a', 1) ON CONFLICT (kind) DO UPDATE SET factor = price.factor + 1;
	  WITH e AS (INSERT INTO event (account, at, day, kind, amount, ratio)
	    SELECT a, now() - s * interval '12 seconds', current_date - 9 - (random() * 1e5)::int, 'a', amount, 1
	    FROM generate_series(11, 12) a, generate_series(0, 2) s, unnest(ARRAY[8, 30]) amount RETURNING id, account)
	  INSERT INTO note SELECT id, account, id, 'w1' FROM e;
	$$;

	CREATE MATERIALIZED VIEW v_copy AS SELECT * FROM event;
	CREATE UNIQUE INDEX ON v_copy (id);
	CREATE MATERIALIZED VIEW v_bag AS SELECT kind, amount FROM event WHERE amount > 20;
	CREATE MATERIALIZED VIEW v_group AS
	  SELECT account, count(*), sum(amount), avg(amount), array_agg(kind ORDER BY id) AS kinds, max(at), min(ratio) FROM event GROUP BY account;
	CREATE UNIQUE INDEX ON v_group (account);
	CREATE MATERIALIZED VIEW v_two AS
	  SELECT account % 10 AS tenth, day, count(DISTINCT kind) AS kinds, percentile_disc(0.5) WITHIN GROUP (ORDER BY amount) AS median
	  FROM event GROUP BY 1, 2 HAVING count(*) > 2;
	CREATE MATERIALIZED VIEW v_join AS
	  SELECT e.id, a.id AS account, a.name, e.kind, r.name AS region FROM event e JOIN account a ON a.id = e.account JOIN region r ON r.id = a.region;
	CREATE INDEX ON v_join (account);
	CREATE MATERIALIZED VIEW v_dimension AS
	  SELECT a.name, count(*), sum(e.amount) FROM event e JOIN account a ON a.id = e.account GROUP BY a.name;
	CREATE MATERIALIZED VIEW v_far AS
	  SELECT r.name AS region, e.kind, count(*) FROM event e, account a, region r WHERE e.account = a.id AND a.region = r.id GROUP BY r.name, e.kind;
	CREATE MATERIALIZED VIEW v_left AS
	  SELECT a.id, a.name, count(e.id) AS events, sum(e.amount) FROM account a LEFT JOIN event e ON e.account = a.id AND e.amount > 10 GROUP BY a.id;
	CREATE UNIQUE INDEX ON v_left (id);
	CREATE MATERIALIZED VIEW v_left_two AS
	  SELECT e.id, e.kind, a.name, r.name AS region FROM event e LEFT JOIN (account a JOIN region r ON r.id = a.region) ON a.id = e.account;
	CREATE MATERIALIZED VIEW v_left_chain AS
	  SELECT e.account, count(*), count(a.id) AS accounts, count(r.id) AS regions
	  FROM event e LEFT JOIN account a ON a.id = e.account LEFT JOIN region r ON r.id = a.region GROUP BY e.account;
	CREATE MATERIALIZED VIEW v_right AS
	  SELECT a.region, count(n.id) AS notes, max(n.words) FROM note n RIGHT JOIN account a ON a.id = n.account GROUP BY a.region;
	CREATE MATERIALIZED VIEW v_inner_by_where AS
	  SELECT a.id, count(*) FROM account a LEFT JOIN note n ON n.account = a.id JOIN event e ON e.id = n.event GROUP BY a.id;
	CREATE MATERIALIZED VIEW v_self AS
	  SELECT a.id, a.name, b.name AS parent FROM account a JOIN account b ON b.id = a.parent;
	CREATE MATERIALIZED VIEW v_self_group AS
	  SELECT b.name, count(*) FROM account a JOIN account b ON b.id = a.parent GROUP BY b.name;
	CREATE MATERIALIZED VIEW v_distinct AS SELECT DISTINCT kind, day FROM event;
	CREATE MATERIALIZED VIEW v_distinct_join AS SELECT DISTINCT e.kind, r.name FROM event e JOIN account a ON a.id = e.account JOIN region r ON r.id = a.region;
	CREATE MATERIALIZED VIEW v_union AS
	  SELECT id::bigint, account, words::text AS what FROM note UNION ALL SELECT id, account, kind FROM event WHERE amount < 9
	  UNION ALL SELECT a.id, r.id, r.name FROM account a JOIN region r ON r.id = a.region;
	CREATE MATERIALIZED VIEW v_union_group AS
	  SELECT account, count(*) FROM note GROUP BY account UNION ALL SELECT account, sum(amount)::bigint FROM event GROUP BY account;
	CREATE MATERIALIZED VIEW v_plain AS SELECT who, count(*), sum(twice), min(name) FROM plain GROUP BY who;
	CREATE MATERIALIZED VIEW v_subquery AS
	  SELECT s.account, p.factor, count(*) FROM (SELECT account, kind FROM event WHERE day > '2000-01-01') s JOIN price p USING (kind) GROUP BY s.account, p.factor;
	CREATE MATERIALIZED VIEW v_window_with AS
	  WITH recent AS (SELECT account, kind, amount FROM event WHERE at >= now() - interval '20 seconds'), named AS (SELECT id, name FROM account WHERE parent < 50)
	  SELECT r.account, min(n.name) AS name, count(*), sum(r.amount) FROM recent r LEFT JOIN named n ON n.id = r.account GROUP BY r.account;
	CREATE MATERIALIZED VIEW v_words AS SELECT n.words, count(*) FROM note n JOIN account a ON a.id = n.account GROUP BY n.words;
	CREATE MATERIALIZED VIEW v_window AS
	  SELECT account, count(*), count(*) FILTER (WHERE at > now() - interval '10 seconds') AS fresh FROM event WHERE at >= now() - interval '30 seconds' GROUP BY account;
	CREATE MATERIALIZED VIEW v_window_join AS
	  SELECT a.region, sum(CASE WHEN e.at <= now() - interval '15 seconds' THEN 1 ELSE 0 END) AS old, count(*)
	  FROM event e JOIN account a ON a.id = e.account WHERE now() - interval '25 seconds' < e.at GROUP BY a.region;
	CREATE MATERIALIZED VIEW v_window_rows AS SELECT id, at > now() - interval '5 seconds' AS fresh FROM event;
	CREATE MATERIALIZED VIEW v_constant AS SELECT e.kind, v.n, count(*) FROM event e JOIN (VALUES ('a', 1), ('c', 2)) v (kind, n) ON v.kind = e.kind GROUP BY e.kind, v.n;

	-- Over other views: kept by keys, and refreshed in every other way.
	CREATE MATERIALIZED VIEW v_stacked AS SELECT count % 5 AS n, count(*) AS accounts, sum(sum) FROM v_group GROUP BY 1;
	CREATE MATERIALIZED VIEW v_stacked_join AS SELECT a.name, count(*) FROM v_copy c JOIN account a ON a.id = c.account GROUP BY a.name;
	CREATE MATERIALIZED VIEW other AS SELECT id, kind, amount FROM event WHERE amount > 5;
	CREATE UNIQUE INDEX ON other (id);
	CREATE MATERIALIZED VIEW v_over_other AS SELECT kind, count(*), sum(amount) FROM other GROUP BY kind;

	CREATE VIEW mine AS SELECT oid::regclass AS of FROM pg_class WHERE relkind = 'm' AND relname ~ '^v_' ORDER BY relname DESC;
	SELECT setseed(0.5);
	INSERT INTO region SELECT g, 'region ' || g FROM generate_series(0, 9) g;
	INSERT INTO account SELECT g, g % 10, g / 2, 'name ' || g % 50, repeat(md5(g::text), g) FROM generate_series(1, 250) g;
	INSERT INTO price VALUES ('a', 1), ('c', 2);
	INSERT INTO event (account, at, day, kind, amount, ratio)
	SELECT g % 300, now() - g * interval '10 milliseconds', current_date - g % 4, chr(97 + g % 5), g % 50, 0.5 FROM generate_series(1, 4000) g;
	INSERT INTO note SELECT g, g % 300, g * 3, 'w' || g % 5 FROM generate_series(1, 500) g});
# Each has only its own triggers' locks to wait for.
sql(join ';', map { "SELECT metrics_refresh.schedule('$_', NULL, strategy => 'incremental')" } split /\n/, sql('SELECT of FROM mine'));

my @views = split /\n/, sql('SELECT of FROM mine');
my $wrong = '';

my @other = ("SELECT metrics_refresh.refresh('other', 'diff')", 'REFRESH MATERIALIZED VIEW CONCURRENTLY other',
	'SELECT 1', 'REFRESH MATERIALIZED VIEW other', "SELECT metrics_refresh.refresh('other', 'concurrently')");

sub try_all
{
	push @other, shift @other;
	sql($other[0]);
	$wrong .= try_each($node, map { [ $_, 'incremental' ] } @views);
	return;
}

sub strategies
{
	return sql(q{
		SELECT string_agg(l, E'\n' ORDER BY l) FROM (SELECT DISTINCT view_name || ': ' || coalesce(strategy_reason, status) AS l FROM metrics_refresh.run_log
		WHERE strategy IS DISTINCT FROM 'incremental') x});
}

sub not_by_keys
{
	return sql(q{SELECT string_agg(of::text, ', ') FROM mine WHERE NOT EXISTS (SELECT FROM metrics_refresh.run_log WHERE view_name = of::text
	AND strategy = 'incremental' AND rows_inserted + rows_updated + rows_deleted > 0)});
}

for my $when ('at first', 'after an immediate shutdown under load')
{
	my $writers = start_writers($node, '\sleep 2 ms');
	for my $round (1 .. $rounds)
	{
		try_all();
		last if $wrong;
	}
	$node->stop('immediate');
	IPC::Run::finish($writers);
	is($wrong, '', "$when: every view was equal to its definition after every refresh");
	$node->start;
	wait_for_server($node);
}
# Little by little, until each view has been written by keys.
for (1 .. 10)
{
	try_all();
	last if $wrong || not_by_keys() eq '';
	sql('CALL write_for_all()');
}
is($wrong, '', 'and at the end');
note strategies();
is(sql(q{SELECT string_agg(view_name || ': ' || demoted, ', ') FROM metrics_refresh.incremental_view}), '', 'no audit found anything');
is(sql(q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE strategy_reason ~ 'found nothing wrong'}), 't', 'audits were made');
is(not_by_keys(), '', 'every view was written by keys');
try_all();
is(sql(q{SELECT sum((r ->> 'rows_inserted')::int + (r ->> 'rows_updated')::int + (r ->> 'rows_deleted')::int)
	FROM mine, metrics_refresh.refresh(of) r WHERE of::text !~ 'window'}), 0, 'where nothing changed, no row is written');

# Through pg_dump: triggers, delta tables and what the views remember.
my @names = map { ($node->safe_psql('postgres', $_)) } (
	q{SELECT string_agg(tgrelid::regclass || '.' || tgname || tgenabled::text, ' ' ORDER BY tgrelid::regclass::text, tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgname ~ '^metrics_refresh'},
	q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname ~ '^delta_'});
sql(q{UPDATE event SET account = 77 WHERE id % 50 = 0});
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'postgres' ], 'pg_dump');
sql('CREATE DATABASE copy');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-f', $dump, 'copy' ], 'restored');
sub copy { return $node->safe_psql('copy', $_[0]) }
is(copy(q{SELECT string_agg(tgrelid::regclass || '.' || tgname || tgenabled::text, ' ' ORDER BY tgrelid::regclass::text, tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgname ~ '^metrics_refresh'}),
	$names[0], 'the triggers are there');
is(copy(q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname ~ '^delta_'}), $names[1], 'and the delta tables');
is(copy(q{SELECT count(*) FROM metrics_refresh.incremental_view i WHERE view_oid IN (0, (quote_ident(view_schema) || '.' || quote_ident(view_name))::regclass)}),
	scalar @views, 'each view is known by its new number, or will be, where it came late');
my $try_copy = join '', map { "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT try('$_'); COMMIT;" } @views;
is(copy($try_copy) =~ s/\n//gr, '', 'they are refreshed');
my $not_by_keys = q{SELECT string_agg(view_name || ': ' || coalesce(strategy_reason, status), ', ') FROM
	(SELECT DISTINCT ON (view_name) view_name, strategy, strategy_reason, status FROM metrics_refresh.run_log ORDER BY view_name, run_id DESC) l WHERE strategy <> 'incremental'};
# A transaction that is open during the first refreshes, autovacuum's or the scheduler's, leaves open
# whether they saw all that it did: so there may have to be others.
for (1 .. 100)
{
	last if copy($not_by_keys) eq '';
	sleep 0.1;
	copy($try_copy);
}
copy(q{CALL write_for_all(); UPDATE account SET region = 1 WHERE id % 40 = 0});
is(copy($try_copy) =~ s/\n//gr, '', 'and again, after changes');
is(copy($not_by_keys),
	'', 'by keys');
copy('DROP EXTENSION metrics_refresh');
is(copy(q{SELECT (SELECT count(*) FROM pg_trigger WHERE tgname ~ '^metrics_refresh') + (SELECT count(*) FROM pg_class WHERE relname ~ '^delta_')}),
	0, 'everything goes with the extension');
is(sql(q{SELECT metrics_refresh.unschedule('public.v_copy')}), 't', 'a job is removed');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM metrics_refresh_internal.incremental_view WHERE view_name = 'v_copy'}), 'and soon what was set up for it');
done_testing();
