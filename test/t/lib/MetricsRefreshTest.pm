# What the TAP files share: a server that preloads metrics_refresh, and ways to wait for a condition.
# Nothing here sleeps for a fixed time and hopes.
package MetricsRefreshTest;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  start_node create_extension create_nap_view lone_jobs processes process_id until_ok
  wait_for_runs hurt session_reports running_rows kill_process wait_for_run
  preload build_module twice_served unended wait_for_server stop_asleep
);

# A running server. Settings by name; shared_preload_libraries may be set to ''.
sub start_node
{
	my ($name, %settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--no-locale', '-E', 'UTF8' ]);
	%settings = (
		shared_preload_libraries => 'metrics_refresh',
		max_worker_processes => 16,
		# The class takes minimal, at which a crash sets a sequence back that was made and used in
		# one transaction, as CREATE EXTENSION does.
		wal_level => 'replica',
		# The class turns this off, and then a crash is the end of the test.
		restart_after_crash => 'on',
		log_statement => 'none',
		# So that a job runs at each due time, whether its view has changed or not.
		'metrics_refresh.log_skips' => 'on',
		log_line_prefix => '%m [%p] %b ',
		%settings);
	$node->append_conf('postgresql.conf', "$_ = '$settings{$_}'") for sort keys %settings;
	$node->start;
	return $node;
}

# The extension without its two default jobs, so that a test meets its own jobs only.
sub create_extension
{
	my ($node, $database) = @_;
	$database //= 'postgres';
	$node->safe_psql($database, 'CREATE EXTENSION metrics_refresh');
	lone_jobs($node, $database);
	return;
}

sub lone_jobs
{
	my ($node, $database) = @_;
	$node->safe_psql($database,
		'SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job');
	return;
}

# A view whose refresh takes as long as the table <name>_nap says (in seconds).
sub create_nap_view
{
	my ($node, $database, $name, $seconds) = @_;
	$seconds //= 0;
	$node->safe_psql(
		$database, qq{
		CREATE TABLE ${name}_nap (seconds float8 NOT NULL);
		INSERT INTO ${name}_nap VALUES ($seconds);
		CREATE MATERIALIZED VIEW $name AS
		  SELECT 1 AS id, pg_sleep(seconds)::text AS slept FROM ${name}_nap WITH NO DATA;
		CREATE UNIQUE INDEX ON $name (id)});
	return;
}

# How many processes of ours there are, of a kind (launcher, scheduler or worker), in a database.
sub processes
{
	my ($node, $kind, $database) = @_;
	my $where = defined $database ? " AND datname = '$database'" : '';
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh $kind'$where");
}

# The process id of one, once there is one.
sub process_id
{
	my ($node, $kind, $database) = @_;
	my $from = "FROM pg_stat_activity WHERE backend_type = 'metrics_refresh $kind'"
	  . (defined $database ? " AND datname = '$database'" : '');
	$node->poll_query_until('postgres', "SELECT count(*) > 0 $from") or die "there is no $kind";
	return $node->safe_psql('postgres', "SELECT min(pid) $from");
}

# Stops a process while it sleeps, so that it holds no lock and notices nothing. Asks in a session that is there. The
# wait event is that of processes of ours if none is given.
sub stop_asleep
{
	my ($session, $pid, $wait_event) = @_;
	$wait_event //= 'Extension';
	for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
	{
		kill 'STOP', $pid or die "the process is gone\n";
		return if $session->query_safe("SELECT wait_event = '$wait_event' FROM pg_stat_activity WHERE pid = $pid") eq 't';
		kill 'CONT', $pid;
		select(undef, undef, undef, 0.01);
	}
	die "the process does not sleep\n";
}

# A test: the query becomes true.
sub until_ok
{
	my ($node, $database, $query, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($node->poll_query_until($database, $query), $name)
	  || die "what follows would wait as long\n";
}

# Waits until the server accepts connections. A psql that is refused may end before its query is
# written to it, and the test with it.
sub wait_for_server
{
	my ($node) = @_;
	my @look = ('pg_isready', '-q', '-h', $node->host, '-p', $node->port);
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if system(@look) == 0;
		select undef, undef, undef, 0.1;
	}
	die 'the server does not come back';
}

# A test: the job has ended this many more successful runs, so it lives.
sub wait_for_runs
{
	my ($node, $database, $job, $more, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $from = "FROM metrics_refresh.run_log WHERE job_name = '$job' AND status = 'success'";
	# Right after a crash there may be no connection yet.
	wait_for_server($node);
	my $last = $node->safe_psql($database, "SELECT coalesce(max(run_id), 0) $from");
	return until_ok($node, $database, "SELECT count(*) >= $more $from AND run_id > $last",
		$name // "$job runs on");
}

# Waits until the job's run is in the log as running and its refresh sleeps; returns its run_id.
sub wait_for_run
{
	my ($node, $database, $job) = @_;
	my $from =
	    "FROM metrics_refresh.run_log l JOIN pg_stat_activity a ON a.pid = l.worker_pid"
	  . " WHERE l.job_name = '$job' AND l.status = 'running' AND a.wait_event = 'PgSleep'";
	my $run = '';
	while ($run eq '')  # one that ends between the two is not meant
	{
		$node->poll_query_until($database, "SELECT count(*) = 1 $from")
		  or die "no run of $job is under way";
		$run = $node->safe_psql($database, "SELECT run_id $from");
	}
	return $run;
}

sub running_rows
{
	my ($node, $database) = @_;
	return $node->safe_psql($database,
		"SELECT (SELECT count(*) FROM metrics_refresh.run_log WHERE status = 'running')"
		  . " + (SELECT count(*) FROM metrics_refresh_internal.active_run)");
}

# How many due times have more runs than one. A retry is another attempt at the same due time.
sub twice_served
{
	my ($node, $database) = @_;
	return $node->safe_psql(
		$database, q{
		SELECT count(*) FROM (SELECT FROM metrics_refresh.run_log
		WHERE job_id IS NOT NULL AND triggered_by IN ('schedule', 'retry')
		GROUP BY job_id, due_at, attempt HAVING count(*) > 1) d});
}

# How many rows of runs that have ended lack an end, or have one before their start.
sub unended
{
	my ($node, $database) = @_;
	return $node->safe_psql(
		$database, q{
		SELECT count(*) FROM metrics_refresh.run_log WHERE status <> 'running'
		AND (finished_at >= started_at AND duration_ms >= 0) IS NOT TRUE});
}

# Compiles test/preload/<name>.c and has every program that is started from now on load it first.
sub preload
{
	my ($name) = @_;
	my $library = PostgreSQL::Test::Utils::tempdir() . "/$name.so";
	system_or_bail($ENV{CC} // 'cc', '-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror',
		'-o', $library, "$FindBin::RealBin/../preload/$name.c", '-ldl');
	$ENV{LD_PRELOAD} = join ' ', grep { defined } $ENV{LD_PRELOAD}, $library;
	return;
}

# Builds test/modules/<name> for the server under test, somewhere of its own. Returns its library's path.
sub build_module
{
	my ($name) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir() . "/$name";
	mkdir $folder or die "$folder: $!";
	system_or_bail('cp', glob("$FindBin::RealBin/../modules/$name/*"), $folder);
	delete local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};  # what was told the make that runs the tests
	system_or_bail('make', '-s', '-C', $folder, 'PG_CONFIG=pg_config');
	return "$folder/$name";
}

# kill -9: the server must notice, end all processes and recover.
sub kill_process
{
	my ($node, $pid) = @_;
	my $offset = -s $node->logfile;
	kill('KILL', $pid) == 1 or die "cannot kill $pid: $!";
	$node->wait_for_log(qr/database system is ready to accept connections/, $offset);
	return $offset;
}

# The rows of health_check() that are not ok, as check|severity|detail lines.
sub hurt
{
	my ($node, $database) = @_;
	return $node->safe_psql($database,
		"SELECT check_name, severity, detail FROM metrics_refresh.health_check()"
		  . " WHERE severity <> 'ok' ORDER BY 1, 3");
}

# Reads a background session's output until it matches; for a statement that was sent with
# query_until() and blocks.
sub session_reports
{
	my ($session, $pattern) = @_;
	return pump_until($session->{run}, $session->{timeout}, \$session->{stdout}, $pattern);
}

1;
