# Jobs go over from a pg_cron that runs them: what is made of each, that a dry run and a rollback do
# nothing, that each minute has one run of each job, and that a second import changes nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeClock;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_cron is not installed'
  unless -e (run_command([ 'pg_config', '--pkglibdir' ]))[0] . '/pg_cron.so';

# Noon of a day without surprises, UTC.
use constant NOON => 1_811_808_000 + 12 * 3600;

my $clock = FakeClock->new;
$clock->set(NOON + 20, 1);
my $node = start_node(
	'import',
	shared_preload_libraries => 'metrics_refresh,pg_cron',
	timezone => 'UTC');
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'");
$node->restart;

$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron; CREATE DATABASE other');
create_extension($node);
$node->safe_psql(
	'postgres', q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE admins;
	CREATE ROLE boss LOGIN SUPERUSER;
	CREATE ROLE admin LOGIN IN ROLE admins;
	ALTER DATABASE postgres SET metrics_refresh.admin_role = 'admins';
	CREATE SCHEMA alice AUTHORIZATION alice;
	GRANT USAGE ON SCHEMA alice TO bob;
	CREATE TABLE run (job text, process text, at timestamptz DEFAULT clock_timestamp());
	GRANT INSERT ON run TO PUBLIC;
	CREATE FUNCTION note_run(job text) RETURNS void LANGUAGE sql AS $$
		INSERT INTO public.run SELECT job, backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid() $$});
$node->safe_psql(
	'postgres', q{
	CREATE MATERIALIZED VIEW sales AS SELECT clock_timestamp() AS at;
	CREATE MATERIALIZED VIEW totals AS SELECT at FROM sales;
	CREATE FUNCTION refresh_all() RETURNS void LANGUAGE plpgsql SET search_path = alice AS
		'BEGIN REFRESH MATERIALIZED VIEW totals; REFRESH MATERIALIZED VIEW sales; END'},
	extra_params => [ '-U', 'alice' ]);
