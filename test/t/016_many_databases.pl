# A hundred databases with the extension: each is served, nobody stays where nothing is due, whoever
# left is back in time, and databases are dropped, moved and copied in the midst of it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'time';

use constant DATABASES => 100;

my $node = start_node(
	'many',
	max_worker_processes => 64,
	'metrics_refresh.scheduler_idle_timeout' => '1s',
	'metrics_refresh.worker_idle_timeout' => '0');

# A psql that visits databases one after the other; what it prints for each is one line.
sub visit
{
	my ($sql, @databases) = @_;
	my $script = join "\n", map { "\\c $_\n$sql;" } @databases;
	my $result = $node->safe_psql('postgres', "SET client_min_messages = 'warning';\n\\set QUIET 1\n$script");
	return split /\n/, $result;
}

# The template has jobs of its own, but nothing runs in a database that is one.
$node->safe_psql('postgres', 'CREATE DATABASE seed IS_TEMPLATE true');
create_extension($node, 'seed');
$node->safe_psql('seed',
	q{SELECT metrics_refresh.schedule_command('beat', '10 seconds', 'SELECT 1', active => false)});
my @databases = map { sprintf 'd%03d', $_ } 1 .. DATABASES;
my $began = time;
$node->safe_psql('postgres', join ';', map { "CREATE DATABASE $_ TEMPLATE seed STRATEGY file_copy" } @databases[ $_ * 10 .. $_ * 10 + 9 ])
  for 0 .. DATABASES / 10 - 1;
note sprintf '%d databases were made in %.1f s', DATABASES, time - $began;
my $ours = q{FROM pg_stat_activity WHERE backend_type LIKE 'metrics_refresh %'};
until_ok($node, 'postgres', "SELECT count(*) = 1 $ours", 'where nothing is due, only the launcher is left');
is(processes($node, 'launcher'), 1, 'it is the launcher');

# Each in its own measure, so that every moment a few are due.
$began = time;
visit(
	q{SELECT FROM metrics_refresh.alter_job('beat', active => true, schedule =>
	(17 + substr(current_database(), 2)::int % 13) || ' seconds')},
	@databases);
note sprintf 'their jobs were switched on in %.1f s', time - $began;

# Meanwhile some are dropped, copied, moved and renamed. Each statement needs the database for itself.
my $tablespace = PostgreSQL::Test::Utils::tempdir_short();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$tablespace'");
sub at_once
{
	my ($sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $start = time;
	my ($code, $out, $err) = $node->psql('postgres', $sql);
	is("$code$err", '0', sprintf('%s (%.1f s)', $sql, time - $start));
	return;
}
for my $i (1 .. 3)
{
	at_once("DROP DATABASE d00$i");
	at_once("CREATE DATABASE copy$i TEMPLATE d01$i");
	at_once("ALTER DATABASE d02$i SET TABLESPACE elsewhere");
	at_once("ALTER DATABASE d03$i RENAME TO e03$i");
}
@databases = grep { !/^d00[123]$/ } map { s/^d03([123])$/e03$1/r } @databases;
push @databases, map { "copy$_" } 1 .. 3;

# Every database is served by now, or will be.
my @waiting = @databases;
my $ran = q{SELECT current_database() FROM metrics_refresh.run_log WHERE job_name = 'beat'
  AND status = 'success' AND triggered_by = 'schedule' HAVING count(*) > 0};
for (1 .. 60)
{
	my %served = map { $_ => 1 } visit($ran, @waiting);
	@waiting = grep { !$served{$_} } @waiting;
	last if !@waiting;
	select(undef, undef, undef, 0.5);
}
is("@waiting", '', 'every database is served');

# All at once nothing is due any more.
visit(q{SELECT FROM metrics_refresh.pause('beat')}, @databases);
until_ok($node, 'postgres', "SELECT count(*) = 1 $ours", 'schedulers leave; one process of ours is left');
my @found = visit(
	q{SELECT string_agg(round(1000 * extract(epoch FROM started_at - due_at))::text, ' ') || '|'
	  || count(*) - count(DISTINCT due_at) + (SELECT count(*) FROM metrics_refresh_internal.active_run)
	  + count(*) FILTER (WHERE status <> 'success' AND current_database() ~ '^d0[4-9]|d100')
	FROM metrics_refresh.run_log WHERE started_at > due_at}, @databases);
is(scalar(grep { /\|0$/ } @found), scalar @databases,
	'none has a due time that was served twice, a row left running, or a run that was disturbed from elsewhere');
my @lateness = sort { $a <=> $b } map { split / /, (split /\|/)[0] } @found;
note sprintf '%d runs, late by %d ms at the median, %d ms at most', scalar @lateness,
  $lateness[ @lateness / 2 ], $lateness[-1];
# On an idle machine these are tens of milliseconds; a launcher that came late on principle, by an
# interval of its own, would miss this too.
cmp_ok($lateness[ @lateness / 2 ], '<', 5000, 'their schedulers were back in time');

# Due later, when nobody is there.
my @few = @databases[ 7, 42, 77, -1 ];
visit(q{SELECT FROM metrics_refresh.alter_job('beat', active => true, schedule => '7 seconds')}, @few);
my $stamp = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
for my $database (@few)
{
	until_ok(
		$node, $database, qq{
		SELECT count(*) = 1 FROM (SELECT FROM metrics_refresh.run_log
		WHERE due_at > '$stamp' AND status = 'success' ORDER BY due_at LIMIT 1) l},
		"$database: the job that is due later runs");
}
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|was terminated by signal|cannot serve more/, 'nothing broke');
$node->stop('immediate');
done_testing();
