# pg_upgrade runs servers of its own over the old cluster and the new, and gives the numbers of
# transactions that the old one had not used yet to the new one. So nothing of ours may start there,
# nor in single-user mode, in which pg_rewind brings a cluster to rest: jobs are due every second all the
# time, and every row has to be the same afterwards. Against the server's own version, by --copy and
# --link, after a clean stop and after a crash; and from the server that is installed in the folder
# METRICS_REFRESH_EARLIER, with the extension.
use strict;
use warnings;

use Cwd qw(getcwd);
use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $postgres_log = qr/metrics_refresh (launcher|scheduler|worker)/;

# The number that the next transaction would have, of a cluster at rest.
sub next_xid
{
	my ($node, $data) = @_;
	my ($out) = run_command([ $node->installed_command('pg_controldata'), $data // $node->data_dir ]);
	$out =~ /NextXID:\s*(\d+:\d+)/ or die "no NextXID in: $out";
	return $1;
}

# A digest of each table's and view's rows, the extension's own among them. Of system columns xmin is
# left out, which pg_upgrade may freeze.
sub rows_of
{
	my ($node) = @_;
	my $tables = $node->safe_psql(
		'postgres', q{
		SELECT c.oid::regclass || CASE relkind WHEN 'S' THEN '(last_value)' ELSE '' END FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE relkind IN ('r', 'm', 'S') AND nspname !~ '^(pg_|information_schema)' AND relpersistence <> 't' ORDER BY 1});
	my $rows = '';
	for my $table (split /\n/, $tables)
	{
		my $query = $table =~ s/\(last_value\)$// ? "SELECT last_value, is_called FROM $table"
		  : "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM $table t";
		$rows .= "$table: " . $node->safe_psql('postgres', $query) . "\n";
	}
	return $rows;
}

my $jobs = q{
	CREATE TABLE paid (id bigserial, amount int);
	CREATE TABLE account (id int PRIMARY KEY, name text);
	INSERT INTO account SELECT g, 'name ' || g FROM generate_series(1, 100) g;
	INSERT INTO paid (amount) SELECT g % 7 FROM generate_series(1, 1000) g;
	CREATE TABLE undone (id bigserial, at timestamptz DEFAULT clock_timestamp());
	CREATE MATERIALIZED VIEW by_diff AS SELECT amount, count(*), clock_timestamp() FROM paid GROUP BY amount;
	CREATE UNIQUE INDEX ON by_diff (amount);
	CREATE MATERIALIZED VIEW by_full AS SELECT amount, count(*) FROM paid GROUP BY amount;
	CREATE MATERIALIZED VIEW by_keys AS SELECT amount, count(*) FROM paid GROUP BY amount;
	SELECT metrics_refresh.schedule('by_diff', '1 second', job_name => 'diff', strategy => 'diff');
	SELECT metrics_refresh.schedule('by_full', '1 second', job_name => 'full', strategy => 'full');
	SELECT metrics_refresh.schedule('by_keys', '1 second', job_name => 'keys', strategy => 'incremental');
	SELECT metrics_refresh.schedule_command('pay', '1 second',
	  'INSERT INTO paid (amount) SELECT g % 7 FROM generate_series(1, 3) g; UPDATE account SET name = name || ''.'' WHERE id % 10 = 1');
	SELECT metrics_refresh.schedule_command('fail', '1 second', 'INSERT INTO undone DEFAULT VALUES; UPDATE account SET name = NULL; SELECT 1 / 0',
	  max_retries => 0);
	SELECT metrics_refresh.schedule_command('long', '1 second', 'SELECT pg_sleep(600)');
};

sub start_old
{
	my ($name, %how) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, $how{install_path} ? (install_path => $how{install_path}) : ());
	$node->init(extra => [ '--no-locale', '-E', 'UTF8', '--data-checksums' ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'metrics_refresh'\nmax_worker_processes = 16\nmetrics_refresh.log_skips = on
metrics_refresh.suspend_after = 0\nrestart_after_crash = on\nwal_level = replica\nmax_prepared_transactions = 2\n");
	$node->start;
	create_extension($node);
	$node->safe_psql('postgres', $jobs);
	wait_for_runs($node, 'postgres', $_, 2) for qw(diff full keys pay);
	until_ok($node, 'postgres', q{SELECT count(*) > 1 FROM metrics_refresh.run_log WHERE job_name = 'fail' AND status = 'error'}, 'a command fails');
	until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'long' AND status = 'running'}, 'a run is under way');
	return $node;
}

sub versions_columns { return slurp_file($_[0]->config_data('--bindir') . '/postgres') =~ /\bpg_attver\b/; }

# From 15.20 and 17.12 on a server notes with each column, as the parameter pg_attver, when its type was
# settled. pg_dump before that takes this for a setting, which no such server knows: pg_upgrade to it
# fails. So the columns become those of a cluster that an earlier minor version made, which have none.
sub forget_column_versions
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{UPDATE pg_attribute SET attoptions = nullif(ARRAY(SELECT o FROM unnest(attoptions) o WHERE o !~ '^pg_attver='), '{}')
		WHERE attrelid >= 16384 AND attoptions IS NOT NULL});
	return;
}

