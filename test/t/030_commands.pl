# What commands need a server of their own for: one that is lost between what a command has committed
# and the log, one that returns more than memory holds, and a client's encoding for which there is no
# client.
use strict;
use warnings;

use Encode;
use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGCLIENTENCODING} = 'UTF8';
my $node = start_node('commands', wal_level => 'logical', 'metrics_refresh.max_workers' => 2);
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

# The columns of the log for a run of this command, which has ended.
sub run_command
{
	my ($command, $columns) = @_;
	sql("SELECT metrics_refresh.schedule_command('c', NULL, \$command\$$command\$command\$)");
	my $run = sql(q{SELECT metrics_refresh.trigger('c')});
	sql("SELECT metrics_refresh.wait($run)");
	return sql("SELECT $columns FROM metrics_refresh.run_log WHERE run_id = $run");
}

sql(q{
	CREATE TABLE part (n int);
	CREATE PROCEDURE in_parts() LANGUAGE plpgsql AS $$ BEGIN
	  FOR n IN 1 .. 3 LOOP
	    INSERT INTO part VALUES (n);
	    COMMIT;
	  END LOOP;
	  INSERT INTO part VALUES (4);
	  PERFORM pg_sleep(864000);
	END $$;
	SELECT metrics_refresh.schedule_command('in parts', NULL, 'CALL in_parts()');
	SELECT metrics_refresh.schedule_command('beat', '1 second', 'SELECT 1')});
sql(q{SELECT metrics_refresh.trigger('in parts')});
my $run = wait_for_run($node, 'postgres', 'in parts');
kill_process($node, sql("SELECT worker_pid FROM metrics_refresh.run_log WHERE run_id = $run"));
wait_for_runs($node, 'postgres', 'beat', 2);
until_ok($node, 'postgres', "SELECT status = 'interrupted' FROM metrics_refresh.run_log WHERE run_id = $run",
	'a worker that is lost leaves an interrupted run');
is(sql('SELECT array_agg(n ORDER BY n) FROM part'), '{1,2,3}', 'and what the command had committed');
sql(q{SELECT metrics_refresh.unschedule('beat')});

# Two gigabytes, of which nobody wants to see anything.
is(run_command(q{SELECT repeat('x', 1000), generate_series(1, 2000000)}, 'status, rows_total, result'),
	'success|2000000|SELECT 2000000', 'a large result');
my $status = '/proc/' . sql('SELECT max(worker_pid) FROM metrics_refresh.run_log WHERE run_id = (SELECT max(run_id) FROM metrics_refresh.run_log)') . '/status';
SKIP:
{
	skip 'there is no /proc', 1 unless -e $status;
	my ($most) = slurp_file($status) =~ /^VmHWM:\s+(\d+) kB/m;
	note "the worker's peak is $most kB";
	cmp_ok($most, '<', 300 * 1024, 'it is thrown away as it comes');
}
sql('CREATE TABLE much AS SELECT generate_series(1, 1000000) AS n');
is(run_command('UPDATE much SET n = -n RETURNING *', 'status, rows_total, result'), 'success|1000000|UPDATE 1000000', 'so are the rows of RETURNING');
is(sql('SELECT temp_files FROM pg_stat_database WHERE datname = current_database()'), 0, 'and goes into no file');

# It fails while it holds a slot, which the worker must not take with it.
sql(q{SELECT pg_create_logical_replication_slot('kept', 'pgoutput')});
is(run_command(q{SELECT pg_create_logical_replication_slot('gone', 'pgoutput', true)}, 'status'), 'success', 'a temporary replication slot');
is(run_command(q{SELECT pg_logical_slot_peek_binary_changes('kept', NULL, NULL)}, 'status'), 'error', 'a failure that holds another');
is(sql(q{SELECT slot_name, active_pid FROM pg_replication_slots}), 'kept|', 'the one is gone, the other given back');
sql(q{SELECT pg_drop_replication_slot('kept')});

my $said = Encode::encode('UTF-8', "NOTICE:  h\x{e9}\x{20ac}");
my $speak = q{DO 'BEGIN RAISE NOTICE ''h%'', chr(233) || chr(8364); END'};
is(run_command($speak, 'notices'), $said, 'a notice');
is(run_command("SET client_encoding = 'WIN1252'; $speak", 'notices'), $said,
	'the same where the command thinks of another encoding');
is(run_command("SET client_encoding = 'LATIN1'; $speak", 'status, sqlstate, notices'), 'error|22P05|',
	'one that cannot be said in an encoding is what it is for a client');
sql(q{ALTER ROLE CURRENT_USER SET client_encoding = 'WIN1252'});
$node->restart;
is(run_command($speak, 'notices'), $said, 'nor does the setting of a role matter');
sql(q{ALTER ROLE CURRENT_USER RESET client_encoding});
done_testing();
