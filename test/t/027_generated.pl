# The strategies incremental and diff on definitions that nobody thought of: random ones from a grammar
# (lib/Definition.pm), and over some of them others. Between random changes each is refreshed and
# compared with its definition in the same snapshot. What incremental refuses has a reason, and is
# refreshed by diff. METRICS_REFRESH_SEED repeats what a failure prints; PG_TEST_EXTRA=long takes minutes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Definition;
use Differential;
use MetricsRefreshTest;
use Test::More;

my $long = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/;
# Of so many kept by keys, and at most as many that are not.
my ($batches, $views, $rounds) = $long ? (20, 40, 12) : (1, 25, 4);
my $first_seed = $ENV{METRICS_REFRESH_SEED} // time % 1000000;
note "METRICS_REFRESH_SEED=$first_seed";

my $node = start_node('generated', autovacuum => 'off', fsync => 'off', 'metrics_refresh.audit_every' => 3);
create_extension($node);
create_try($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE TABLE town (id int PRIMARY KEY, code bigint UNIQUE, name text);
	CREATE TABLE shop (id int PRIMARY KEY, town int, name text, opened date, open boolean);
	CREATE TABLE item (name text, size int, price numeric(9,2), label text, unit char(3), UNIQUE (name, size));
	CREATE TABLE sale (id bigserial PRIMARY KEY, shop int, item text, size int, at timestamptz, day date, amount numeric(9,2), share float8, paid boolean);
	CREATE TABLE tally (shop int, item text, day date, n int, code bigint, word varchar(9), unit char(3), mood mood);
	CREATE VIEW paid_sale AS SELECT id, shop, item AS name, amount * 2 AS twice, day FROM sale WHERE paid;
	CREATE VIEW placed AS SELECT s.id AS shop, s.name, t.name AS town, t.code, s.open FROM shop s LEFT JOIN town t ON t.id = s.town;
	CREATE MATERIALIZED VIEW some_sale AS SELECT id, shop, item, day, amount FROM sale WHERE amount > 5;
	CREATE UNIQUE INDEX ON some_sale (id);
	CREATE MATERIALIZED VIEW total AS SELECT shop, item, count(*) AS n, sum(amount) AS amount FROM sale GROUP BY shop, item;

	-- Rows as if by chance: from a seed, the same ones.
	CREATE PROCEDURE insert_sales(n int) LANGUAGE sql AS $$
	  INSERT INTO sale (shop, item, size, at, day, amount, share, paid)
	  SELECT nullif((random() * 26)::int, 7), nullif(chr(97 + (random() * 11)::int), 'd'), nullif((random() * 4)::int, 3),
	    now() + (random() * 40 - 4) * interval '1 second', date '2026-01-01' + (random() * 5)::int, nullif((random() * 40)::int, 3) + 0.25,
	    (random() * 30)::int * 0.25, nullif((random() * 2)::int, 2)::boolean
	  FROM generate_series(1, n);
	$$;
	CREATE PROCEDURE insert_tallies(n int) LANGUAGE sql AS $$
	  INSERT INTO tally
	  SELECT (random() * 26)::int, nullif(chr(97 + (random() * 11)::int), 'b'), date '2026-01-01' + nullif((random() * 5)::int, 4), (random() * 9)::int,
	    nullif((random() * 9)::int, 5), 'w' || (random() * 4)::int, (ARRAY['kg', 'l'])[1 + (random() * 2)::int], (ARRAY['sad', 'ok', 'happy']::mood[])[1 + (random() * 3)::int]
	  FROM generate_series(1, n) g, generate_series(1, 2) twice;
	$$;
	CREATE PROCEDURE fill(seed float8) LANGUAGE sql AS $$
	  SELECT setseed(seed);
	  TRUNCATE town, shop, item, sale, tally RESTART IDENTITY;
	  INSERT INTO town SELECT g, nullif(g, 3), 'name ' || nullif(g % 6, 1) FROM generate_series(1, 8) g;
	  INSERT INTO shop SELECT g, nullif(g % 10, 4), 'name ' || g % 7, date '2026-01-01' + g % 5, nullif(g % 3, 2)::boolean FROM generate_series(1, 24) g;
	  INSERT INTO item SELECT chr(97 + g % 10), nullif(g / 10, 3), g + 0.5, 'w' || g % 4, (ARRAY['kg', 'l'])[1 + g % 3] FROM generate_series(0, 39) g;
	  CALL insert_sales(250);
	  CALL insert_tallies(50);
	$$;
	CREATE PROCEDURE write_once() LANGUAGE plpgsql AS $$
	DECLARE
	  s int := random() * 26;
	  r int := random() * 1000;
	  i text := chr(97 + (random() * 11)::int);
	BEGIN
	  CASE (random() * 25)::int
	  WHEN 0, 1, 2 THEN CALL insert_sales(1 + r % 8);
	  WHEN 3 THEN CALL insert_tallies(1 + r % 3);
	  WHEN 4 THEN UPDATE sale SET shop = s WHERE id % 41 = r % 41;
	  WHEN 5 THEN UPDATE sale SET shop = NULL, item = i WHERE id % 37 = r % 37;
	  WHEN 6 THEN UPDATE sale SET amount = amount + 1, paid = NOT paid WHERE shop = s;
	  WHEN 7 THEN UPDATE sale SET size = nullif(size + 1, 5), share = share + 0.5 WHERE item = i AND id % 5 = r % 5;
	  WHEN 8 THEN DELETE FROM sale WHERE id % 29 = r % 29;
	  WHEN 9 THEN UPDATE sale SET id = id + 100000 WHERE id = (SELECT min(id) FROM sale WHERE id > r);
	  WHEN 10 THEN UPDATE sale SET at = at - interval '7 seconds', day = day + 1 WHERE id % 23 = r % 23;
	  WHEN 11 THEN
	    INSERT INTO shop VALUES (s, nullif(r % 10, 4), 'name ' || r % 7, date '2026-01-01' + r % 5, r % 2 = 0)
	    ON CONFLICT (id) DO UPDATE SET town = excluded.town, name = excluded.name;
	  WHEN 12 THEN DELETE FROM shop WHERE id = s;
	  WHEN 13 THEN UPDATE shop SET id = id + 50 WHERE id = s AND NOT EXISTS (SELECT FROM shop WHERE id = s + 50);
	  WHEN 14 THEN UPDATE shop SET open = NOT coalesce(open, false), opened = opened + 1 WHERE id % 7 = s % 7;
	  WHEN 15 THEN INSERT INTO town VALUES (r % 12, NULL, 'name ' || r % 6) ON CONFLICT (id) DO UPDATE SET name = excluded.name, code = town.code;
	  WHEN 16 THEN UPDATE town SET code = code + 20 WHERE id % 3 = r % 3 AND code < 20;
	  WHEN 17 THEN DELETE FROM town WHERE id = r % 12;
	  WHEN 18 THEN
	    INSERT INTO item SELECT i, g, r % 50, 'w' || g, 'kg' FROM generate_series(0, 3) g ON CONFLICT (name, size) DO UPDATE SET price = item.price + 1, label = excluded.label;
	  WHEN 19 THEN DELETE FROM item WHERE name = i AND size IS NOT DISTINCT FROM nullif(r % 4, 3);
	  WHEN 20 THEN UPDATE item SET name = NULL WHERE name = i AND size = r % 4;
	  WHEN 21 THEN UPDATE tally SET item = i, n = n + 1 WHERE n = r % 10;
	  WHEN 22 THEN UPDATE tally SET shop = shop + 1, code = nullif(code + 1, 8), word = nullif(word, 'w2') WHERE shop % 5 = s % 5;
	  WHEN 23 THEN DELETE FROM tally WHERE ctid = ANY (ARRAY(SELECT ctid FROM tally WHERE day = date '2026-01-01' + r % 6 LIMIT 3));
	  WHEN 24 THEN
	    BEGIN
	      DELETE FROM sale WHERE id % 2 = 0;
	      UPDATE shop SET town = 1;
	      RAISE division_by_zero;
	    EXCEPTION WHEN division_by_zero THEN
	      UPDATE shop SET town = r % 10 WHERE id = s;
	    END;
	  ELSE
	    UPDATE sale SET item = item || '!';
	    ROLLBACK;
	    IF r % 6 = 0 THEN TRUNCATE tally; END IF;
	  END CASE;
	END $$;

	-- Makes a view, and a job for it: by keys, or by diff where that is refused. Says 'kept', 'large' where
	-- it would take long, or why it was refused.
	CREATE FUNCTION make(name text, definition text, index_on text, is_unique boolean) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
	  plan json;
	  answer text;
	BEGIN
	  EXECUTE 'EXPLAIN (FORMAT json) ' || definition INTO plan;
	  IF (plan #>> '{0,Plan,Total Cost}')::float8 > 3000 OR (plan #>> '{0,Plan,Plan Rows}')::float8 > 5000 THEN RETURN 'large'; END IF;
	  EXECUTE format('CREATE MATERIALIZED VIEW %I AS %s', name, definition);
	  IF index_on <> '' THEN EXECUTE format('CREATE %s INDEX ON %I (%s)', CASE WHEN is_unique THEN 'UNIQUE' END, name, index_on); END IF;
	  BEGIN
	    PERFORM metrics_refresh.schedule(name, NULL, strategy => 'incremental');
	    answer := 'kept';
	  EXCEPTION WHEN feature_not_supported THEN
	    GET STACKED DIAGNOSTICS answer = PG_EXCEPTION_DETAIL;
	    PERFORM metrics_refresh.schedule(name, NULL, strategy => 'diff');
	  END;
	  ASSERT (SELECT incremental IN ('possible', 'set up') = (answer = 'kept') FROM metrics_refresh.explain_refresh(name)), 'explain_refresh() agrees';
	  RETURN answer;
	END $$});