$node->safe_psql(
	'postgres', q{
	SELECT cron.schedule('sales', '* * * * *', 'REFRESH MATERIALIZED VIEW CONCURRENTLY sales');
	SELECT cron.schedule('1-59/10 * * * *', 'SELECT refresh_all()');
	SELECT cron.schedule('tick', '* * * * *', 'SELECT note_run(''tick'')');
	UPDATE cron.job SET username = 'alice';
	SELECT cron.schedule('tick', '* * * * *', 'SELECT note_run(''bob''''s tick'')');
	SELECT cron.schedule('not his', '0 3 * * *', 'REFRESH MATERIALIZED VIEW alice.sales');
	UPDATE cron.job SET username = 'bob' WHERE username = 'postgres';
	SELECT cron.schedule('held', '1-59/2 * * * *',
		'WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock(42)) SELECT note_run(''held'') FROM l');
	SELECT cron.schedule('paused', '0 3 * * *', 'SELECT 1');
	UPDATE cron.job SET active = false WHERE jobname = 'paused';
	SELECT cron.schedule('six fields', '0 5 * * * *', 'SELECT 1');
	SELECT cron.schedule('more text', '30 4 * * 1 SELECT', 'SELECT 1');
	SELECT cron.schedule('wraps', '0 0 * * 6-1', 'SELECT 1');
	SELECT cron.schedule('never', '0 0 31 2 *', 'SELECT 1');
	SELECT cron.schedule('start', '@reboot', 'SELECT 1');
	SELECT cron.schedule('there', '0 3 * * *', 'REFRESH MATERIALIZED VIEW public.theirs');
	UPDATE cron.job SET database = 'other', username = 'alice' WHERE jobname = 'there'});

my $columns = q{source_id, job_name, kind, target, old_schedule, schedule, timezone, owner, database, active, action, note};

sub import_jobs
{
	my ($how, $what) = @_;
	return $node->safe_psql('postgres',
		'SELECT ' . ($what // $columns) . " FROM metrics_refresh.import_from_pg_cron($how)",
		extra_params => [ '-U', 'boss' ]);
}

# All jobs, here and in pg_cron.
sub jobs
{
	return $node->safe_psql('postgres',
		'SELECT j FROM metrics_refresh.job j ORDER BY job_id; SELECT c FROM cron.job c ORDER BY jobid');
}

my ($refused, undef, $error) = $node->psql('postgres', 'SELECT metrics_refresh.import_from_pg_cron()',
	extra_params => [ '-U', 'alice' ]);
like($error, qr/importing the jobs of pg_cron requires a super admin/, 'not for everybody');

my $before = jobs();
is(import_jobs(''), <<'EXPECTED' =~ s/\n\z//r, 'what would be made of each job');
1|sales|refresh|alice.sales|* * * * *|* * * * *|GMT|alice|postgres|t|would be imported|would be paused in pg_cron
2|pg_cron job 2|group|alice.totals, alice.sales|1-59/10 * * * *|1-59/10 * * * *|GMT|alice|postgres|t|would be imported|all that refresh_all() does is to refresh; would be paused in pg_cron
3|tick|command|SELECT note_run('tick')|* * * * *|* * * * *|GMT|alice|postgres|t|would be imported|would be paused in pg_cron
4|tick|command|SELECT note_run('bob''s tick')|* * * * *|* * * * *|GMT|bob|postgres|t|would be imported|would be paused in pg_cron
5|not his|command|REFRESH MATERIALIZED VIEW alice.sales|0 3 * * *|0 3 * * *|GMT|bob|postgres|t|would be imported|its role may not refresh alice.sales; would be paused in pg_cron
6|held|command|WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock(42)) SELECT note_run('held') FROM l|1-59/2 * * * *|1-59/2 * * * *|GMT|postgres|postgres|t|would be imported|would be paused in pg_cron
7|paused|command|SELECT 1|0 3 * * *|0 3 * * *|GMT|postgres|postgres|f|would be imported|
8|six fields|command|SELECT 1|0 5 * * * *|0 5 * * *|GMT|postgres|postgres|t|would be imported|pg_cron reads the schedule as "0 5 * * *"; would be paused in pg_cron
9|more text|command|SELECT 1|30 4 * * 1 SELECT|30 4 * * 1|GMT|postgres|postgres|t|would be imported|pg_cron reads the schedule as "30 4 * * 1"; would be paused in pg_cron
10|wraps|command|SELECT 1|0 0 * * 6-1||GMT|postgres|postgres|t|left|pg_cron never runs it, for no time matches; here the text would mean: at 00:00 on Monday, Saturday and Sunday
11|never|command|SELECT 1|0 0 31 2 *||GMT|postgres|postgres|t|left|pg_cron never runs it, for no time matches
12|start|command|SELECT 1|@reboot|@reboot|GMT|postgres|postgres|t|would be imported|pg_cron runs it also when its own launcher starts anew; would be paused in pg_cron
13|there|refresh|public.theirs|0 3 * * *|0 3 * * *|GMT|alice|other|t|left|run the statement in database other, then pause it in pg_cron
EXPECTED
is(jobs(), $before, 'a dry run changes nothing');
is( $node->safe_psql('postgres', q{SELECT string_agg(job_name, ', ') FROM metrics_refresh.import_from_pg_cron()
		WHERE action = 'left' AND note ~ 'a command runs with all rights of its role'}, extra_params => [ '-U', 'admin' ]),
	'tick, tick, not his, held, paused, six fields, more text, start',
	'an admin who is no superuser gets no command of others');

# A run of "held" is under way from 12:01 on, which a pause would cut off as soon as it says something
# to pg_cron. The import comes right before 12:02.
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart;
$session->query_safe('SELECT pg_advisory_lock(42)');

sub go_to
{
	$clock->set(NOON + $_[0]);
	return $clock->wake($session);
}

# A test: these runs there were of "tick", by whom.
my $ticks = q{SELECT string_agg(to_char(at, 'HH24:MI ') || CASE WHEN process = 'client backend'
	THEN 'pg_cron' ELSE process END, ', ' ORDER BY at) FROM run WHERE job = 'tick'};

sub ticks_are
{
	my ($expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->poll_query_until('postgres', "SELECT ($ticks) = '$expected'");
	return is($node->safe_psql('postgres', $ticks), $expected, $name);
}

go_to(57);
ticks_are('12:01 pg_cron', 'pg_cron runs its jobs');
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted})
  or die 'the job "held" does not run';

$before = jobs();
$node->safe_psql('postgres', 'BEGIN; SELECT metrics_refresh.import_from_pg_cron(false); ROLLBACK');
is(jobs(), $before, 'nor does an import that is rolled back');
like( $node->safe_psql(
		'postgres', q{
		BEGIN;
		SELECT metrics_refresh.import_from_pg_cron(false);
		SELECT metrics_refresh.alter_job('sales', schedule => '*/2 * * * *');
		SELECT 'from the commit' FROM metrics_refresh_internal.job WHERE job_name = 'sales' AND counts_from_commit;
		ROLLBACK}),
	qr/^from the commit$/m, 'what is altered before the commit counts from the commit all the same');

# Two at once, of which the first commits at 12:01:57 or later.
my $first = $node->background_psql('postgres', extra_params => [ '-U', 'boss' ]);
$first->set_query_timer_restart;
go_to(60 + 45);
my $imported = $first->query_safe(
	"BEGIN; SELECT job_name, action, note FROM metrics_refresh.import_from_pg_cron(false) WHERE action = 'imported'");
my $second = $node->background_psql('postgres', extra_params => [ '-U', 'boss' ]);
$second->query_until(qr/waits/,
	"\\echo waits\nSELECT 'ended', string_agg(DISTINCT action, ', '), count(*) FROM metrics_refresh.import_from_pg_cron(false);\n");
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'object' AND NOT granted})
  or die 'the second import does not wait';
go_to(60 + 57);
$first->query_safe('COMMIT');
cmp_ok($clock->now, '>=', NOON + 120 + 2.5, 'the commit stays away from the begin of the minute');
is($imported =~ s/\n\z//r, <<'EXPECTED' =~ s/\n\z//r, 'the jobs that were imported');
sales|imported|paused in pg_cron
pg_cron job 2|imported|all that refresh_all() does is to refresh; paused in pg_cron
tick|imported|paused in pg_cron
tick|imported|paused in pg_cron
not his|imported|its role may not refresh alice.sales; paused in pg_cron
paused|imported|
six fields|imported|pg_cron reads the schedule as "0 5 * * *"; paused in pg_cron
more text|imported|pg_cron reads the schedule as "30 4 * * 1"; paused in pg_cron
start|imported|pg_cron runs it also when its own launcher starts anew; paused in pg_cron
EXPECTED
ok(session_reports($second, qr/ended\|already there, left\|13/), 'the other import finds them made');
$second->quit;
is( $node->safe_psql('postgres', 'SELECT string_agg(jobname, $$, $$ ORDER BY jobid) FROM cron.job WHERE active'),
	'held, wraps, never, there', 'pg_cron has the others');
ticks_are('12:01 pg_cron, 12:02 pg_cron', 'the minute that began before the commit was its own');

$session->query_safe('SELECT pg_advisory_unlock(42)');
until_ok($node, 'postgres', q{SELECT count(*) = 1 FROM run WHERE job = 'held'},
	'a run that was under way goes on to its end');
$node->poll_query_until('postgres',
	q{SELECT action = 'would be imported' FROM metrics_refresh.import_from_pg_cron() WHERE job_name = 'held'});
is(import_jobs('false', q{max(concat_ws('|', action, note)) FILTER (WHERE job_name = 'held')}),
	'imported|paused in pg_cron', 'and its job is imported afterwards');
go_to(120 + 57);
ticks_are('12:01 pg_cron, 12:02 pg_cron, 12:03 metrics_refresh worker', 'the next one is ours');
go_to(180 + 57);
ticks_are('12:01 pg_cron, 12:02 pg_cron, 12:03 metrics_refresh worker, 12:04 metrics_refresh worker',
	'and so it goes on');
is( $node->safe_psql(
		'postgres', q{SELECT job, to_char(at, 'HH24:MI'), count(*) FROM run
		WHERE job <> 'held' GROUP BY 1, 2 HAVING count(*) <> 1}),
	'', 'no minute has two runs of a job');
is( $node->safe_psql(
		'postgres', q{
		SELECT job_name, strategy, owner, string_agg(DISTINCT status, ',') FROM metrics_refresh.run_log
		WHERE job_name IN ('sales', 'held', 'tick') GROUP BY 1, 2, 3 ORDER BY 1, 3}),
	"held|command|postgres|success\nsales|diff|alice|success\ntick|command|alice|success\ntick|command|bob|success",
	'runs of ours, in the names of the users');
is(twice_served($node, 'postgres'), 0, 'nor does the log');

$before = jobs();
is(import_jobs('false', q{string_agg(DISTINCT action, ', ')}), 'already there, left', 'again: nothing is left to do');
is(jobs(), $before, 'and nothing is done');

# Who switches a job on again in pg_cron has it paused again, unless the job here is another by now.
$node->safe_psql('postgres', q{UPDATE cron.job SET active = true WHERE jobname IN ('sales', 'six fields', 'more text');
	SELECT metrics_refresh.alter_job('six fields', schedule => '5 * * * *');
	SELECT metrics_refresh.alter_job('more text', ends_at => '2099-01-01')});
is( import_jobs('false', q{string_agg(concat_ws('|', job_name, action, note), E'\n')
		FILTER (WHERE job_name IN ('sales', 'six fields', 'more text'))}),
	"sales|already there|paused in pg_cron\n" . 'six fields|already there|pg_cron reads the schedule as "0 5 * * *"; '
	  . "the job here is not due alike: both stay as they are\n" . 'more text|already there|pg_cron reads the schedule as "30 4 * * 1"; '
	  . 'the job here is not due alike: both stay as they are',
	'an old job that is active again');
is( $node->safe_psql('postgres', q{SELECT string_agg(jobname, ', ') FROM cron.job WHERE active AND jobname IN ('sales', 'six fields', 'more text')}),
	'six fields, more text', 'is paused where the new one does the same');

# The statement of a job of another database, run there.
my $statement = import_jobs('', q{max(statement) FILTER (WHERE job_name = 'there')});
create_extension($node, 'other');
$node->safe_psql('other', "CREATE MATERIALIZED VIEW theirs AS SELECT 1; $statement");
is($node->safe_psql('other', 'SELECT job_name, view_name, schedule, timezone, owner FROM metrics_refresh.job'),
	'there|theirs|0 3 * * *|GMT|alice', 'the statement makes the job there');

# In background workers likewise.
$session->quit;
$first->quit;
$node->append_conf('postgresql.conf', 'cron.use_background_workers = on');
$node->restart;
$node->safe_psql('postgres', q{SELECT cron.schedule('long', '* * * * *', 'SELECT pg_sleep(600)')});
$clock->set(NOON + 240 + 57);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'})
  or die 'the job "long" does not run';
is( import_jobs('false', q{max(concat_ws('|', action, note)) FILTER (WHERE job_name = 'long')}),
	'left|a run of it is under way, which a pause would cut off: import it afterwards',
	'a job that cannot go over now');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'}),
	1, 'the run goes on');

# Seen by nobody else: a pg_cron that meets such a job starts over and over.
is( $node->safe_psql(
		'postgres', q{
		BEGIN;
		UPDATE cron.job SET username = 'nobody' WHERE jobname = 'there';
		SELECT action, note FROM metrics_refresh.import_from_pg_cron() WHERE job_name = 'there';
		ROLLBACK}),
	'left|its role does not exist', 'a job whose role is gone');

# pg_cron goes, its API comes.
$node->safe_psql('postgres', 'DROP EXTENSION pg_cron; CREATE EXTENSION metrics_refresh_cron');
is($node->safe_psql('postgres', q{SELECT jobname, username, schedule, active FROM cron.job WHERE jobname IN ('tick', 'paused') ORDER BY jobid}),
	"tick|alice|* * * * *|t\ntick|bob|* * * * *|t\npaused|postgres|0 3 * * *|f", 'the commands are in cron.job');

done_testing();
