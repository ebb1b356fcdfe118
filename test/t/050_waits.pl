# Waits that could never end, and processes that can never start: wait() for a run that waits for the
# waiting session's snapshot, and a server whose max_worker_processes is too small, or taken.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('waits');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

# (output, errors and warnings)
sub try_sql
{
	my ($sql) = @_;
	local $ENV{PGOPTIONS} = '-c statement_timeout=60s';
	my ($out, $err) = ('', '');
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_die => 0, timeout => 170);
	return ($out, $err);
}

sub trigger { return sql("SELECT metrics_refresh.trigger('$_[0]')") }
sub status { return sql("SELECT status FROM metrics_refresh.run_log WHERE run_id = $_[0]") }

sql(q{
	CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 100) g;
	SELECT metrics_refresh.schedule_command('index', NULL, 'CREATE INDEX CONCURRENTLY ON t (id)');
	SELECT metrics_refresh.schedule_command('reindex', NULL, 'REINDEX TABLE CONCURRENTLY t');
	SELECT metrics_refresh.schedule_command('lock', NULL, 'TRUNCATE t', lock_timeout => '1 hour')});

# A session that waits for a run, and holds a snapshot that the run waits for.
sub asked
{
	my ($session, $statement) = @_;
	$session->{stderr} = '';
	$session->query_until(qr/is asked/, "\\echo is asked\n$statement;\n\\echo has ended\n");
	ok(session_reports($session, qr/has ended/), "$statement ends");
	return $session->{stderr};
}

for my $job ('index', 'reindex')
{
	my $holder = $node->background_psql('postgres', on_error_stop => 0);
	$holder->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT 1');
	my $run = trigger($job);
	until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'virtualxid'}, "$job waits for a snapshot");
	my $began = time;
	my $err = asked($holder, "SELECT metrics_refresh.wait($run, '1 hour')");
	like($err, qr/WARNING:.* run $run waits for the transaction that waits for it/, 'with a limit, a warning tells that it is in vain');
	is(status($run), 'running', 'while the run is under way');
	$err = asked($holder, "SELECT metrics_refresh.wait($run)");
	like($err, qr/ERROR:.* run $run waits for the transaction that waits for it/, 'without, it is an error');
	like($err, qr/HINT:.*CALL metrics_refresh\.wait_for\($run\)/, 'which says how to wait');
	cmp_ok(time - $began, '<', 60, 'at once');
	$holder->query('ROLLBACK');
	my ($out, $errors) = try_sql("CALL metrics_refresh.wait_for($run)");
	is("$out$errors", 'success', 'and so the run ends');
	$holder->quit;
}

# In a row: the run waits for a lock of a session that waits for this session's snapshot.
my $cursor = $node->background_psql('postgres', on_error_stop => 0);
$cursor->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT 1');
my $between = $node->background_psql('postgres', on_error_stop => 0);
$between->query_until(qr/is sent/, "\\echo is sent\nREINDEX TABLE CONCURRENTLY t;\n");
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'virtualxid'}, 'a session waits for a snapshot');
my $run = trigger('lock');
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 't'::regclass}, 'and the run for the session');
like(asked($cursor, "SELECT metrics_refresh.wait($run)"), qr/run $run waits for the transaction/, 'with the same error');
$cursor->quit;
is((try_sql("CALL metrics_refresh.wait_for($run, '50 seconds')"))[0], 'success', 'and then the run');
$between->quit;

# What waits for nothing of this session is waited for as before.
sql(q{SELECT metrics_refresh.schedule_command('nap', NULL, 'SELECT pg_sleep(2)')});
$run = trigger('nap');
is(join('', try_sql("SELECT metrics_refresh.wait($run)")), 'success', 'other runs are waited for');

# CALL: where it may commit only.
for (
	[ 'a transaction block', "BEGIN; CALL metrics_refresh.wait_for($run)" ],
	[ 'a function', qq{CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS \$\$ DECLARE s text; BEGIN CALL metrics_refresh.wait_for($run, NULL, s); RETURN s; END \$\$; SELECT f()} ])
{
	my ($where, $statement) = @$_;
	my ($out, $err) = try_sql("\\set VERBOSITY verbose\n$statement");
	like($err, qr/25001: wait_for\(\) cannot run inside a transaction block or a function/, "refused in $where");
	like($err, qr/HINT:.*metrics_refresh\.wait\(\)/, 'with a hint');
}
like((try_sql(qq{DO \$\$ DECLARE s text; BEGIN CALL metrics_refresh.wait_for($run, NULL, s); RAISE NOTICE 'it is %', s; END \$\$}))[1],
	qr/it is success/, 'a block may CALL it');
