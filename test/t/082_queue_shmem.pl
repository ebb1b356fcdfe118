# What processes share of the job queue, without tables: workers that are terminated at any moment,
# sessions that enqueue and change jobs, workers outside, and a scheduler, in few kilobytes of memory. Each
# job runs once at a time and ends once, and nothing is left. The module test/modules/queue_stress has the
# truth about the jobs.
use strict;
use warnings;

use FindBin;
use IPC::Run ();
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $long = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/;
$ENV{SOURCE_TREE} = "$FindBin::RealBin/../..";
my $module = build_module('queue_stress');
my $node = start_node(
	'queue_shmem',
	shared_preload_libraries => "metrics_refresh,$module",
	'metrics_refresh.max_workers' => 6,
	'metrics_refresh.max_queue_databases' => 3,
	'metrics_refresh.queue_memory' => '1MB');

# The place of a queue belongs to the schema of the extension's tables. Without the extension, only the
# module uses the place.
sub create_database
{
	my ($name) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE SCHEMA metrics_refresh_internal');
	$node->safe_psql($name, join ';', map { "CREATE FUNCTION $_ AS '$module' LANGUAGE c" }
		'stress_work(int) RETURNS void', 'stress_enqueue(bigint) RETURNS void', 'stress_change() RETURNS void',
		'stress_outside() RETURNS void', 'stress_schedule() RETURNS void', 'stress_stop() RETURNS void',
		'stress_figures() RETURNS text', 'stress_fill(bigint) RETURNS void', 'stress_suspend() RETURNS text', 'stress_steps(int, bigint) RETURNS text',
		'stress_note(bigint) RETURNS void', 'stress_recount(text) RETURNS bool', 'stress_open() RETURNS bigint');
	return;
}

# Sessions that do a statement each, at the same time; the output of each when all have ended.
my %output;
sub start_session
{
	my ($database, $name, $sql) = @_;
	$output{$name} = '';
	return IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-c', $sql ],
		'<', \undef, '>&', \$output{$name}, IPC::Run::timeout(300));
}

sub finish_sessions { $_->finish for @_; return }

subtest 'each job ends once' => sub {
	create_database('stress');
	my $most = 3_900_000;
	my $wanted = $long ? 200 : 12;
	my %workers = map { $_ => start_session('stress', "worker $_", "SELECT stress_work($_)") } 0 .. 3;
	my @others = map { start_session('stress', $_, "SELECT stress_$_") } 'change()', 'outside()', 'schedule()';
	my @enqueuers = map { start_session('stress', "enqueuer $_", "SELECT stress_enqueue($most)") } 1 .. 2;
	my $ends = 0;
	my $terminate = sub {
		my $worker = int rand 4;
		my $pid = $node->safe_psql('stress', "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT stress_work($worker)'");
		return if $pid eq '';
		$ends++ if $node->safe_psql('stress', "SELECT pg_terminate_backend($pid)") eq 't';
		$workers{$worker}->finish;
		# Its slot goes to another session at once.
		$workers{$worker} = start_session('stress', "worker $worker", "SELECT stress_work($worker)");
	};
	$terminate->() while $ends < $wanted;
	$node->safe_psql('stress', 'SELECT stress_stop()');
	finish_sessions(@enqueuers, values %workers, @others);
	is($output{$_}, "\n", "$_ has no error") for 'change()', 'outside()', 'schedule()', 'enqueuer 1', 'enqueuer 2';
	my ($left, $done) = split / \| ?/, $node->safe_psql('stress', 'SELECT stress_figures()');
	note("$left | $done terminated=$ends");
	is($left, 'lost=0 doubles=0 repeated=0 beyond_limits=0 open=0 rows=0 claims=0 spans_used=0 lanes_used=0 roles=0 workers=0',
		'no job is lost or runs twice, limits hold, and numbers are exact');
	for my $met (qw(posted completed wrong_hints reads held canceled parked given_back expired stale))
	{
		my ($times) = $done =~ /\b$met=(\d+)/;
		cmp_ok($times, '>', 0, "it has met: $met");
	}
};

subtest 'a recount is exact beside commits' => sub {
	create_database('counting');
	$node->safe_psql('counting', q{
		CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY);
		CREATE PROCEDURE churn(p_time interval) LANGUAGE plpgsql AS $$
		DECLARE
			begun timestamptz := clock_timestamp();
			i int := 0;
		BEGIN
			WHILE clock_timestamp() < begun + p_time LOOP
				i := i + 1;
				INSERT INTO jobs DEFAULT VALUES;
				INSERT INTO jobs DEFAULT VALUES;
				PERFORM stress_note(2);
				IF i % 5 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
				DELETE FROM jobs WHERE id = (SELECT id FROM jobs LIMIT 1 FOR UPDATE SKIP LOCKED);
				IF FOUND THEN PERFORM stress_note(-1); END IF;
				COMMIT;
			END LOOP;
		END $$});
	my $time = $long ? '60 s' : '5 s';
	my @sessions = map { start_session('counting', "churn $_", "CALL churn('$time')") } 1 .. 4;
	my $recounts = 0;
	# The last one is long before the last commits, so that it cannot make up for a wrong one.
	my $until = time + ($long ? 50 : 3);
	do
	{
		is($node->safe_psql('counting', q{SELECT stress_recount('SELECT count(*) FROM jobs')}), 't', 'a recount is in force');
		$recounts++;
	} until $recounts > 5 && time > $until;
	finish_sessions(@sessions);
	is($output{"churn $_"}, '', "churn $_ has no error") for 1 .. 4;
	is($node->safe_psql('counting', 'SELECT stress_open()'), $node->safe_psql('counting', 'SELECT count(*) FROM jobs'),
		'the number is that of the table');
};

subtest 'the rate of steps' => sub {
	create_database('steps');
	my $jobs = 4_000_000;
	$node->safe_psql('steps', "SELECT stress_fill($jobs)");
	is($node->safe_psql('steps', 'SELECT stress_suspend()'), 'tfft', 'a changed type starts nothing until it is read as it is now');
	my @sessions = map { start_session('steps', "steps $_", "SELECT stress_steps($_, $jobs / 4)") } 0 .. 3;
	finish_sessions(@sessions);
	my @times = map { $output{"steps $_"} =~ /^(\d+) (\d+)$/ } 0 .. 3;
	is(@times, 8, 'all have begun and ended');
	my ($begun) = sort { $a <=> $b } @times;
	my ($ended) = sort { $b <=> $a } @times;
	note(sprintf '%.0f jobs/s by 4 processes: a start, a commit and an end each', $jobs / ($ended - $begun) * 1e6);
	is($node->safe_psql('steps', 'SELECT stress_open()'), -$jobs, 'all jobs were claimed and ended');
};

subtest 'places' => sub {
	create_database('fourth');
	my ($out, $err) = ('', '');
	$node->psql('fourth', 'SELECT stress_open()', stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/53400: too many databases have a job queue.*max_queue_databases/s, 'there are no more than the setting says');
	$node->safe_psql('steps', 'DROP SCHEMA metrics_refresh_internal; CREATE SCHEMA metrics_refresh_internal');
	is($node->safe_psql('steps', 'SELECT stress_open()'), 0, 'another schema has another queue');
	$node->safe_psql('postgres', 'DROP DATABASE steps');
	is($node->safe_psql('fourth', 'SELECT stress_open()'), 0, 'a dropped database has no place');
};

done_testing();
