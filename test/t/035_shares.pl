# Shares, in a server: one role's many jobs delay nobody else's, and nothing that a role stores makes the
# scheduler grow beyond the role's share.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('shares', 'metrics_refresh.max_workers' => 2, 'metrics_refresh.log_skips' => 'off');
create_extension($node);
$node->safe_psql(
	'postgres', q{
	CREATE ROLE many LOGIN;
	CREATE ROLE few LOGIN;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO many, few;
	GRANT CREATE ON SCHEMA public TO many, few});

# As a role; what is refused is not an error here.
sub as_role
{
	my ($role, $sql) = @_;
	my ($status, $out, $error) =
	  $node->psql('postgres', $sql, extra_params => [ '-U', $role ], on_error_stop => 0);
	return $error // '';
}

# AddressSanitizer surrounds and keeps what is allocated.
my $factor = $ENV{METRICS_REFRESH_SANITIZED} ? 3 : 1;

# Of the scheduler, in MB: what is its own.
sub scheduler_memory
{
	my $pid = process_id($node, 'scheduler', 'postgres');
	open my $status, '<', "/proc/$pid/status" or die "the scheduler is gone: $!";
	my ($kilobytes) = map { /^RssAnon:\s+(\d+) kB/ ? $1 : () } <$status>;
	return $kilobytes / 1024;
}

# Each job of the role, one after the other: the scheduler has read them all once the last has run.
sub until_read
{
	my ($name) = @_;
	$node->safe_psql('postgres', q{SELECT metrics_refresh.schedule_command('last', NULL, 'SELECT 1')});
	$node->safe_psql('postgres', q{SELECT metrics_refresh.trigger('last')});
	until_ok($node, 'postgres', q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'last' AND status = 'success'},
		"the scheduler has read $name");
	$node->safe_psql('postgres', q{SELECT metrics_refresh.unschedule('last'); DELETE FROM metrics_refresh_internal.run_log});
	return;
}
until_read('nothing yet');
my $before = scheduler_memory();

# Text that compresses: a few MB on disk, gigabytes for whoever reads it whole.
my $refused = as_role('many', q{
	SELECT metrics_refresh.schedule_command('spaces ' || n, '@daily', 'SELECT 1',
	    settings => jsonb_build_object('shares.text', repeat(' ', 10000000))) FROM generate_series(1, 12) n});
like($refused, qr/settings is too long/, 'long settings are refused');
as_role('many', q{SELECT metrics_refresh.schedule_command('spaces ' || n, '@daily', '--' || repeat(' ', 10000000) || 'x')
	FROM generate_series(1, 12) n});
until_read('long texts');
cmp_ok(scheduler_memory() - $before, '<', 30 * $factor, 'long texts are not the scheduler\'s');

# As much as one role may have: a thousand jobs, each with a hundred schedules and as many windows.
my $share = q{
	DO $do$
	BEGIN
	    FOR n IN 1..1000 LOOP
	        PERFORM metrics_refresh.schedule_command('full ' || n, repeat('1 1 1 1 *;', 99) || '1 1 2 2 *', '--' || repeat('-', 5000) || 'x',
	            blackout => array_fill('sun 01:00-02:00'::text, '{100}'));
	    END LOOP;
	END $do$};
is(as_role('many', $share), '', 'a share can be used up');
like(as_role('many', q{SELECT metrics_refresh.schedule_command('one more', NULL, 'SELECT 1')}),
	qr/would have more jobs than it may/, 'and no more');
until_read('a full share');
cmp_ok(scheduler_memory() - $before, '<', 40 * $factor, 'a full share is some MB in the scheduler');
diag(sprintf 'the scheduler: %.1f MB, with a full share %.1f MB', $before, scheduler_memory());
$node->safe_psql('postgres', q{SELECT count(metrics_refresh.unschedule(job_name)) FROM metrics_refresh.job});

# The server keeps every zone that it has ever read; of rules there is no end.
as_role('many', qq{SELECT metrics_refresh.schedule_command('zone', '\@daily', 'SELECT 1', timezone => 'A' || chr(65 + n / 676)
	 || chr(65 + n / 26 % 26) || chr(65 + n % 26) || '3') FROM generate_series($_ * 500 + 1, $_ * 500 + 500) n}) for 0 .. 5;
as_role('many', q{SELECT metrics_refresh.schedule_command('zone ' || n, '@daily', 'SELECT 1',
	timezone => 'A' || chr(65 + n / 676) || chr(65 + n / 26 % 26) || chr(65 + n % 26) || '3')
	FROM generate_series(1, 900) n});
until_read('zones');
cmp_ok(scheduler_memory() - $before, '<', 40 * $factor, 'nor are invented time zones kept');
$node->safe_psql('postgres', q{SELECT count(metrics_refresh.unschedule(job_name)) FROM metrics_refresh.job});

# Runs asked for.
as_role('many', q{SELECT metrics_refresh.schedule_command('asked for', NULL, 'SELECT pg_sleep(0.1)')});
like(as_role('many', q{SELECT count(metrics_refresh.trigger('asked for')) FROM generate_series(1, 200000)}),
	qr/more runs asked for than it may/, 'a queue has an end');
$node->safe_psql('postgres', q{SELECT metrics_refresh.unschedule('asked for')});

# Three hundred jobs that are due every second, of which two workers do twenty a second; beside them one
# job of somebody else's.
$node->safe_psql('postgres', q{DELETE FROM metrics_refresh_internal.run_log});
is(as_role('many', q{
	SELECT count(metrics_refresh.schedule_command('flood ' || n, '1 second', 'SELECT pg_sleep(0.1)')) FROM generate_series(1, 300) n}),
	'', 'many jobs');
