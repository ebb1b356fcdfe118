# Views that would be skipped for ever: time zones get new rules while the server runs, and a function says
# that it depends on its arguments alone where nobody can look into it. Due times are audited as refreshes
# are that somebody asks for (sql/lies.sql has what can be seen in functions).
use strict;
use warnings;

use File::Copy;
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $zones = PostgreSQL::Test::Utils::tempdir();
preload('zone');
$ENV{MR_ZONES} = $zones;

my $node = start_node(
	'lies',
	autovacuum => 'off',
	TimeZone => 'UTC',
	'metrics_refresh.audit_every' => 4,
	'metrics_refresh.log_skips' => 'off',
	'metrics_refresh.max_workers' => 2);
create_extension($node);

sub query { return $node->safe_psql('postgres', $_[0]); }

# Each in a session of its own, which reads the zones anew.
sub strategy
{
	my ($view, $zone) = @_;
	query("ALTER DATABASE postgres SET TimeZone = '$zone'");
	return query("SELECT metrics_refresh.refresh('$view') ->> 'strategy'");
}

sub is_right
{
	my ($view, $zone, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $definition = query("SELECT rtrim(pg_get_viewdef('$view'), ';')");
	return is(query("SET TimeZone = '$zone'; SELECT count(*) FROM ((TABLE $view EXCEPT ALL ($definition)) UNION ALL (($definition) EXCEPT ALL TABLE $view)) d"),
		'0', $name);
}

# The zone $name has the rules of the other from now on, for whoever reads it now.
sub replace_zone
{
	my ($name, $other) = @_;
	make_path("$zones/Asia");
	copy("/usr/share/zoneinfo/$other", "$zones/$name") or die "cannot copy: $!";
	return;
}

query(q{
	CREATE TABLE base (at timestamptz);
	INSERT INTO base SELECT '2026-01-01 20:00+00'::timestamptz + g * interval '1 month' FROM generate_series(0, 11) g;
	CREATE FUNCTION in_seoul(timestamptz) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT ($1 AT TIME ZONE 'Asia/Seoul')::text$$;
	CREATE MATERIALIZED VIEW by_setting AS SELECT at::date AS day, count(*) FROM base GROUP BY 1;
	CREATE MATERIALIZED VIEW by_constant AS SELECT (at AT TIME ZONE 'Asia/Tokyo')::text AS t FROM base;
	CREATE MATERIALIZED VIEW by_function AS SELECT in_seoul(at) AS t FROM base});
my %zone_of = (by_setting => 'Asia/Manila', by_constant => 'UTC', by_function => 'UTC');
for my $view (sort keys %zone_of)
{
	strategy($view, $zone_of{$view});
	is(strategy($view, $zone_of{$view}), 'skip', "$view is skipped in another session");
}
replace_zone('Asia/Manila', 'America/New_York');
replace_zone('Asia/Tokyo', 'Australia/Sydney');
replace_zone('Asia/Seoul', 'Europe/Berlin');
is(query(q{SELECT '2026-01-01 20:00+00' AT TIME ZONE 'Asia/Tokyo'}), '2026-01-02 07:00:00', 'zones have other rules');
for my $view (sort keys %zone_of)
{
	is(strategy($view, $zone_of{$view}), 'diff', "$view is refreshed after its zone has got new rules");
	is_right($view, $zone_of{$view}, 'and is right');
	is(strategy($view, $zone_of{$view}), 'skip', 'and skipped again');
}

# Due times of jobs and groups
query(q{
	CREATE TABLE conf (rate int);
	INSERT INTO conf VALUES (1);
	CREATE TABLE numbers AS SELECT g AS n FROM generate_series(1, 3) g;
	CREATE LANGUAGE closed HANDLER plpgsql_call_handler;
	CREATE FUNCTION liar() RETURNS int IMMUTABLE LANGUAGE closed AS 'BEGIN RETURN (SELECT rate FROM public.conf); END';
	CREATE MATERIALIZED VIEW lied AS SELECT n * liar() AS n FROM numbers;
	CREATE MATERIALIZED VIEW honest AS SELECT n FROM numbers;
	CREATE MATERIALIZED VIEW other AS SELECT n + 1 AS n FROM numbers;
	SELECT metrics_refresh.schedule('lied', '1 second', job_name => 'lied');
	SELECT metrics_refresh.schedule_group('both', schedule => '1 second', views => ARRAY['honest', 'other'])});
sub audits
{
	my ($view, $found) = @_;
	return "SELECT count(*) FROM metrics_refresh.run_log WHERE view_name = '$view' AND strategy = 'diff' AND strategy_reason = '$found'";
}
my $nothing = 'an audit of skipping found nothing wrong';
for my $view ('lied', 'honest', 'other')
{
	until_ok($node, 'postgres', 'SELECT (' . audits($view, $nothing) . ') > 1', "skips of $view are audited again and again");
}
is(query(q{SELECT skipped >= 3 FROM metrics_refresh.job_status WHERE job_name = 'lied'}), 't', 'due times pass between two audits');
is(query(q{SELECT count(*) FROM metrics_refresh.health_check() WHERE check_name = 'audit' AND severity <> 'ok'}), '0', 'which is no alarm');
query('UPDATE conf SET rate = 10');
until_ok($node, 'postgres', 'SELECT (' . audits('lied', 'an audit of skipping corrected 3 rows') . ') = 1', 'an audit finds the lie');
is(query('SELECT sum(n) FROM lied'), '60', 'and the rows are right');
like(slurp_file($node->logfile), qr/WARNING:  materialized view public\.lied was skipped and not fresh: an audit of skipping corrected 3 rows/, 'the server log says so');
is(query(q{SELECT severity || ': ' || detail FROM metrics_refresh.health_check() WHERE check_name = 'audit'}),
	'critical: public.lied is not skipped any more: an audit of skipping corrected 3 rows', 'and so does health_check()');
query('UPDATE conf SET rate = 100');
until_ok($node, 'postgres', 'SELECT sum(n) = 600 FROM lied', 'the view is refreshed at each due time from then on');
is(query(q{SELECT change_state FROM metrics_refresh.explain_refresh('lied')}),
	'not skipped any more: an audit of skipping corrected 3 rows', 'and explain_refresh() says why');
query(q{SELECT metrics_refresh.alter_job('lied', strategy => 'auto')});
my $skipped = query(q{SELECT skipped FROM metrics_refresh.job_status WHERE job_name = 'lied'});
until_ok($node, 'postgres', "SELECT skipped > $skipped FROM metrics_refresh.job_status WHERE job_name = 'lied'", 'until its strategy is set again');

$node->stop;
done_testing();
