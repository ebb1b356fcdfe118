# What a role may keep, or have others do, past its rights: a superuser who is demoted while his worker logs in, and
# statements about roles that are refused.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node(
	'review',
	'metrics_refresh.worker_idle_timeout' => '10min',
	'metrics_refresh.scheduler_idle_timeout' => '1s');
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub run_of
{
	my ($job, $columns) = @_;
	my $run = sql("SELECT metrics_refresh.trigger('$job')");
	sql("SELECT metrics_refresh.wait($run, '60 s')");
	return sql("SELECT $columns FROM metrics_refresh.run_log WHERE run_id = $run");
}

my $schedulers = q{(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler')};

# A statement that is refused is no news, though it is refused within a savepoint: no scheduler starts for it.
sql('CREATE ROLE mallory LOGIN');
until_ok($node, 'postgres', "SELECT $schedulers = 0", 'the scheduler leaves where nothing is to do');
my $refused = q{
	SET SESSION AUTHORIZATION mallory;
	DO $$ BEGIN ALTER ROLE postgres RENAME TO mallorys; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$;
	RESET SESSION AUTHORIZATION;
	SELECT pg_sleep(0.5);};
my $starts = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh scheduler'};
is(sql("$refused $starts"), "\n0", 'none starts for a rename that is refused');
sql('ALTER ROLE mallory RENAME TO mallory_who_was; ALTER ROLE mallory_who_was RENAME TO mallory');
until_ok($node, 'postgres', "SELECT $schedulers > 0", 'one starts for a rename');

# ALTER ROLE comes when the worker of a superuser has logged in, and before it serves: held up where the server reads
# the settings of the role.
$node->append_conf('postgresql.conf', "metrics_refresh.scheduler_idle_timeout = '1h'");
$node->reload;
sql(q{
	CREATE ROLE boss LOGIN SUPERUSER;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO boss;
	SET SESSION AUTHORIZATION boss;
	SELECT metrics_refresh.schedule_command('nothing', NULL, 'SELECT 1');
	SELECT metrics_refresh.schedule_command('rise', NULL, 'SET SESSION AUTHORIZATION postgres; ALTER ROLE boss SUPERUSER', max_retries => 0)});
until_ok($node, 'postgres', "SELECT $schedulers = 1", 'the scheduler runs');
my $other = $node->background_psql('postgres');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE');
my $run = $other->query_safe(q{SELECT metrics_refresh.trigger('nothing')});
my $waits = q{SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'pg_db_role_setting'::regclass AND NOT granted)};
for (1 .. 600)
{
	last if $other->query_safe($waits) eq 't';
	select(undef, undef, undef, 0.1);
}
is($other->query_safe($waits), 't', 'a worker logs in as a superuser');
$other->query_safe('ALTER ROLE boss NOSUPERUSER');
$holder->query_safe('COMMIT');
$holder->quit;
$other->quit;
sql("SELECT metrics_refresh.wait($run, '60 s')");
is(sql("SELECT status FROM metrics_refresh.run_log WHERE run_id = $run"), 'success', 'he is none when it serves: the run');
is(run_of('rise', 'sqlstate'), '42501', 'the session is not that of a superuser');
is(sql(q{SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper}), 'postgres', 'and he has not become one again');

# A superuser whose sessions begin with another role is one all the same.
sql(q{
	CREATE ROLE chief LOGIN SUPERUSER; ALTER ROLE chief SET role = mallory;
	SELECT metrics_refresh.schedule_command('of chief', NULL, 'SELECT current_user', owner => 'chief')});
is(run_of('of chief', 'status'), 'success', 'his run begins');

$node->stop;
done_testing();