until_ok($node, 'postgres', q{SELECT count(*) > 50 FROM metrics_refresh.run_log WHERE job_name LIKE 'flood%'}, 'they run');
is(as_role('few', q{SELECT metrics_refresh.schedule_command('lone', '3 seconds', 'SELECT 1')}), '', 'one job');
until_ok($node, 'postgres', q{SELECT count(*) >= 6 FROM metrics_refresh.run_log WHERE job_name = 'lone' AND status = 'success'},
	'somebody else\'s runs as well');
cmp_ok($node->safe_psql('postgres',
		q{SELECT round(max(extract(epoch FROM started_at - due_at)), 3) FROM metrics_refresh.run_log WHERE job_name = 'lone'}),
	'<', 2.5, 'and on time');
is( $node->safe_psql('postgres', q{
		SELECT max(together) FROM (SELECT count(*) AS together FROM metrics_refresh.run_log a JOIN metrics_refresh.run_log b
		    ON b.started_at <= a.started_at AND b.finished_at > a.started_at
		    AND a.job_name LIKE 'flood%' AND b.job_name LIKE 'flood%' GROUP BY a.run_id) t}),
	1, 'one role leaves a worker to the others');

# Those of a super admin go first, and leave some starts to the others.
$node->safe_psql('postgres', q{
	SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE job_name LIKE 'flood%';
	SELECT metrics_refresh.schedule_command('urgent ' || n, '1 second', 'SELECT pg_sleep(0.3)', priority => 1000)
	FROM generate_series(1, 12) n});
until_ok($node, 'postgres', q{SELECT count(*) > 10 FROM metrics_refresh.run_log WHERE job_name LIKE 'urgent%'}, 'urgent jobs');
my $last = $node->safe_psql('postgres', q{SELECT max(run_id) FROM metrics_refresh.run_log});
until_ok($node, 'postgres',
	qq{SELECT count(*) >= 3 FROM metrics_refresh.run_log WHERE job_name = 'lone' AND status = 'success' AND run_id > $last},
	'others run beside them');
cmp_ok($node->safe_psql('postgres',
		qq{SELECT round(max(extract(epoch FROM started_at - due_at)), 3) FROM metrics_refresh.run_log WHERE job_name = 'lone' AND run_id > $last}),
	'<', 4, 'within the bound');

# Who is no super admin any more has no urgent jobs, whatever their priority says.
$node->safe_psql('postgres', q{
	SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job;
	CREATE ROLE admins;
	CREATE ROLE boss LOGIN IN ROLE admins;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO boss});
$node->append_conf('postgresql.conf', "metrics_refresh.admin_role = 'admins'");
$node->restart;
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
$node->safe_psql('postgres', qq{
	SELECT metrics_refresh.schedule_command('gate $_', NULL, 'SELECT pg_advisory_xact_lock_shared(1)', lock_timeout => '1 hour');
	SELECT metrics_refresh.trigger('gate $_')}) for 1, 2;
until_ok($node, 'postgres', q{SELECT count(*) = 2 FROM metrics_refresh.run_log WHERE job_name LIKE 'gate%' AND status = 'running'},
	'both workers are busy');
is(as_role('few', q{SELECT metrics_refresh.schedule_command('plain', NULL, 'SELECT 1')}), '', 'a job of anybody');
is(as_role('boss', q{SELECT metrics_refresh.schedule_command('urgent', NULL, 'SELECT 1', priority => 1000)}),
	'', 'and one of an admin');
as_role('few', q{SELECT metrics_refresh.trigger('plain')});
as_role('boss', q{SELECT metrics_refresh.trigger('urgent')});
my $order = q{SELECT coalesce(string_agg(j.job_name, ' ' ORDER BY w.ordinality), '') = '%s'
	FROM metrics_refresh.waiting_runs() WITH ORDINALITY w JOIN metrics_refresh.job j USING (job_id)};
until_ok($node, 'postgres', sprintf($order, 'urgent plain'), 'the admin\'s goes first');
$node->safe_psql('postgres', q{REVOKE admins FROM boss});
until_ok($node, 'postgres', sprintf($order, 'plain urgent'), 'and not once he is none');
$node->safe_psql('postgres', q{GRANT admins TO boss});
until_ok($node, 'postgres', sprintf($order, 'urgent plain'), 'again once he is one');

# A process that hears of a change before it can see it would not look again.
my $missed = 0;
for (1 .. 100)
{
	my ($statement, $expected) =
	    $_ % 2 ? ('REVOKE admins FROM boss', 'plain urgent') : ('GRANT admins TO boss', 'urgent plain');
	$node->safe_psql('postgres', $statement);
	next if $node->poll_query_until('postgres', sprintf $order, $expected);
	$missed = $_;
	last;
}
is($missed, 0, 'no change of his rights is missed');
$node->append_conf('postgresql.conf', "metrics_refresh.admin_role = ''");
$node->reload;
until_ok($node, 'postgres', sprintf($order, 'plain urgent'), 'nor where no role has admins');
$node->safe_psql('postgres', q{ALTER ROLE boss SUPERUSER});
until_ok($node, 'postgres', sprintf($order, 'urgent plain'), 'but as a superuser');
$node->safe_psql('postgres', q{ALTER ROLE boss NOSUPERUSER});
until_ok($node, 'postgres', sprintf($order, 'plain urgent'), 'for as long as he is');
$holder->quit;

$node->stop;
done_testing();
