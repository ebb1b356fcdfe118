# The disk is full where the log lies: what cannot be logged does not happen. A run whose begin cannot
# be logged has not begun, and is tried again; one whose outcome cannot be logged is rolled back. The
# server, the scheduler and other databases go on, and once there is space so does everything else.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

# An hour before a full one, UTC.
use constant NOON => 1_811_851_200;

my $clock = FakeClock->new;
$clock->set(NOON + 1800);
my $full = PostgreSQL::Test::Utils::tempdir() . '/full';
$ENV{MR_DISK_FULL} = $full;
preload('disk_full');
# No vacuum, which would make room.
my $node = start_node('disk_full', autovacuum => 'off');
$node->safe_psql('postgres', 'CREATE DATABASE other');
create_extension($node, $_) for qw(postgres other);
$node->safe_psql('other', q{SELECT metrics_refresh.schedule_command('beat', '1 second', 'SELECT 1')});
# The runs of "pay" and "tally" stop at a gate that the test holds.
$node->safe_psql(
	'postgres', q{
	ALTER TABLE metrics_refresh_internal.run_log SET (fillfactor = 100);
	CREATE TABLE payment (n int);
	CREATE MATERIALIZED VIEW tally AS
	  SELECT count(*) AS n, pg_advisory_xact_lock_shared(1)::text AS gate FROM payment;
	CREATE UNIQUE INDEX ON tally (n);
	SELECT metrics_refresh.schedule('tally', job_name => 'tally', lock_timeout => '10 min');
	SELECT metrics_refresh.schedule_command('pay', NULL,
	  'SELECT pg_advisory_xact_lock_shared(1); INSERT INTO payment VALUES (1)', lock_timeout => '10 min');
	SELECT metrics_refresh.schedule_command('asked', NULL, 'SELECT 1');
	SELECT metrics_refresh.schedule_command('hourly', '0 * * * *', 'SELECT 1', 'UTC');
	SELECT metrics_refresh.schedule_command('steady', '1 second', 'SELECT 1')});
wait_for_runs($node, $_->[0], $_->[1], 1) for [ 'postgres', 'steady' ], [ 'other', 'beat' ];
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart;
my @processes = map { process_id($node, $_->[0], $_->[1]) }[ 'scheduler', 'postgres' ],
  [ 'scheduler', 'other' ], ['launcher'];

# From now on there is not room for one row more in the log, nor for another version of one.
sub fill_disk
{
	$session->query_safe('VACUUM metrics_refresh_internal.run_log');
	my $file = $session->query_safe(q{SELECT pg_relation_filepath('metrics_refresh_internal.run_log')});
	append_to_file($full, "/$file\n");
	$session->query_safe(
		q{DO $$ BEGIN
		  LOOP
		    BEGIN
		      INSERT INTO metrics_refresh_internal.run_log (job_name, triggered_by, started_at, finished_at, status)
		      VALUES ('', 'manual', '-infinity', '-infinity', 'success');
		    EXCEPTION WHEN disk_full THEN EXIT;
		    END;
		  END LOOP;
		END $$});
	return;
}

sub make_space
{
	unlink $full or die "$full: $!";
	return;
}

# Nothing can begin.
my $offset = -s $node->logfile;
# While nothing is under way, whose rows would leave room behind.
$session->query_safe(q{SELECT metrics_refresh.pause('steady')});
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.running', 'nothing runs');
fill_disk();
$session->query_safe(q{SELECT metrics_refresh.resume('steady')});
my $asked = $session->query_safe(q{SELECT metrics_refresh.trigger('asked')});
$clock->set(NOON + 3600 - 0.5);
$clock->wake($session);
my $began = time;
my $last = $session->query_safe('SELECT max(run_id) FROM metrics_refresh.run_log');
ok($node->wait_for_log(qr/(?:could not extend file.*?){8}/s, $offset), 'runs cannot be logged');
wait_for_runs($node, 'other', 'beat', 3, 'the other database is served');
is($session->query_safe("SELECT count(*) FROM metrics_refresh.run_log WHERE run_id > $last AND job_name <> ''"),
	0, 'nothing is in the log');