# Stops it with a run under way, in a moment of which its rows are known.
sub stop_old
{
	my ($node, $mode, $forgets_versions) = @_;
	$node->safe_psql('postgres', 'ALTER SYSTEM SET metrics_refresh.enabled = off');
	$node->reload;
	until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh.running} . q{ WHERE state = 'running'}, 'only the long run is left');
	until_ok($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type <> 'metrics_refresh worker'
		AND backend_type <> 'autovacuum worker'}, 'and nothing else is under way');
	forget_column_versions($node) if $forgets_versions;
	# Later it would be closed, as interrupted; it must be as it is.
	my $rows = rows_of($node);
	my $file = $node->data_dir . '/postgresql.auto.conf';
	if ($mode eq 'immediate')
	{
		# A postmaster.pid is left, as by a power failure.
		my $pid = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
		kill 'STOP', $pid;
		my $left = slurp_file($node->data_dir . '/postmaster.pid');
		kill 'CONT', $pid;
		$node->stop('immediate');
		# As long as nobody has waited for the process, its number looks taken.
		sleep 0.1 while kill 0, $pid;
		append_to_file($node->data_dir . '/postmaster.pid', $left);
	}
	else
	{
		$node->stop($mode);
	}
	unlink $file;
	append_to_file($file, '');
	return $rows;
}

