# What the differential tests share: views that are refreshed and compared with their definitions in
# the same snapshot, while sessions write into the tables that they read.
package Differential;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(create_try try_each start_writers);

# The functions differences(), the number of rows in which a view and its definition differ, and try(),
# which refreshes a view, within some memory, and says what is wrong then: NULL where nothing is.
sub create_try
{
	my ($node) = @_;
	$node->safe_psql(
		'postgres', q{
	CREATE FUNCTION differences(of regclass) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
	  n bigint;
	  definition text := rtrim(pg_get_viewdef(of), ';');
	BEGIN
	  EXECUTE format('SELECT (SELECT count(*) FROM (SELECT ROW(v.*)::text FROM %1$s v EXCEPT ALL SELECT ROW(d.*)::text FROM (%2$s) d) x)
	                       + (SELECT count(*) FROM (SELECT ROW(d.*)::text FROM (%2$s) d EXCEPT ALL SELECT ROW(v.*)::text FROM %1$s v) x)', of, definition) INTO n;
	  RETURN n;
	END $$;
	CREATE FUNCTION try(of regclass, strategy text DEFAULT 'incremental', memory text DEFAULT current_setting('work_mem'))
	RETURNS text LANGUAGE plpgsql SET hash_mem_multiplier = 1 AS $$
	DECLARE
	  answer jsonb;
	  n bigint;
	BEGIN
	  PERFORM set_config('work_mem', memory, true);
	  answer := metrics_refresh.refresh(of, strategy => strategy);
	  PERFORM set_config('work_mem', '64MB', true);
	  IF NOT (answer ->> 'success')::boolean THEN RETURN of || ': ' || answer; END IF;
	  n := differences(of);
	  IF n > 0 THEN RETURN format('%s, %s: %s rows differ: %s, %s', of, memory, n, answer,
	    (SELECT strategy_reason FROM metrics_refresh.run_log WHERE run_id = (answer ->> 'run_id')::bigint)); END IF;
	  -- Only incremental may be another one: where all rows have to be looked at.
	  IF answer ->> 'strategy' <> strategy AND strategy <> 'incremental' THEN RETURN of || ': ' || answer; END IF;
	  RETURN NULL;
	END $$});
	return;
}

# Refreshes views, each [name, strategy] or [name, strategy, memory], and returns what is wrong, a line
# for each that is. The refresh's snapshot is that of the comparison, and now() is the same.
sub try_each
{
	my ($node, @views) = @_;
	my $answer = $node->safe_psql(
		'postgres',
		join '',
		map { "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT try(" . join(', ', map { "'$_'" } @$_) . "); COMMIT;\n" } @views);
	return join "\n", grep { $_ ne '' } split /\n/, $answer;
}

# pgbench calls write_once() in three sessions, as long as it lives, with a command between two calls.
sub start_writers
{
	my ($node, $pause) = @_;
	my $script = PostgreSQL::Test::Utils::tempdir() . '/write.sql';
	PostgreSQL::Test::Utils::append_to_file($script, join "\n", 'CALL write_once();', $pause // (), '') unless -e $script;
	my ($out, $err) = ('', '');
	return IPC::Run::start(
		[ 'pgbench', '-n', '-c3', '-T3600', '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'<', \undef, '>', \$out, '2>', \$err);
}

1;
