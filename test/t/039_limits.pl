# What has an end that it had not: groups, definitions whose expressions double, refreshes that are handed
# over and cannot be written down, tables whose changes are counted, names in settings; and whose worker
# leaves for another owner's run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('limits', 'metrics_refresh.max_workers' => 2, 'metrics_refresh.worker_idle_timeout' => '1h',
	'metrics_refresh.max_tracked_tables' => 24, 'metrics_refresh.max_group_views_per_role' => 3,
	'metrics_refresh.admin_role' => 'admins');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql(q{
	CREATE ROLE admins; CREATE ROLE admin LOGIN IN ROLE admins;
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN;
	CREATE SCHEMA alice AUTHORIZATION alice; CREATE SCHEMA bob AUTHORIZATION bob; GRANT USAGE ON SCHEMA alice TO admin;
	CREATE TABLE public.one AS SELECT 1 AS one; GRANT SELECT ON public.one TO PUBLIC;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO alice, bob});

# As a client: what it says, and what it is told.
sub as
{
	my ($role, $sql, $limit) = @_;
	local $ENV{PGOPTIONS} = '-c statement_timeout=' . ($limit // '30s');
	my (undef, $out, $error) = $node->psql('postgres', $sql, on_error_stop => 0, extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
	return join "\n", grep { length } $out, $error;
}

sub ended
{
	my ($run, $columns) = @_;
	sql("SELECT metrics_refresh.wait($run, '60 s')");
	return sql("SELECT $columns FROM metrics_refresh.run_log WHERE run_id = $run");
}

# A worker that lingers for one owner leaves for another's run before that is due.
for my $role ('alice', 'postgres')
{
	like(as($role, "SELECT metrics_refresh.schedule_command('of $role', NULL, 'SELECT 1')"), qr/^\d+$/, "a job of $role");
	is(ended(as($role, "SELECT metrics_refresh.trigger('of $role')"), 'status'), 'success', 'runs');
}
like(as('bob', q{SELECT metrics_refresh.schedule_command('of bob', '2 seconds', 'SELECT 1')}), qr/^\d+$/, 'another\'s is due soon');
until_ok($node, 'postgres', q{SELECT count(*) > 0 FROM metrics_refresh.run_log WHERE job_name = 'of bob' AND status = 'success'}, 'it runs');
is(sql(q{SELECT a.backend_start < r.due_at FROM metrics_refresh.run_log r JOIN pg_stat_activity a ON a.pid = r.worker_pid
	WHERE r.job_name = 'of bob' ORDER BY r.run_id LIMIT 1}), 't', 'in a worker that was there when it was due');
as('bob', q{SELECT metrics_refresh.unschedule('of bob')});

# Groups.
as('alice', join ';', map { "CREATE MATERIALIZED VIEW alice.mv$_ AS SELECT one FROM public.one" } 1 .. 4);
like(as('alice', q{SELECT metrics_refresh.schedule_group('four', NULL, schema_name => 'alice')}), qr/^\d+$/, 'a group of four');
is(ended(as('alice', q{SELECT metrics_refresh.trigger('four')}), q{status || ' ' || sqlstate}), 'error 53400', 'is more than a role may have under way');
like(sql(q{SELECT error_detail FROM metrics_refresh.run_log WHERE job_name = 'four'}), qr/max_group_views_per_role is 3; 0 are under way, and this group has 4/, 'which is said');
is(sql('SELECT count(*) FROM metrics_refresh_internal.group_run_member'), 0, 'nothing of it is open');
as('alice', 'DROP MATERIALIZED VIEW alice.mv4');
is(ended(as('alice', q{SELECT metrics_refresh.trigger('four')}), 'status'), 'success', 'three are not');
sql(q{SELECT metrics_refresh.schedule_group('of super', ARRAY['alice.mv1', 'alice.mv2', 'alice.mv3']::regclass[])});
sql(q{INSERT INTO metrics_refresh_internal.job_member (job_id, view_schema, view_name, view_oid)
	SELECT job_id, 'alice', 'mv' || n, 0 FROM metrics_refresh.job, generate_series(4, 10001) n WHERE job_name = 'of super'});
is(ended(sql(q{SELECT metrics_refresh.trigger('of super')}), q{status || ' ' || sqlstate || ' ' || error_message}),
	'error 54000 the group has more than 10000 views', 'a superuser\'s has a limit too');
like(as('alice', q{SELECT metrics_refresh.schedule_group('many', array_fill('alice.mv1'::regclass, '{10001}'))}), qr/54000: a group has at most 10000/, 'so has a list');
sql(q{SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default});

# Expressions that double, and where else they may stand. To plan one takes all memory.
as('alice', 'CREATE VIEW alice.e0 AS SELECT one::text AS c FROM public.one;' . join ';', map { my $b = $_ - 1; "CREATE VIEW alice.e$_ AS SELECT c || c AS c FROM alice.e$b" } 1 .. 40);
as('alice', 'CREATE VIEW alice.s0 AS SELECT one::text AS c FROM public.one;' . join ';', map { my $b = $_ - 1; "CREATE VIEW alice.s$_ AS SELECT (SELECT s.c || s.c) AS c FROM alice.s$b s" } 1 .. 40);
as('alice', 'CREATE VIEW alice.l0 AS SELECT one::text AS c FROM public.one;' . join ';', map { my $b = $_ - 1; "CREATE VIEW alice.l$_ AS SELECT v.d AS c FROM alice.l$b l, LATERAL (VALUES (l.c || l.c)) v (d)" } 1 .. 40);
as('alice', 'CREATE VIEW alice.r0 AS SELECT one::text AS c FROM public.one;' . join ';', map { my $b = $_ - 1; "CREATE VIEW alice.r$_ AS SELECT e::text || e::text AS c FROM (SELECT c FROM alice.r$b) e" } 1 .. 40);
as('alice', q{CREATE TABLE alice.t (c text); ALTER TABLE alice.t ENABLE ROW LEVEL SECURITY; ALTER TABLE alice.t FORCE ROW LEVEL SECURITY;
	CREATE POLICY p ON alice.t USING (c IN (SELECT c FROM alice.e40));
	CREATE TABLE alice.own (c text); ALTER TABLE alice.own ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON alice.own USING (c IN (SELECT c FROM alice.own))});
my %texts = (
	doubled => 'SELECT c FROM alice.e40', counted => 'SELECT count(*) FROM alice.e40 WHERE c > $$x$$', in_subquery => 'SELECT c FROM alice.s40',
	in_values => 'SELECT c FROM alice.l40', with_query => 'WITH w AS (SELECT c FROM alice.e40) SELECT c FROM w', whole_rows => 'SELECT c FROM alice.r40',
	parts => 'SELECT c FROM (SELECT c FROM alice.e40 UNION ALL SELECT c FROM alice.e0) u', policy => 'SELECT c FROM alice.t');
for my $name (sort keys %texts)
{
	as('alice', "CREATE MATERIALIZED VIEW alice.$name AS $texts{$name} WITH NO DATA");
	like(as('alice', "SELECT strategy, reason FROM metrics_refresh.explain_refresh('alice.$name')", '10s'), qr/^error\|.*is too large: It has expressions of more than 100000 parts/, "$name: explain_refresh()");
	is(as('alice', "SELECT metrics_refresh.refresh('alice.$name', '$_') ->> 'sqlstate'", '10s'), '54001', "$name: $_") for 'auto', 'full', 'diff';
}
as('alice', q{SELECT metrics_refresh.schedule('alice.doubled', NULL, 'doubled')});
is(ended(as('alice', q{SELECT metrics_refresh.trigger('doubled')}), q{status || ' ' || sqlstate}), 'error 54001', 'a worker refuses it too');
as('alice', q{CREATE MATERIALIZED VIEW alice.large AS SELECT c FROM alice.e12 WITH NO DATA; CREATE MATERIALIZED VIEW alice.own_mv AS SELECT c FROM alice.own WITH NO DATA});
is(as('alice', "SELECT metrics_refresh.refresh('alice.$_') ->> 'success'"), 'true', "$_: not too large") for 'large', 'own_mv';

# A refresh that is handed over to a worker, and cannot be written down.
is(as('admin', q{SELECT metrics_refresh.refresh('alice.mv1') ->> 'success'}), 'true', 'an admin has a refresh done');
sql('ALTER TABLE metrics_refresh_internal.run_request ADD CONSTRAINT full_up CHECK (false) NOT VALID');
like(as('admin', q{SELECT metrics_refresh.refresh('alice.mv1')}), qr/23514.*full_up/s, 'and is told of an error that stays');
sql('ALTER TABLE metrics_refresh_internal.run_request DROP CONSTRAINT full_up');
is(as('admin', q{SELECT metrics_refresh.refresh('alice.mv1') ->> 'success'}), 'true', 'until it is gone');

# Tables whose changes are counted: half of them are one role's, at most.
as('alice', join ';', map { "CREATE TABLE alice.t$_ (n int); CREATE MATERIALIZED VIEW alice.of_t$_ AS SELECT n FROM alice.t$_; SELECT metrics_refresh.refresh('alice.of_t$_')" } 1 .. 20);
as('bob', q{CREATE TABLE bob.t (n int); CREATE MATERIALIZED VIEW bob.of_t AS SELECT n FROM bob.t; SELECT metrics_refresh.refresh('bob.of_t')});
is(as('bob', q{SELECT metrics_refresh.refresh('bob.of_t') ->> 'strategy'}), 'skip', 'others have theirs counted');
like(sql(q{SELECT severity, detail FROM metrics_refresh.health_check() WHERE check_name = 'shares'}), qr/^warning\|role alice has 1[12] of 12 tracked tables$/m, 'and health_check() says who has many');

# Settings.
like(as('alice', q{SELECT metrics_refresh.schedule('alice.mv1', settings => (SELECT jsonb_object_agg('x.n' || n, '1') FROM generate_series(1, 50000) n))}, '5s'),
	qr/54000: settings is too long/, 'so many names are not looked at');

$node->stop;
done_testing();
