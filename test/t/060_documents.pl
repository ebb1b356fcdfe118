# README.md and docs/ tell the truth: every statement that they show runs, and gives the output that they show. Every
# setting, function, view, option and check is described, and nothing is described that does not exist.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Document;
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my %text = map { s{^\Q$top\E/}{}r => slurp_file($_) } ("$top/README.md", sort glob("$top/docs/*.md"));

my $pg_cron = -e (run_command([ 'pg_config', '--pkglibdir' ]))[0] . '/pg_cron.so';
# An hour later for each page, and a minute after the hour: no job is due by chance while a page runs.
use constant MORNING => 1_796_083_260;    # 2026-12-01 00:01:00 UTC
my $clock = FakeClock->new;
$clock->set(MORNING, 1);
my $node = start_node(
	'documents',
	timezone => 'UTC',
	'metrics_refresh.log_skips' => 'off',
	$pg_cron ? (shared_preload_libraries => 'metrics_refresh,pg_cron', 'cron.database_name' => 'app') : ());
$node->safe_psql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE analyst LOGIN; CREATE ROLE operators; CREATE ROLE web LOGIN');

sub psql
{
	my ($database) = @_;
	return [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database) ];
}

# The program crontab that a page calls lists the crontab that the page shows.
my $programs = PostgreSQL::Test::Utils::tempdir();
my ($crontab) = $text{'docs/pg_cron.md'} =~ /^```crontab\n(.*?)^```/ms;
append_to_file("$programs/crontab", "#!/bin/sh\ncat <<'END'\n${crontab}END\n");
chmod 0755, "$programs/crontab";
$ENV{PATH} = "$programs:$ENV{PATH}";
# A page writes a file.
chdir $programs;

# Before the pages: that a bad page is found out.
sub problems_of
{
	my ($text) = @_;
	return join('; ', grep { defined } map { Document::problem(psql('postgres'), $_) } Document::blocks($text));
}
is(problems_of("```sql\nSELECT 1 AS one;\n```\n```output\n one\n-----\n   1\n(1 row)\n```\n"), '', 'a page that is right');
like(problems_of("```sql\nSELECT 1/0;\n```\n"), qr/^failed: .*division by zero/, 'a statement that fails is found');
like(problems_of("```sql\nSELECT 1/0;\n```\n```output\n one\n```\n"), qr/^failed: .*division by zero/, 'also if output is shown');
is(problems_of("```sql\nSELECT 1/0;\n```\n```output\nERROR:  division by zero\n```\n"), '', 'a page may show an error');
like(problems_of("```sql\nSELECT 1;\n```\n```output\nERROR:  division by zero\n```\n"), qr/^the output is/, 'an error that does not come is found');
like(problems_of("```sql\nSELECT 2 AS one;\n```\n```output\n one\n-----\n   1\n(1 row)\n```\n"), qr/^the output is/, 'wrong output is found');
like(problems_of("```psql\napp=# SELECT 2 AS one;\n one\n-----\n   1\n(1 row)\n```\n"), qr/^the output is/, 'also in a transcript');
is(problems_of("```sql\nSELECT now(), 30 AS ms;\n```\n```output varying\n now | ms\n--+--\n 2026-11-30 00:54:20.5+00 | 34.499\n(1 row)\n```\n"), '', 'a moment and a duration may vary');
like(problems_of("```sql\nSELECT now(), 'x' AS ms;\n```\n```output varying\n now | ms\n--+--\n 2026-11-30 00:54:20.5+00 | 34.499\n(1 row)\n```\n"), qr/^the output is/, 'and nothing else');
like(problems_of("<!--\n```sql\nSELECT 1/0;\n```\n-->\n"), qr/^failed/, 'statements that readers do not see count too');
ok(!eval { Document::blocks("```\nSELECT 1;\n```\n"); 1 }, 'a block of statements must be marked');
is(scalar(Document::loose_statements("Run `SELECT pg_reload_conf()`.\n")), 1, 'a statement in running text is found');

