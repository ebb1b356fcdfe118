# Transactions that change jobs, the extension or roles may be prepared. The scheduler learns of the
# change when somebody commits them: another session, after a restart or a crash, or a worker that applies
# what another server has prepared.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'prepared',
	autovacuum => 'off',
	wal_level => 'logical',
	max_prepared_transactions => 4,
	max_wal_senders => 5,
	max_replication_slots => 5);
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(fresh other);

sub query { return $node->safe_psql($_[1] // 'postgres', $_[0]); }
sub runs { return "SELECT count(*) >= $_[1] FROM metrics_refresh.run_log WHERE job_name = '$_[0]' AND status = 'success'"; }

# A database without the extension, which two-phase commit creates.
query(q{BEGIN; CREATE EXTENSION metrics_refresh; PREPARE TRANSACTION 'creates'}, 'fresh');
query(q{COMMIT PREPARED 'creates'}, 'fresh');
until_ok($node, 'fresh', q{SELECT next_due IS NOT NULL FROM metrics_refresh.job_status WHERE job_name = 'cleanup-metrics-logs'},
	'an extension that is created by COMMIT PREPARED has its jobs');
until_ok($node, 'fresh', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler' AND datname = 'fresh'},
	'and a scheduler');

create_extension($node);
$node->safe_psql('postgres', q{SELECT metrics_refresh.schedule_command('beat', '1 second', 'SELECT 1')});
until_ok($node, 'postgres', runs('beat', 1), 'a job runs');
my $first = query(q{BEGIN; SELECT metrics_refresh.schedule_command('new', '1 second', 'SELECT 1'); SELECT metrics_refresh.pause('beat'); PREPARE TRANSACTION 'p'; SELECT max(run_id) FROM metrics_refresh.run_log});
wait_for_runs($node, 'postgres', 'beat', 2, 'while the transaction is prepared its changes are not there');
query(q{COMMIT PREPARED 'p'});
until_ok($node, 'postgres', runs('new', 2), 'a job that it has made runs once it is committed');
until_ok($node, 'postgres', q{SELECT state = 'paused' FROM metrics_refresh.job_status WHERE job_name = 'beat'}, 'and one that it has paused');
my $last = query(q{SELECT max(run_id) FROM metrics_refresh.run_log WHERE job_name = 'beat'});
wait_for_runs($node, 'postgres', 'new', 3, 'time goes by');
is(query(q{SELECT max(run_id) FROM metrics_refresh.run_log WHERE job_name = 'beat'}), $last, 'runs no more');
query(q{BEGIN; SELECT metrics_refresh.resume('beat'); PREPARE TRANSACTION 'p'});
query(q{ROLLBACK PREPARED 'p'});
is(query(q{SELECT state FROM metrics_refresh.job_status WHERE job_name = 'beat'}), 'paused', 'what is rolled back has changed nothing');
query(q{SELECT metrics_refresh.resume('beat')});

# A busy server: others that are prepared wake nobody. The scheduler sleeps until its job is due.
query('CREATE TABLE t (n int)');
query(q{SELECT metrics_refresh.pause(j) FROM unnest('{beat, new}'::text[]) j; SELECT metrics_refresh.schedule_command('far', '0 0 1 1 *', 'SELECT 1')});
until_ok($node, 'postgres', 'SELECT count(*) = 0 FROM metrics_refresh_internal.active_run', 'all is quiet');
my $scheduler = process_id($node, 'scheduler', 'postgres');
my $switches = sub { return slurp_file("/proc/$scheduler/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : die; };
my $wakes;
for (1 .. 20)
{
	my $before = $switches->();
	query(q{BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'busy'}), query(q{COMMIT PREPARED 'busy'}) for 1 .. 5;
	$wakes = $switches->() - $before;
	last if $wakes == 0;
}
is($wakes, 0, 'transactions that change no job wake no scheduler');
query(q{SELECT metrics_refresh.unschedule('far'); SELECT metrics_refresh.resume(j) FROM unnest('{beat, new}'::text[]) j});

# After a restart, and after a crash
for my $mode (qw(fast immediate))
{
	query(qq{BEGIN; SELECT metrics_refresh.schedule_command('late $mode', '1 second', 'SELECT 1'); PREPARE TRANSACTION 'late'});
	query(q{BEGIN; CREATE EXTENSION metrics_refresh; SELECT metrics_refresh.schedule_command('born', '1 second', 'SELECT 1'); PREPARE TRANSACTION 'born'}, 'other')
	  if $mode eq 'immediate';
	$node->stop($mode);
	$node->start;
	wait_for_runs($node, 'postgres', 'beat', 2, "jobs run on ($mode)");
	# No scheduler holds on to a database that lacks the extension.
	until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'other'}, 'the other database is left alone');
	query(q{COMMIT PREPARED 'late'});
	until_ok($node, 'postgres', runs("late $mode", 1), 'a job that was prepared before is run');
}
query(q{COMMIT PREPARED 'born'}, 'other');
until_ok($node, 'other', runs('born', 1), 'and one of an extension that was');
query(q{SELECT metrics_refresh.unschedule('late fast'); SELECT metrics_refresh.unschedule('late immediate'); SELECT metrics_refresh.unschedule('new')});

# The launcher of a server that has killed it forgets nothing.
query(q{BEGIN; SELECT metrics_refresh.schedule_command('kept', '1 second', 'SELECT 1'); PREPARE TRANSACTION 'p'});
kill_process($node, process_id($node, 'launcher'));
wait_for_runs($node, 'postgres', 'beat', 1, 'the server has come back');
query(q{COMMIT PREPARED 'p'});
until_ok($node, 'postgres', runs('kept', 1), 'nor does one whose memory was made anew');

# All of them prepared at once, and more jobs than can be named
query(qq{BEGIN; SELECT metrics_refresh.schedule_command('many ' || g, '1 second', 'SELECT 1') FROM generate_series(1, 100) g; PREPARE TRANSACTION 'p0'});
query(qq{BEGIN; SELECT metrics_refresh.schedule_command('one $_', '1 second', 'SELECT 1'); PREPARE TRANSACTION 'p$_'}) for 1 .. 3;
query(qq{COMMIT PREPARED 'p$_'}) for reverse 0 .. 3;
until_ok($node, 'postgres', runs("one $_", 1), "one of as many as can be prepared ($_)") for 1 .. 3;
until_ok($node, 'postgres', runs("many $_", 1), "one of many ($_)") for 1, 100;
query(q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE job_name ~ '^(many|one) '});

# Roles
query(q{CREATE ROLE carol SUPERUSER LOGIN; SET ROLE carol; SELECT metrics_refresh.schedule_command('of carol', '0 0 1 1 *', 'SELECT 1')});
query(q{BEGIN; ALTER ROLE carol RENAME TO caroline; PREPARE TRANSACTION 'p'});
query(q{COMMIT PREPARED 'p'});
until_ok($node, 'postgres', q{SELECT owner = 'caroline' FROM metrics_refresh.job WHERE job_name = 'of carol'}, 'a job follows its owner, whose new name was prepared');
query(q{BEGIN; ALTER ROLE caroline RENAME TO carol; PREPARE TRANSACTION 'p'});
$node->restart;
query(q{COMMIT PREPARED 'p'});
until_ok($node, 'postgres', q{SELECT owner = 'carol' FROM metrics_refresh.job WHERE job_name = 'of carol'}, 'also after a restart');
query(q{BEGIN; DROP ROLE carol; PREPARE TRANSACTION 'p'});
query(q{COMMIT PREPARED 'p'});
until_ok($node, 'postgres', q{SELECT owner_gone FROM metrics_refresh_internal.job WHERE job_name = 'of carol'}, 'and is known to have none any more');

# DROP EXTENSION
query(q{BEGIN; DROP EXTENSION metrics_refresh; PREPARE TRANSACTION 'p'}, 'other');
query(q{COMMIT PREPARED 'p'}, 'other');
until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'other' AND backend_type LIKE 'metrics_refresh %'}, 'an extension that is dropped so has no processes');