like((try_sql('CALL metrics_refresh.wait_for(987654)'))[1], qr/run 987654 does not exist/, 'unknown runs are refused');
like((try_sql('CALL metrics_refresh.wait_for(NULL)'))[1], qr/run_id must not be NULL/, 'and none');
sql('CREATE ROLE nobody LOGIN');
my ($out, $err) = ('', '');
$node->psql('postgres', "CALL metrics_refresh.wait_for($run)", stdout => \$out, stderr => \$err, extra_params => [ '-U', 'nobody' ]);
like($err, qr/run $run does not exist/, 'and those of others');
$run = trigger('nap');
is((try_sql("CALL metrics_refresh.wait_for($run, '10 milliseconds')"))[0] =~ /^(queued|running)$/ ? 1 : 0, 1, 'a limit that comes first');
# While it waits it holds nothing.
my $waiter = $node->background_psql('postgres', on_error_stop => 0);
$run = trigger('nap');
$waiter->query_until(qr/is asked/, "\\echo is asked\nCALL metrics_refresh.wait_for($run);\n\\echo has ended\n");
until_ok($node, 'postgres',
	q{SELECT count(*) = 1 FROM pg_stat_activity a WHERE query LIKE 'CALL metrics%' AND state = 'active' AND wait_event = 'Extension' AND backend_xmin IS NULL
	  AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype <> 'virtualxid')}, 'a CALL that waits holds no snapshot and no lock');
ok(session_reports($waiter, qr/has ended/), 'and ends with the run');
$waiter->quit;
$node->stop;

# Too few processes: the launcher and that of logical replication are all that fit.
my $small = start_node('small', max_worker_processes => 2, 'metrics_refresh.max_workers' => 3, wal_level => 'replica');
create_extension($small);
$small->safe_psql('postgres', q{
	CREATE MATERIALIZED VIEW mv AS SELECT clock_timestamp() AS at;
	SELECT metrics_refresh.schedule('mv', '1 second', 'mv')});
my $finding = hurt($small, 'postgres');
like($finding, qr/^processes\|critical\|max_worker_processes is 2, 4 too few, and no run can start: wanted are 1 for the launcher, 1 scheduler \(one a database\), 3 workers \(metrics_refresh\.max_workers\) and 1 that other parts of the server have now$/m,
	'health says which limit is short, by how many, and for what');
my $hint = $small->safe_psql('postgres', q{SELECT hint FROM metrics_refresh.health_check() WHERE check_name = 'processes'});
like($hint, qr/Set max_worker_processes to 6 or more/, 'and the sum');
# A user without rights is told too.
$small->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
is($small->safe_psql('postgres', q{SELECT severity FROM metrics_refresh.health_check() WHERE check_name = 'processes'}, extra_params => [ '-U', 'nobody' ]),
	'critical', 'also to roles that see nobody else in pg_stat_activity');
$small->adjust_conf('postgresql.conf', 'max_worker_processes', 5);
$small->restart;
wait_for_runs($small, 'postgres', 'mv', 1, 'one less than all is enough to begin');
like(hurt($small, 'postgres'), qr/^processes\|warning\|max_worker_processes is 5, 1 too few: wanted/m, 'and a warning');
$small->adjust_conf('postgresql.conf', 'max_worker_processes', 6);
$small->restart;
wait_for_runs($small, 'postgres', 'mv', 1, 'with the sum all is well');
unlike(hurt($small, 'postgres'), qr/^processes/m, 'and health says so');

# Parallel queries take what is left.
my @parallel;
for (1, 2)
{
	my $session = $small->background_psql('postgres', on_error_stop => 0);
	$session->query_safe(q{SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')});
	$session->query_until(qr/is sent/, "\\echo is sent\nSELECT pg_sleep(600);\n");
	push @parallel, $session;
}
until_ok($small, 'postgres', q{SELECT count(*) > 0 FROM metrics_refresh.health_check() WHERE check_name = 'processes' AND severity = 'warning'
	AND detail LIKE 'parallel queries have % of 6 background processes now%' AND hint LIKE 'Lower max_parallel_workers to 0, or raise max_worker_processes by %'},
	'processes that parallel queries hold are a finding');
$small->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()});
until_ok($small, 'postgres', q{SELECT severity = 'ok' FROM metrics_refresh.health_check() WHERE check_name = 'processes'}, 'until they are gone');
eval { $_->{run}->finish } for @parallel;

done_testing();
