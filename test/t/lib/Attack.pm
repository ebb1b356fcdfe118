# What the attacks share: a server with roles that have a schema each and nothing else, SQL as one of
# them, sessions that stay open, and the question whether a job of somebody else still runs.
package Attack;

use strict;
use warnings;

use Exporter 'import';
use MetricsRefreshTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  start_attacked_node as try_as open_session say_in close_sessions run_job is_no_superuser heart_beats
  is_worker_free becomes memory_of_scheduler unlike_secret run_error);

my $node;
my @sessions;

# mallory attacks; alice, bob and heart have something to lose; admin is a super admin and no superuser.
sub start_attacked_node
{
	my (%settings) = @_;
	$node = start_node(
		'attacked',
		max_worker_processes => 24,
		max_prepared_transactions => 10,
		'metrics_refresh.max_workers' => 4,
		'metrics_refresh.worker_idle_timeout' => '10s',
		'metrics_refresh.max_tracked_tables' => 64,
		'metrics_refresh.admin_role' => 'admins',
		%settings);
	create_extension($node);
	$node->safe_psql(
		'postgres', q{
		CREATE ROLE admins; CREATE ROLE admin LOGIN IN ROLE admins;
		CREATE ROLE mallory LOGIN; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE heart LOGIN;
		CREATE SCHEMA mallory AUTHORIZATION mallory; CREATE SCHEMA alice AUTHORIZATION alice;
		CREATE SCHEMA bob AUTHORIZATION bob; CREATE SCHEMA heart AUTHORIZATION heart; CREATE SCHEMA admin AUTHORIZATION admin;
		CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO alice, bob, mallory; GRANT USAGE ON SCHEMA alice, mallory, bob TO PUBLIC;
		SET SESSION AUTHORIZATION heart;
		CREATE MATERIALIZED VIEW heart.beat AS SELECT clock_timestamp() AS at;
		SELECT metrics_refresh.schedule('heart.beat', '1 second', 'heart')});
	return $node;
}

# As a client who logs in as this role: (output, error). What takes longer than a while is canceled, which
# is an error too.
sub try_as
{
	my ($role, $sql, %how) = @_;
	my $limit = $how{limit} // '20s';
	my ($out, $err) = ('', '');
	local $ENV{PGOPTIONS} = "-c statement_timeout=$limit";
	$node->psql(
		$how{database} // 'postgres', $sql,
		stdout => \$out, stderr => \$err, on_error_stop => $how{goes_on} ? 0 : 1, on_error_die => 0,
		timeout => 120, timed_out => \my $timed_out,
		extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
	return ($out, $err);
}

# The output alone; what fails is a failed test.
sub as
{
	my ($role, $sql, %how) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($out, $err) = try_as($role, $sql, %how);
	fail("as $role: $sql: $err") if $err =~ /ERROR|FATAL/;
	return $out;
}

# A session of the role that stays open, in which a statement has been done.
sub open_session
{
	my ($role, $sql) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', $role ]);
	push @sessions, $session;
	$session->query($sql);
	return $session;
}

# A statement that may wait is sent, and not waited for.
sub say_in
{
	my ($session, $sql) = @_;
	$session->query_until(qr/is sent/, "\\echo is sent\n$sql;\n");
	return;
}

sub close_sessions
{
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()});
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()});
	for my $session (@sessions)
	{
		eval { $session->{run}->finish };
	}
	@sessions = ();
	return;
}

# Triggers a job as its owner and waits, not for ever: the status.
sub run_job
{
	my ($role, $job, $limit) = @_;
	my ($run, $error) = try_as($role, "SELECT metrics_refresh.trigger('$job')");
	return $error if $run eq '';
	$limit //= '20 s';
	return (try_as($role, "SELECT metrics_refresh.wait($run, '$limit')", limit => '60s'))[0];
}

# What the last run of a job has ended with, for those who see all.
sub run_error
{
	my ($job) = @_;
	return $node->safe_psql('postgres', "SELECT concat_ws(' ', status, sqlstate, left(error_message, 300)) FROM metrics_refresh.run_log WHERE job_name = '$job' ORDER BY run_id DESC LIMIT 1");
}

sub is_no_superuser
{
	my ($role, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( $node->safe_psql('postgres', "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = '$role'"),
		'f|f', $name);
	# One attack that gets through does not hide that the next does.
	$node->safe_psql('postgres', "ALTER ROLE $role NOSUPERUSER NOCREATEROLE");
	return;
}

# A job that others have is due every second, and runs.
sub heart_beats
{
	my ($name, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
	my $until = time + ($seconds // 8);
	my $beats = '';
	while ($beats ne 't' && time < $until)
	{
		# Nobody may keep this from looking either.
		($beats) = try_as('postgres', "SET lock_timeout = '1s'; SELECT count(*) > 0 FROM heart.beat WHERE at > '$now'", limit => '2s');
		select undef, undef, undef, 0.1 if $beats ne 't';
	}
	return is($beats, 't', $name);
}

# Whether a query answers true within some seconds.
sub becomes
{
	my ($query, $seconds) = @_;
	my $until = time + $seconds;
	while (time < $until)
	{
		my ($answer) = try_as('postgres', $query, limit => '2s');
		return 1 if $answer eq 't';
		select undef, undef, undef, 0.1;
	}
	return 0;
}

# No worker is at this job after a while.
sub is_worker_free
{
	my ($job, $seconds, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $until = time + $seconds;
	my $runs;
	do
	{
		($runs) = try_as('postgres', "SELECT count(*) FROM metrics_refresh.running WHERE job_name ~ '$job'", limit => '5s');
		select undef, undef, undef, 0.2 if $runs ne '0';
	} while ($runs ne '0' && time < $until);
	return is($runs, '0', $name);
}

sub memory_of_scheduler
{
	my $pid = process_id($node, 'scheduler', 'postgres');
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : die "no memory of $pid";
}

# What a role sees anywhere of ours has not this in it.
sub unlike_secret
{
	my ($role, $secret, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $relations = $node->safe_psql(
		'postgres', q{
		SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'v', 'm') AND (n.nspname LIKE 'metrics\_refresh%' OR c.relname = 'metrics_refresh_log')
		UNION ALL SELECT p.oid::regproc || '()' FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
		WHERE nspname = 'metrics_refresh' AND proretset AND pronargs = pronargdefaults});
	my ($seen) = try_as($role, join(';', map { "SELECT r FROM $_ r" } split /\n/, $relations), goes_on => 1);
	return unlike($seen, qr/$secret/, $name);
}

1;
