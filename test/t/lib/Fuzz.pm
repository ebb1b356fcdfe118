# Calls of all SQL functions of our extensions, as the catalogs list them, with hostile values, in all the
# places where a call can stand; as a script for psql, and what its output gives away.
#
# Each call ends with its transaction. Within it the script asks which locks it holds on relations on
# which the role has no right at all, after it which locks are left.
package Fuzz;

use strict;
use warnings;

use Exporter 'import';
use HostileValues;

our @EXPORT = qw(functions script script_of faults calls_that_succeeded);

# Each {name, called, arguments: [[name, type, is_optional]…], variadic}.
sub functions
{
	my ($node, $database) = @_;
	my $rows = $node->safe_psql(
		$database, q{
		SELECT concat_ws(chr(31), p.oid::regprocedure, format('%I.%I', n.nspname, p.proname), p.provariadic <> 0, p.prokind,
		  (SELECT string_agg(concat_ws(chr(30), coalesce(nullif(a.name, ''), '-'), format_type(a.type, NULL), a.n > p.pronargs - p.pronargdefaults), chr(29) ORDER BY a.n)
		   FROM ROWS FROM (unnest(p.proargtypes), unnest(p.proargnames)) WITH ORDINALITY a (type, name, n) WHERE a.n <= p.pronargs))
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
		WHERE e.extname LIKE 'metrics\_refresh%' ORDER BY 1});
	return map {
		my ($name, $called, $variadic, $kind, $arguments) = split /\x1f/;
		my @arguments = map { [ split /\x1e/ ] } split /\x1d/, $arguments // '';
		{ name => $name, called => $called, variadic => $variadic eq 't', kind => $kind, arguments => \@arguments }
	} split /\n/, $rows;
}

# f(…): what may be left out is, mostly, and then the rest goes by name.
sub call
{
	my ($values, $function) = @_;
	my @list;
	my $by_name = 0;
	for my $argument (@{ $function->{arguments} })
	{
		my ($name, $type, $optional) = @$argument;
		$optional = $optional eq 't';
		if ($optional && $values->chance(75))
		{
			$by_name = 1;
			next;
		}
		my $value = $values->value($type, $name);
		push @list, $by_name ? "\"$name\" => $value" : $value;
	}
	push @list, map { $values->any } 1 .. $values->below(4) if $function->{variadic};
	return "$function->{called}(" . join(', ', @list) . ')';
}

my @settings = (
	'search_path = pg_temp, fuzz_traps, pg_catalog', "search_path = ''", 'search_path = fuzz_traps, metrics_refresh, public', 'search_path = nowhere',
	'standard_conforming_strings = off', "DateStyle = 'SQL, DMY'", "DateStyle = 'German'", 'IntervalStyle = sql_standard', 'IntervalStyle = iso_8601',
	"TimeZone = '<+1>-1'", "TimeZone = 'Asia/Kathmandu'", 'statement_timeout = 1', 'statement_timeout = 1', 'lock_timeout = 1', 'row_security = off',
	'client_encoding = LATIN1', 'client_encoding = SQL_ASCII', 'quote_all_identifiers = on', 'array_nulls = off', 'transform_null_equals = on',
	'default_transaction_isolation = serializable', "default_transaction_isolation = 'repeatable read'", 'default_transaction_read_only = on',
	'default_transaction_deferrable = on', 'work_mem = 64', 'temp_buffers = 100', 'plan_cache_mode = force_generic_plan', 'enable_indexscan = off', 'enable_seqscan = off',
	'enable_hashjoin = off; SET enable_nestloop = off', 'jit = on; SET jit_above_cost = 0', 'extra_float_digits = -15', 'bytea_output = escape',
	'client_min_messages = debug1', 'client_min_messages = error', "application_name = E'\\'; --'", 'xmloption = document', 'check_function_bodies = off',
	'default_with_oids = off', 'max_stack_depth = 100', 'from_collapse_limit = 1', 'geqo_threshold = 2', 'constraint_exclusion = on',
	'default_tablespace = pg_global', 'temp_tablespaces = pg_default', 'idle_in_transaction_session_timeout = 10000', 'vacuum_cost_delay = 1',
	'metrics_refresh.health_window = 1', 'backslash_quote = off', 'synchronous_commit = off', 'lo_compat_privileges = on', 'session_replication_role = replica');