sub check_upgrade
{
	my ($name, $how, $stop, $install_path) = @_;
	my $old = start_old("old_$name", install_path => $install_path);
	my $new = PostgreSQL::Test::Cluster->new("new_$name");
	my $rows = stop_old($old, $stop, versions_columns($old) && !versions_columns($new));
	# A crash is recovered by the old server that pg_upgrade runs, which counts no transaction.
	my $xid = next_xid($old);
	$new->init(extra => [ '--no-locale', '-E', 'UTF8', '--data-checksums' ]);
	$new->append_conf('postgresql.conf', "shared_preload_libraries = 'metrics_refresh'\nmax_worker_processes = 16\nmetrics_refresh.log_skips = on
metrics_refresh.suspend_after = 0\nmax_prepared_transactions = 2\n");
	my @upgrade = (
		'pg_upgrade', '--no-sync', '--retain', '-d', $old->data_dir, '-D', $new->data_dir,
		'-b', $old->config_data('--bindir'), '-B', $new->config_data('--bindir'),
		'-s', $new->host, '-p', $old->port, '-P', $new->port, $how eq 'link' ? '--link' : ());
	# It writes a script into the current folder.
	my $here = getcwd();
	chdir PostgreSQL::Test::Utils::tempdir();
	ok(run_log([@upgrade]), "$name: pg_upgrade") or die 'there is nothing to compare';
	chdir $here;
	my $logs = '';
	$logs .= slurp_file($_) for glob($new->data_dir . '/pg_upgrade_output.d/*/log/*');
	unlike($logs, $postgres_log, "$name: none of our processes ran in its servers");
	unlike($logs, qr/PANIC|was terminated by signal|division by zero/, "$name: nothing failed there");
	if ($stop ne 'immediate')
	{
		my $data = $old->data_dir;
		rename "$data/global/pg_control.old", "$data/global/pg_control" if -e "$data/global/pg_control.old";
		is(next_xid($old), $xid, "$name: no transaction number was used in the old cluster");
	}
	$new->append_conf('postgresql.conf', 'metrics_refresh.enabled = off');
	$new->start;
	# What is first at a start is that the run that ended with the old server is closed.
	until_ok($new, 'postgres', q{SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE job_name = 'long' AND status = 'interrupted'},
		"$name: the run that was under way is interrupted once the new server runs");
	is(strip(rows_of($new), $stop), strip($rows, $stop), "$name: every other row is as it was");
	is($new->safe_psql('postgres', 'SELECT count(*) FROM undone'), 0, "$name: what was rolled back is not there");
	$new->safe_psql('postgres', 'UPDATE account SET name = upper(name); UPDATE paid SET amount = 8 WHERE id % 3 = 0');
	$new->append_conf('postgresql.conf', 'metrics_refresh.enabled = on');
	$new->reload;
	wait_for_runs($new, 'postgres', $_, 2, "$name: $_ runs on") for qw(diff full keys pay);
	$new->safe_psql('postgres', q{SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job});
	until_ok($new, 'postgres', q{SELECT count(*) <= 1 FROM metrics_refresh.running}, 'all are paused');
	for my $strategy (qw(keys full))
	{
		is( $new->safe_psql('postgres', qq{
				SELECT metrics_refresh.refresh('by_$strategy') ->> 'success';
				SELECT count(*) FROM (TABLE by_$strategy EXCEPT SELECT amount, count(*) FROM paid GROUP BY amount) x}),
			"true\n0", "$name: by_$strategy is right");
	}
	$new->stop;
	return;
}

# The logs and the state of the long run differ, for it was closed; all else is the same. A crash empties
# what is unlogged, and sets sequences ahead.
sub strip
{
	my ($rows, $stop) = @_;
	$rows =~ s/^metrics_refresh_internal\.(active_run|job_state|run_log|(job_failure|edge_function_log)(_id_seq)?): .*\n//gm;
	$rows =~ s/^(\S+_seq|metrics_refresh_internal\.delta_\S+): .*\n//gm if $stop eq 'immediate';
	return $rows;
}

check_upgrade('copy', 'copy', 'fast');
check_upgrade('link', 'link', 'fast');
check_upgrade('crash', 'copy', 'immediate');

SKIP:
{
	my $earlier = $ENV{METRICS_REFRESH_EARLIER};
	skip 'METRICS_REFRESH_EARLIER names no server of an earlier version', 1 unless $earlier;
	check_upgrade('earlier_copy', 'copy', 'fast', $earlier);
	check_upgrade('earlier_link', 'link', 'fast', $earlier);
	check_upgrade('earlier_crash', 'copy', 'immediate', $earlier);
}

# Single-user mode: nothing of ours is there, and what is written in it is not missed.
my $node = start_old('single');
my $rows = stop_old($node, 'immediate');
unlink $node->data_dir . '/postmaster.pid';
my $postgres = $node->installed_command('postgres');
my ($out, $err);
my $input = "SELECT 'health ' || count(*) FROM metrics_refresh.health_check()\nSELECT metrics_refresh.trigger('pay')\nUPDATE paid SET amount = 9 WHERE id % 5 = 0\n"
  . "SELECT 'capture ' || count(*) FROM metrics_refresh_internal.delta_1_1\n";
IPC::Run::run([ $postgres, '--single', '-D', $node->data_dir, 'postgres' ], '<', \$input, '>', \$out, '2>', \$err);
unlike($err, $postgres_log, 'single-user mode: none of our processes');
like($err, qr/ERROR:  metrics_refresh does not work in single-user mode/, 'and whoever wants something is told');
like($out, qr/health \d/, 'health can be read');
like($out, qr/capture 0/, 'nothing is captured');
$node->start;
$node->safe_psql('postgres', q{SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job});
is( $node->safe_psql('postgres', q{
		SELECT metrics_refresh.refresh('by_keys', 'incremental') ->> 'success';
		SELECT count(*) FROM (TABLE by_keys EXCEPT SELECT amount, count(*) FROM paid GROUP BY amount) x}),
	"true\n0", 'what was written in single-user mode is in the view after its next refresh');
$node->stop;
done_testing();
