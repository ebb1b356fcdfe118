# Values that functions do not expect, as SQL expressions: for each type a pool of them, and for
# arguments of a known name some that are right, so that calls get past the first check. The same ones
# come from the same seed.
#
# A world says what there is: {views, relations, oids, jobs, groups, schemas, roles, runs, commands}, each a
# list of texts.
package HostileValues;

use strict;
use warnings;

use Exporter 'import';
use Expression;

our @ISA = ('Expression');
our @EXPORT_OK = qw(literal);

sub new
{
	my ($class, $seed, $world) = @_;
	return bless { state => $seed % 2147483647 || 1, world => $world }, $class;
}

# The same text whatever standard_conforming_strings is, and for psql, which reads backslashes too.
sub literal
{
	my ($text) = @_;
	$text =~ s/(['\\])/\\$1/g;
	return "E'$text'";
}

# What breaks out of quotes somewhere. As a whole it is never a statement: a superuser may well store it
# as a command of his own.
my @injections = (
	q{'; ALTER ROLE fuzz_stranger SUPERUSER; --},
	q{"; ALTER ROLE fuzz_stranger SUPERUSER; --},
	q{x'; GRANT pg_read_all_data TO fuzz_stranger; --},
	q{t;alter user fuzz_stranger superuser--"},
	q{$$); ALTER ROLE fuzz_stranger SUPERUSER; --},
	q{\\'; ALTER ROLE fuzz_stranger SUPERUSER; --},
	q{%1$s %s %n %d %%}, q{{0} ${x} $1 :x}, q{*/ ; -- /*}, q{(SELECT 1)});
my @odd_texts = (
	'', ' ', "\\t\\n", 'NULL', 'null', 'true', '0', '-1', 'a.b.c.d', '"', "'", '\\', '.', '..', 'pg_temp',
	'pg_catalog.pg_class', 'metrics_refresh.job', 'x' x 63, 'x' x 64, '{', '{}', '[]', '{{', '$user', '%', '_', '-',
	'pg_toast', 'now', 'infinity', 'postgres', 'public', 'none', 'current_user', 'CURRENT_ROLE', '1e999');
# No plain literal ends in a backslash: with standard_conforming_strings off psql would read on in it, past
# the end of the call. Of these the server makes bytes: at the limits of UTF-8, without width, right to left, not normalised.
my @odd_bytes = (
	q{U&'\FFFD\FEFF\200B\202E'}, q{U&'\+10FFFF'}, q{chr(65535)}, q{chr(1)}, q{'a' || chr(776)}, q{repeat(chr(228), 32)},
	q{repeat('x', 100000)}, q{repeat('(', 5000)}, q{repeat('1 ', 20000)}, q{repeat('a,', 5000) || 'b'}, q{repeat(E'\n', 3000)},
	q{repeat(chr(55296 - 1), 100)}, q{quote_literal(repeat(chr(92), 1000))});
my @schedules = (
	'1 second', '59 seconds', '5 minutes', '@daily', '@reboot', '* * * * *', '*/5 * * * *', '0 0 30 2 *', '0 0 29 2 *',
	'H H * * *', '@after 1 s', '@every 1 s', '0 0 1 1 *', '99999999999999 hours', '-1 s', '1-59/7 0-23 1-31 1-12 0-7', '* * * *',
	'*/0 * * * *', '1,2,3,4-2 * * * *', 'L * * * *', '0 0 L * *', '0 0 * * 1#5', '0 0 15W * *', '60 * * * *', '1 second 2', '@restart');
my @zones = ('UTC', 'Europe/Berlin', 'Asia/Kolkata', '<+1>-1', 'PST8PDT,M3.2.0,M11.1.0', '../../etc/passwd', '/etc/localtime', 'posixrules', 'x' x 300, '<' . ('a' x 200) . '>0');
my @intervals = (
	'0', '1 ms', '1 s', '10 s', '1 hour', '24 days', '25 days', '-1 s', '-178000000 years', '178000000 years', '1 month', '1 month -30 days',
	'2147483647 days', '-2147483648 days', '1 us', '1 month -1 month', '9223372036854 s');
my @times = (
	'infinity', '-infinity', '1970-01-01', '4713-01-01 BC', '294276-12-31 23:59:59.999999+00', '2024-02-29 12:00+14', '9999-12-31 23:59:59+00',
	'0001-01-01', '2026-03-29 02:30 Europe/Berlin');
my @jsonb = (
	'{}', '[]', 'null', '1', 'true', '"x"', '{"work_mem": "1MB"}', '{"work_mem": null}', '{"work_mem": {}}', '{"": ""}', '{"work_mem": [1]}',
	'{"search_path": "pg_temp, fuzz_stranger"}', '{"role": "postgres"}', '{"session_authorization": "postgres"}', '{"is_superuser": "on"}',
	'{"no.such": "x"}', '{"plpgsql.extra_errors": "all"}', '{"metrics_refresh.admin_role": "fuzz_stranger"}', '{"metrics_refresh.foo": "x"}',
	'{"exit_on_error": true}', '{"session_replication_role": "replica"}', '{"log_statement": "all"}', '{"local_preload_libraries": "x"}',
	'{"DateStyle": "SQL, DMY", "IntervalStyle": "iso_8601", "TimeZone": "<+1>-1"}', '{"statement_timeout": 1}', '{"work_mem": 1e400}',
	'{"application_name": "\u202e\'; --"}', '{"x": "y", "x": "z"}', '{"jit": "maybe"}', '{"transaction_read_only": true}', '{"default_tablespace": "x"}');
my @names = (
	[ qr/schedule/, sub { map { literal($_) } @schedules } ],
	[ qr/job_?name|stored_name/, sub { map { literal($_) } @{ $_[0]{jobs} } } ],
	[ qr/group_name/, sub { map { literal($_) } @{ $_[0]{groups} } } ],
	[ qr/schema/, sub { map { literal($_) } @{ $_[0]{schemas} } } ],
	[ qr/owner|user|role/, sub { map { literal($_) } @{ $_[0]{roles} } } ],
	[ qr/command/, sub { map { literal($_) } @{ $_[0]{commands} } } ],
	[ qr/zone/, sub { map { literal($_) } @zones } ],
	[ qr/strategy/, sub { map { "'$_'" } qw(auto diff full concurrently incremental) } ],
	[ qr/isolation/, sub { map { "'$_'" } qw(read_committed repeatable_read) } ],
	[ qr/on_missed/, sub { map { "'$_'" } qw(once skip) } ],
	[ qr/on_overlap/, sub { map { "'$_'" } qw(skip queue_one) } ],
	[ qr/database/, sub { ("'postgres'", "'template1'", "'nowhere'") } ],
	[ qr/run_?id|job_?id/, sub { @{ $_[0]{runs} } } ],
	[ qr/crontab/, sub { map { literal($_) } "* * * * * psql -c 'SELECT 1'", "\@daily psql -d postgres -c \"SELECT 1\" >/dev/null", "CRON_TZ=UTC\n0 0 * * * psql -f x", "A=b\n\n# x\n* * * * *" } ],
);

sub texts
{
	my ($self) = @_;
	my $world = $self->{world};
	return (
		(map { literal($_) } @injections, @odd_texts, @schedules, @zones, @{ $world->{jobs} }, @{ $world->{views} }, @{ $world->{roles} }),
		@odd_bytes, @odd_bytes);
}

# A relation of any kind, by its name or by its OID, for which nobody asks for USAGE on a schema.
sub relation
{
	my ($self) = @_;
	my $world = $self->{world};
	return $self->one_of(@{ $world->{oids} }) if @{ $world->{oids} } && $self->chance(40);
	return literal($self->one_of((@{ $world->{views} }) x 3, @{ $world->{relations} })) if $self->chance(80);
	return $self->one_of('0', '1', '4294967295', '16383', "(SELECT max(oid) FROM pg_catalog.pg_class)::oid");
}

# Some value of a type, by its name as format_type() says it.
sub value
{
	my ($self, $type, $name) = @_;
	return "NULL::$type" if $type ne '"any"' && $self->chance(6);
	return $self->any if $type eq '"any"';
	for my $known (@names)
	{
		my ($pattern, $values) = @$known;
		next if !defined $name || $name !~ $pattern || $type !~ /^(text|name|bigint)$/ || !$self->chance(65);
		my @values = $values->($self->{world});
		return $self->one_of(@values) . "::$type" if @values;
	}
	if ($type =~ /^(.+)\[\]$/)
	{
		my $element = $1;
		my $way = $self->below(10);
		return "'{}'::$type" if $way == 0;
		return "ARRAY[NULL, NULL]::$type" if $way == 1;
		my @elements = map { $self->value($element, $name) } 1 .. 1 + $self->below(4);
		return "ARRAY[ARRAY[$elements[0]], ARRAY[$elements[-1]]]::$type" if $way == 2;
		return "array_fill($elements[0], ARRAY[3000])::$type" if $way == 3;
		return "'[5:6]={NULL,NULL}'::$type" if $way == 4;
		return 'ARRAY[' . join(', ', @elements) . "]::$type";
	}
	return $self->one_of($self->texts) . "::$type" if $type eq 'text';
	return 'left(' . $self->one_of($self->texts) . ", 63)::$type" if $type eq 'name';
	return $self->relation . "::$type" if $type eq 'regclass';
	return $self->one_of('true', 'false') . "::$type" if $type eq 'boolean';
	return '(' . $self->one_of('0', '1', '-1', '2', '5', '10000', '10001', '-1000', '1000', '1001', '2147483647', '-2147483648') . ")::$type" if $type eq 'integer';
	return '(' . $self->one_of('0', '-1', '1::bigint << 40', '9223372036854775807', '-9223372036854775808', @{ $self->{world}{runs} }) . ")::$type" if $type eq 'bigint';
	return literal($self->one_of(@intervals)) . "::$type" if $type eq 'interval';
	return literal($self->one_of(@times)) . "::$type" if $type =~ /^(timestamp|date)/;
	return literal($self->one_of(@jsonb)) . "::$type" if $type eq 'jsonb' && $self->chance(90);
	return "jsonb_build_object('work_mem', repeat(' ', 200000))::$type" if $type eq 'jsonb' && $self->chance(50);
	return "(SELECT jsonb_object_agg('a.x' || n, n) FROM generate_series(1, 2000) n)::$type" if $type eq 'jsonb';
	return $self->one_of('0', '1', '10', '4294967295', map { literal($_) . '::regrole' } @{ $self->{world}{roles} }) . "::$type" if $type eq 'oid';
	return "'NaN'::$type" if $type =~ /^(numeric|real|double)/ && $self->chance(50);
	return "NULL::$type";
}

# Of "any" type.
sub any
{
	my ($self) = @_;
	return $self->one_of('NULL', "'x'", "ROW(1, NULL)", "ROW(ROW())", "'{}'::int[]", "'(,)'::point", "'x'::text COLLATE \"C\"", "'\\x00'::bytea", "'{\"a\": 1}'::json", "'<a/>'::xml") if $self->chance(40);
	return $self->value($self->one_of(qw(text integer bigint interval boolean jsonb regclass text[] name), 'timestamp with time zone'));
}

1;