# Changes of jobs that another server has prepared
query('CREATE DATABASE publisher');
create_extension($node, 'publisher');
query('CREATE PUBLICATION p FOR TABLE metrics_refresh_internal.job', 'publisher');
query(q{SELECT pg_create_logical_replication_slot('s', 'pgoutput', false, true)}, 'publisher');
my $source = $node->connstr('publisher');
query("CREATE SUBSCRIPTION s CONNECTION \$\$$source\$\$ PUBLICATION p WITH (create_slot = false, slot_name = 's', copy_data = false, two_phase = true)");
query(q{INSERT INTO metrics_refresh_internal.job (job_id, job_name, command, owner, schedule) OVERRIDING SYSTEM VALUE VALUES (100000, 'far away', 'SELECT 1', 'postgres', '1 second')}, 'publisher');
until_ok($node, 'postgres', runs('far away', 1), 'a job that is replicated is run');
query(q{BEGIN; INSERT INTO metrics_refresh_internal.job (job_id, job_name, command, owner, schedule) OVERRIDING SYSTEM VALUE VALUES (100001, 'farther away', 'SELECT 1', 'postgres', '1 second'); PREPARE TRANSACTION 'far'}, 'publisher');
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM pg_prepared_xacts WHERE database = 'postgres'}, 'one that is prepared is prepared here, too');
query(q{COMMIT PREPARED 'far'}, 'publisher');
until_ok($node, 'postgres', runs('farther away', 1), 'and is run after COMMIT PREPARED');

$node->stop;
done_testing();