# Every page in a new database of the name `app`.
my $hour = 0;
for my $page (sort keys %text)
{
	$clock->set(MORNING + 3600 * ++$hour, 1);
	$node->safe_psql('postgres', $_) for 'DROP DATABASE IF EXISTS app WITH (FORCE)', 'CREATE DATABASE app';
	my @blocks = eval { Document::blocks($text{$page}) };
	is($@, '', "$page: its blocks") if $@;
	for my $block (@blocks)
	{
		my $name = "$page, line $block->{line}";
	  SKIP:
		{
			skip "$name: $block->{needs} is not installed", 1 if ($block->{needs} // '') eq 'pg_cron' && !$pg_cron;
			is(Document::problem(psql('app'), $block), undef, $name);
		}
	}
	is_deeply([ Document::loose_statements($text{$page}) ], [], "$page: every statement is in a block");
}

# Links lead to pages and headings.
sub anchors
{
	my ($text) = @_;
	$text =~ s/^```.*?^```//gms;
	return map { my $s = lc; $s =~ s/[`*]//g; $s =~ s/[^\w\- ]//g; $s =~ tr/ /-/; $s } $text =~ /^#+ (.*)$/gm;
}
for my $page (sort keys %text)
{
	my @dead;
	my $folder = $page =~ m{^(.*/)} ? $1 : '';
	while ($text{$page} =~ /\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)
	{
		my ($file, $anchor) = ($1 eq '' ? $page : "$folder$1", $2);
		1 while $file =~ s{[^/]+/\.\./}{};
		push @dead, $file if !-e "$top/$file";
		push @dead, "$file#$anchor" if defined $anchor && -f "$top/$file" && !grep { $_ eq $anchor } anchors(slurp_file("$top/$file"));
	}
	is_deeply(\@dead, [], "$page: its links");
}
# Files that a page names are there.
for my $page (sort keys %text)
{
	my %named = map { $_ => 1 } $text{$page} =~ m{`((?:[a-z]\w+/)+[\w.]+)`}g;
	is_deeply([ grep { my $file = $_; !grep { -e "$top/$_" || (/\.\w+$/ ? 0 : glob("$top/$_.*")) } $file, "src/$file" } sort keys %named ],
		[], "$page: the files that it names");
}
cmp_ok(length($text{'README.md'}), '<=', 12 * 1024, 'README.md is short');

# What exists is described, and what is described exists.
$node->safe_psql('postgres', 'CREATE EXTENSION metrics_refresh');
sub listed { return $node->safe_psql('postgres', $_[0]) =~ /(\S+)/g; }
sub missing { my ($text, @names) = @_; return [ grep { $text !~ /(?<![\w.])`?\Q$_\E\b/ } @names ]; }

my @settings = listed(q{SELECT name FROM pg_settings WHERE name LIKE 'metrics\_refresh.%'});
my $operations = $text{'docs/operations.md'};
# One row for two settings.
$operations =~ s/^\| `(\S+)_warning`, `…_critical` \| `(\w+)`, `(\w+)` \|/| `$1_critical` | `$3` | any | - |\n| `$1_warning` | `$2` |/gm;
my %described = $operations =~ /^\| `(metrics_refresh\.\w+)` \| ([^|]+ \| [^|]+) \|/gm;
s/`|: UTC|, role//g for values %described;
my %changed_by = (postmaster => 'restart', sighup => 'reload', superuser => 'superuser', user => 'any');
my %actual;
for (split /\n/, $node->safe_psql('postgres', q{SELECT name, current_setting(name), context FROM pg_settings WHERE name LIKE 'metrics\_refresh.%'}))
{
	my ($name, $value, $context) = split /\|/;
	$actual{$name} = ($value eq '' ? 'empty' : $value) . " | $changed_by{$context}";
}
is_deeply(\%described, \%actual, 'docs/operations.md: every setting, its default, and how it is changed');
# Names of settings, and of all else in the schema. A name may be cut off, as in metrics_refresh.max_….
my %real = map { $_ => 1 } @settings, listed(
	q{SELECT 'metrics_refresh.' || unnest(ARRAY(SELECT proname FROM pg_proc WHERE pronamespace = n.oid)
		|| ARRAY(SELECT relname FROM pg_class WHERE relnamespace = n.oid)) FROM pg_namespace n WHERE nspname = 'metrics_refresh'});
for my $page (sort keys %text)
{
	my %named = map { $_ => 1 } grep { !/\.cpp$|_$/ } $text{$page} =~ /\b(metrics_refresh\.[a-z]\w*)/g;
	is_deeply([ grep { !$real{$_} } sort keys %named ], [], "$page: its settings, functions and views exist");
}
my @functions = listed(
	q{SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'metrics_refresh'
	  WHERE p.pronamespace IN ('metrics_refresh'::regnamespace, 'public'::regnamespace) AND p.prorettype <> 'trigger'::regtype});
my $reference = join("\n", @text{'docs/reference.md', 'docs/queue.md'});
is_deeply(missing("$reference\n$text{'docs/moving-in.md'}", @functions), [], 'docs/reference.md and others: every function');
my @views = listed(q{SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'metrics_refresh'::regnamespace});
is_deeply(missing($reference, @views), [], 'docs/reference.md and docs/queue.md: every view');
my @options = listed(
	q{SELECT DISTINCT name FROM pg_proc p, unnest(p.proargnames) AS name WHERE p.pronamespace = 'metrics_refresh'::regnamespace
	  AND p.proname IN ('schedule', 'schedule_command', 'schedule_group', 'alter_job')});
is_deeply(missing($text{'docs/reference.md'}, @options), [], 'docs/reference.md: every option');
@options = listed(
	q{SELECT DISTINCT name FROM pg_proc p, unnest(p.proargnames) AS name WHERE p.pronamespace = 'metrics_refresh'::regnamespace
	  AND p.proname IN ('register_job_type', 'alter_job_type', 'enqueue', 'enqueue_many', 'create_batch')});
is_deeply(missing($text{'docs/queue.md'}, @options), [], 'docs/queue.md: every option');
my @checks = listed('SELECT DISTINCT check_name FROM metrics_refresh.health_check()');
is_deeply(missing($text{'docs/operations.md'}, @checks), [], 'docs/operations.md: every health check');

done_testing();