is($session->query_safe("SELECT metrics_refresh.wait($asked, '0')"), 'queued', 'a request waits');
my $attempts = () = slurp_file($node->logfile, $offset) =~ /could not extend file/g;
my $seconds = time - $began + 1;
note "$attempts attempts in $seconds s";
# Three jobs wait; each is tried about once a second, and may say so twice.
cmp_ok($attempts, '<=', 3 * 2 * ($seconds + 1), 'nobody tries all the time');
make_space();
wait_for_runs($node, 'postgres', 'steady', 2, 'there is space: jobs run on');
is($session->query_safe("SELECT metrics_refresh.wait($asked, '10 s')"), 'success', 'the request is served');
# Each job is tried again on its own, about once a second.
until_ok($node, 'postgres', q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'hourly'},
	'so is that of another job');
is( $session->query_safe(
		q{SELECT string_agg(to_char(due_at AT TIME ZONE 'UTC', 'HH24:MI ') || status || ' ' || (started_at > due_at), ',')
		FROM metrics_refresh.run_log WHERE job_name = 'hourly'}),
	'13:00 success true',
	'what was due meanwhile has run, late and once');
my $from = 'to_timestamp(' . (NOON + 3599) . ')';
is( $session->query_safe(
		qq{SELECT extract(epoch FROM max(due_at) - $from)::int
		  - count(*) FILTER (WHERE due_at > $from) - sum(missed)
		FROM metrics_refresh.run_log WHERE job_name = 'steady' AND status <> 'running' AND started_at > $from}),
	0,
	'every due time was served or counted as missed');

# What has begun cannot end. Nothing else is under way, whose rows would leave room behind.
$session->query_safe(q{SELECT metrics_refresh.pause('steady')});
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.running', 'nothing is under way');
$session->query_safe('VACUUM metrics_refresh_internal.run_log');
$session->query_safe('SELECT pg_advisory_lock(1)');
my %run = map { $_ => $session->query_safe("SELECT metrics_refresh.trigger('$_')") } qw(pay tally);
until_ok(
	$node, 'postgres', q{
	SELECT count(*) = 2 FROM metrics_refresh.run_log l JOIN pg_locks p ON p.pid = l.worker_pid
	WHERE l.status = 'running' AND p.locktype = 'advisory' AND NOT p.granted},
	'a command and a refresh are under way');
$session->query_safe('INSERT INTO payment VALUES (0)');
$offset = -s $node->logfile;
fill_disk();
$session->query_safe('SELECT pg_advisory_unlock(1)');
until_ok(
	$node, 'postgres',
	q{SELECT count(*) = 0 FROM metrics_refresh.running WHERE job_name IN ('pay', 'tally')},
	'they end');
like(slurp_file($node->logfile, $offset), qr/could not extend file/, 'without a word in the log');
wait_for_runs($node, 'other', 'beat', 2, 'the other database is served');
is($session->query_safe('SELECT sum(n) FROM payment'), 0, 'the command is rolled back');
is($session->query_safe('SELECT n FROM tally'), 0, 'the refresh is rolled back');
make_space();
$session->query_safe(q{SELECT metrics_refresh.resume('steady')});
wait_for_runs($node, 'postgres', 'steady', 2, 'there is space: jobs run on');
for my $job (sort keys %run)
{
	until_ok(
		$node, 'postgres',
		"SELECT status IN ('interrupted', 'error') FROM metrics_refresh.run_log WHERE run_id = $run{$job}",
		"the log says that the run of $job did not succeed");
	$run{$job} = $session->query_safe("SELECT metrics_refresh.trigger('$job')");
	is($session->query_safe("SELECT metrics_refresh.wait($run{$job}, '10 s')"), 'success', 'the next one does');
}
is($session->query_safe('SELECT sum(n) FROM payment'), 1, 'its work is done');
is($session->query_safe('SELECT n FROM tally'), 2, 'the view is fresh');

$session->query_safe('SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job WHERE schedule IS NOT NULL');
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh.worker_slots()', 'all runs end');
is(running_rows($node, 'postgres'), 0, 'no row is left running');
is(twice_served($node, 'postgres'), 0, 'no due time was served twice');
is( join(' ', map { process_id($node, $_->[0], $_->[1]) }[ 'scheduler', 'postgres' ],
		[ 'scheduler', 'other' ], ['launcher']),
	"@processes",
	'schedulers and launcher are the same as before');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'nothing broke');
$session->quit;
$node->stop;
done_testing();