# Where a call can stand. Each returns statements; SQL of a role's own is in the schema of its name.
sub in_transaction
{
	my ($values, $body) = @_;
	my $level = $values->one_of('', '', '', ' ISOLATION LEVEL SERIALIZABLE', ' ISOLATION LEVEL REPEATABLE READ', ' READ ONLY');
	return ("BEGIN$level", $body, '\ir held.sql', $values->one_of('COMMIT', 'ROLLBACK'));
}

my $caught = q{GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
  RAISE NOTICE 'caught %: % (%)', SQLSTATE, SQLERRM, translate(context, E'\n', ' ');};
my @places = (
	sub { "SELECT $_[1]" },
	sub { "SELECT $_[1]" },
	sub { "SELECT * FROM $_[1]" },
	(sub { in_transaction($_[0], "SELECT $_[1]") }) x 6,
	sub { in_transaction($_[0], "SELECT * FROM $_[1]") },
	sub { ('BEGIN', 'SAVEPOINT s', "SELECT $_[1]", 'ROLLBACK TO s', "SELECT $_[1]", 'RELEASE s', '\ir held.sql', 'COMMIT') },
	sub { "DO \$fuzz\$ DECLARE context text; BEGIN PERFORM $_[1]; EXCEPTION WHEN OTHERS THEN $caught END \$fuzz\$" },
	sub { "DO \$fuzz\$ DECLARE context text; BEGIN FOR n IN 1 .. 3 LOOP BEGIN PERFORM $_[1]; EXCEPTION WHEN OTHERS OR query_canceled THEN $caught END; END LOOP; END \$fuzz\$" },
	sub { "DO \$fuzz\$ BEGIN PERFORM $_[1]; COMMIT; PERFORM $_[1]; ROLLBACK; END \$fuzz\$" },
	sub { "INSERT INTO $_[2].fired VALUES (\$fuzz\$SELECT $_[1]\$fuzz\$)" },
	sub { ('BEGIN', "INSERT INTO $_[2].deferred VALUES (\$fuzz\$SELECT $_[1]\$fuzz\$)", 'COMMIT') },
	sub { ("CREATE TEMP VIEW fuzz_view AS SELECT $_[1] AS c", 'SELECT * FROM fuzz_view', 'DROP VIEW IF EXISTS fuzz_view') },
	sub { ("CREATE MATERIALIZED VIEW $_[2].fuzz_made AS SELECT ($_[1])::text AS c", "DROP MATERIALIZED VIEW IF EXISTS $_[2].fuzz_made") },
	sub { ("PREPARE p AS SELECT $_[1]", 'EXECUTE p', 'EXECUTE p', 'DEALLOCATE ALL') },
	sub { ('BEGIN', "DECLARE c CURSOR WITH HOLD FOR SELECT $_[1]", 'COMMIT', 'FETCH ALL FROM c', 'CLOSE ALL') },
	sub { ('BEGIN', "SELECT $_[1]", "PREPARE TRANSACTION 'fuzz $_[2]'", 'ROLLBACK', "ROLLBACK PREPARED 'fuzz $_[2]'") },
	sub { "SELECT count(*) FROM generate_series(1, 3) n, LATERAL (SELECT $_[1] WHERE n > 0) x" },
	sub { "COPY (SELECT $_[1]) TO STDOUT" },
	sub { ('BEGIN', 'SET LOCAL ROLE fuzz_owner', "SELECT $_[1]", 'COMMIT') },
	sub { "EXPLAIN (ANALYZE, COSTS OFF) SELECT $_[1]" },
	sub { "SELECT set_config('search_path', 'fuzz_traps', false), $_[1]" });