sql("SELECT metrics_refresh.schedule('$_', NULL, strategy => 'incremental')") for qw(some_sale total);

# Columns of a relation, from words like name:type:kind.
sub relation
{
	my ($name, @columns) = @_;
	return { sql => $name, columns => [ map { my ($column, $type, $kind) = split /:/; { name => $column, type => $type, kind => $kind // '' } } @columns ] };
}
my @tables = (
	relation('town', qw(id:int:town code:bigint:code name:text:place)),
	relation('shop', qw(id:int:shop town:int:town name:text:place opened:date:day open:boolean)),
	relation('item', qw(name:text:item size:int:size price:numeric label:text:word unit:char(3):unit)),
	relation('sale', qw(id:bigint:sale shop:int:shop item:text:item size:int:size at:timestamptz day:date:day amount:numeric share:float8 paid:boolean)),
	relation('tally', qw(shop:int:shop item:text:item day:date:day n:int:size code:bigint:code word:varchar(9):word unit:char(3):unit mood:mood:mood)));
my @over = (
	relation('paid_sale', qw(id:bigint:sale shop:int:shop name:text:item twice:numeric day:date:day)),
	relation('placed', qw(shop:int:shop name:text:place town:text:place code:bigint:code open:boolean)),
	relation('some_sale', qw(id:bigint:sale shop:int:shop item:text:item day:date:day amount:numeric)),
	relation('total', qw(shop:int:shop item:text:item n:bigint:size amount:numeric)));

my (%definition, %strategy, %refused);
my ($drawn, $kept, $by_keys, $wrong) = (0, 0, 0, '');

# A failure, with the definitions that it is about and those that they read.
sub told
{
	my ($seed, $what) = @_;
	my $text = "METRICS_REFRESH_SEED=$seed\n$what\n";
	for my $view (sort { substr($b, 1) <=> substr($a, 1) } keys %definition)
	{
		$text .= "$view: $definition{$view}\n" if $text =~ /\b$view\b/;
	}
	return $text;
}

# Views of random definitions, in the order in which they can be refreshed.
sub make_views
{
	my ($seed) = @_;
	# Tables more often than what reads them.
	my $definitions = Definition->new($seed, @tables, @tables, @over);
	my @made = qw(some_sale total);
	my %count = (kept => 0, refused => 0);
	%definition = ();
	%strategy = map { $_ => 'incremental' } @made;
	while ($count{kept} < $views)
	{
		my $select = $definitions->draw;
		my $name = 'v' . @made;
		my @unique = $definitions->chance(40) ? @{ $select->{unique} } : ();
		my $index = @unique ? join ', ', @unique : $definitions->chance(20) ? 'c1' : '';
		my $answer = eval { sql("SELECT make('$name', \$\$$select->{sql}\$\$, '$index', " . (@unique ? 'true' : 'false') . ')') };
		die "METRICS_REFRESH_SEED=$seed\n$select->{sql}\n$@" unless defined $answer;
		next if $answer eq 'large';
		my $is_kept = $answer eq 'kept';
		$drawn++;
		$kept++ if $is_kept;
		$refused{ $answer =~ s/the table \w+/a table/r }++ unless $is_kept;
		if (++$count{ $is_kept ? 'kept' : 'refused' } > $views)
		{
			drop_views($name);
			next;
		}
		push @made, $name;
		$definition{$name} = $select->{sql};
		$strategy{$name} = $is_kept ? 'incremental' : 'diff';
		$definitions->add({ sql => $name, columns => $select->{columns} }) if $definitions->chance(15);
	}
	return @made;
}

sub drop_views
{
	sql(join ';', map { "SELECT metrics_refresh.unschedule('public.$_'); DROP MATERIALIZED VIEW $_" } reverse @_);
	return;
}

# What is wrong after one of several rounds of changes; '' where nothing is.
sub wrong_in_rounds
{
	my ($seed, @made) = @_;
	for my $round (1 .. $rounds)
	{
		sql("SELECT setseed(" . ($seed % 9973 / 9973 + $round) / 100 . ");\n" . "CALL write_once();\n" x (1 + ($seed + $round * 7) % 9)) if $round > 1;
		# Also in ways that do not tell which rows they wrote.
		my $other = $made[ $seed * $round % @made ];
		sql($round % 2 ? "REFRESH MATERIALIZED VIEW $other" : "SELECT metrics_refresh.refresh('$other', 'full')");
		my $found = try_each($node, map { [ $_, $strategy{$_} ] } @made);
		return $found if $found ne '';
	}
	my $writers = start_writers($node, '\sleep 5 ms');
	my $found = try_each($node, map { [ $_, $strategy{$_} ] } @made, @made);
	$writers->kill_kill;
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'});
	return $found;
}

for my $seed ($first_seed .. $first_seed + $batches - 1)
{
	sql('CALL fill(' . $seed % 9973 / 9973 . '); ANALYZE');
	my @made = make_views($seed);
	$wrong = eval { wrong_in_rounds($seed, @made) } // "an error: $@";
	$wrong = sql(q{SELECT string_agg(view_name || ': ' || demoted, E'\n') FROM metrics_refresh.incremental_view}) if $wrong eq '';
	diag(told($seed, $wrong)) if $wrong ne '';
	last if $wrong ne '';
	$by_keys += sql(q{SELECT count(*) FROM metrics_refresh.run_log WHERE strategy = 'incremental' AND rows_inserted + rows_updated + rows_deleted > 0});
	sql('TRUNCATE metrics_refresh_internal.run_log');
	drop_views(grep { /^v/ } @made);
}
is($wrong, '', 'every view was equal to its definition after every refresh, and no audit found anything');

my $refused = $drawn - $kept;
note "$kept of $drawn definitions can be kept by keys; $by_keys refreshes by keys changed rows";
note "$refused{$_} times: $_" for sort { $refused{$b} <=> $refused{$a} || $a cmp $b } keys %refused;
cmp_ok($kept, '>=', $drawn / 3, 'a third or more can be kept by keys');
cmp_ok($refused, '>', 0, 'some cannot');
is(join(' ', grep { !/^Its definition cannot be kept by keys: .{9}/ } keys %refused), '', 'each for a reason');
cmp_ok($by_keys, '>', 0, 'rows were written by keys');
$node->stop;
done_testing();