sub statements
{
	my ($values, $function, $schema) = @_;
	my $call = call($values, $function);
	return "CALL $call" if $function->{kind} eq 'p';
	# What takes polymorphic rows does not stand everywhere; the server says so.
	my @statements = $values->one_of(@places)->($values, $call, $schema);
	unshift @statements, 'SET ' . $values->one_of(@settings) while $values->chance(35);
	return @statements;
}

# A script that calls each of the functions once, in some order: [text, calls by number].
sub script
{
	my ($values, $schema, @functions) = @_;
	return script_of(map { { function => $_->{name}, statements => [ statements($values, $_, $schema) ] } }
		$values->some_of(scalar @functions, @functions));
}

# The same of calls that are given: {function, statements}.
sub script_of
{
	my (@calls) = @_;
	my $text = '';
	for my $n (0 .. $#calls)
	{
		my @statements = @{ $calls[$n]{statements} };
		$calls[$n]{text} = join '; ', @statements;
		$text .= "\\echo \@\@ $n\n\\warn \@\@ $n\n"
		  . join('', map { /^\\/ ? "$_\n" : "$_;\n" } @statements)
		  . "ROLLBACK;\nRESET ALL;\nRESET ROLE;\n\\ir left.sql\n";
	}
	return [ "$text\\echo \@\@ end\n", \@calls ];
}

# An output by the number of its call.
sub by_call
{
	my ($output) = @_;
	my %found;
	my $at = 'before';
	for (split /\n/, $output)
	{
		if (/^\@\@ (\w+)$/) { $at = $1 }
		else { $found{$at} .= "$_\n" }
	}
	return \%found;
}

# What must not be: of each call, lines that say what was seen and in which call. The secrets are texts
# that only others have stored.
sub faults
{
	my ($calls, $out, $err, @secrets) = @_;
	my ($said, $warned) = (by_call($out), by_call($err));
	my @faults;
	my $ended = $out !~ /^\@\@ end$/m;
	push @faults, 'the session ended before its script' if $ended;
	# What follows a literal that has no end for psql is read as part of it.
	my %begun = map { $_ => 1 } $out =~ /^\@\@ (\d+)$/mg;
	push @faults, map { $begun{$_} || $ended ? () : "psql passed over: $calls->[$_]{text}" } 0 .. $#$calls;
	for my $n (0 .. $#$calls)
	{
		my ($told, $errors) = ($said->{$n} // '', $warned->{$n} // '');
		my $all = $told . $errors;
		my @seen;
		# pg_cron's own errors have this code, by RAISE.
		for my $error (split /^(?=psql:.*?: (?:[A-Z]+):  )/m, $errors)
		{
			# Not one that RAISE made, thrown or caught.
			next if $error =~ /at RAISE/ || $error !~ /caught XX/ && $error =~ /^LOCATION:  exec_stmt_raise,/m;
			push @seen, $1 if $error =~ /\A.*?((?:caught )?XX\d\d\d: .*)/;
		}
		push @seen, $1 while $all =~ /(cache lookup failed.*|could not open relation with OID.*|unrecognized \w+ type.*|"sqlstate": "XX.*)/g;
		push @seen, "$1 left" while $told =~ /^left: (.+)$/mg;
		push @seen, "$1 held" while $told =~ /^held: (.+)$/mg;
		for my $secret (@secrets)
		{
			push @seen, "somebody else's: $1" if $all =~ /(.*\Q$secret\E.*)/;
		}
		push @faults, map { "$_ in: $calls->[$n]{text}" } @seen;
	}
	return @faults;
}

# How many of the calls raised nothing.
sub calls_that_succeeded
{
	my ($calls, $err) = @_;
	my $warned = by_call($err);
	return scalar grep { ($warned->{$_} // '') !~ /ERROR:/ } 0 .. $#$calls;
}

1;
