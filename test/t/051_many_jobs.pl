# Many jobs of one session: the last take as little work as the first, whatever plans were made while
# there were few. What is compared is the rows that the server looks at, which no other load changes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes;

my $node = start_node('many', 'autovacuum' => 'off');
create_extension($node);
sub sql { return $node->safe_psql('postgres', @_) }

# Plans are made for what a table was when it was last analyzed: nearly empty.
sql('VACUUM ANALYZE metrics_refresh_internal.job, metrics_refresh_internal.job_member, metrics_refresh_internal.job_state');
sql(q{
	CREATE MATERIALIZED VIEW mv AS SELECT 1 AS id;
	CREATE FUNCTION looked_at() RETURNS bigint LANGUAGE sql AS $$
	  SELECT sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid))
	  FROM pg_class c WHERE relnamespace = 'metrics_refresh_internal'::regnamespace $$;
	-- In batches of 200: how many rows of our tables each batch looked at, and milliseconds.
	CREATE FUNCTION many(kind text, batches int, OUT batch int, OUT rows bigint, OUT ms numeric) RETURNS SETOF record LANGUAGE plpgsql AS $$
	DECLARE
	  before bigint;
	  since timestamptz;
	BEGIN
	  FOR batch IN 1 .. batches LOOP
	    before := looked_at();
	    since := clock_timestamp();
	    FOR n IN 1 .. 200 LOOP
	      CASE kind
	        WHEN 'view' THEN PERFORM metrics_refresh.schedule('mv', '@yearly', format('view %s %s', batch, n));
	        WHEN 'command' THEN PERFORM metrics_refresh.schedule_command(format('command %s %s', batch, n), '@yearly', 'SELECT 1');
	        WHEN 'group' THEN PERFORM metrics_refresh.schedule_group(format('group %s %s', batch, n), ARRAY['mv']::regclass[], populate => false);
	        WHEN 'again' THEN PERFORM metrics_refresh.schedule('mv', '@monthly', format('view %s %s', batch, n));
	        WHEN 'alter' THEN PERFORM metrics_refresh.alter_job(format('view %s %s', batch, n), schedule => '@weekly');
	        WHEN 'request' THEN PERFORM metrics_refresh.trigger(format('view %s %s', batch, n));
	        WHEN 'remove' THEN PERFORM metrics_refresh.unschedule(format('view %s %s', batch, n));
	      END CASE;
	    END LOOP;
	    rows := looked_at() - before;
	    ms := round(1000 * extract(epoch FROM clock_timestamp() - since)::numeric, 1);
	    RETURN NEXT;
	  END LOOP;
	END $$});

sub is_linear
{
	my ($kinds, $batches, $name, @as) = @_;
	my @batches = split /\n/, sql(join(';', map { "SELECT * FROM many('$_', $batches)" } @$kinds), @as);
	for my $kind (@$kinds)
	{
		my @of_kind = splice @batches, 0, $batches;
		note "$name, $kind: batch|rows|ms ", join ' ', @of_kind;
		my @rows = map { (split /\|/)[1] } @of_kind;
		cmp_ok((sort { $b <=> $a } @rows)[0], '<', 400 * 200, "$name: no batch of $kind looks at more than 400 rows a job");
	}
}

is_linear([ 'view', 'again', 'alter', 'command', 'group' ], 8, 'a superuser');
is_linear([ 'request' ], 4, 'a superuser');
is_linear([ 'remove' ], 8, 'a superuser');

# A role with limits, which has its jobs counted.
sql(q{
	CREATE ROLE limited LOGIN;
	ALTER ROLE limited SET metrics_refresh.max_jobs_per_role = 100000;
	ALTER ROLE limited SET metrics_refresh.max_job_bytes_per_role = '1GB';
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO limited;
	ALTER MATERIALIZED VIEW mv OWNER TO limited});
my @limited = (extra_params => [ '-U', 'limited' ]);
is_linear([ 'view', 'command', 'again' ], 8, 'a role with limits', @limited);

# The limit is the limit, whatever a session remembers.
my $has = sql(q{SELECT count(*) FROM metrics_refresh.job WHERE owner = 'limited'});
is($has, 3200, 'it has them all');
sql("ALTER ROLE limited SET metrics_refresh.max_jobs_per_role = $has");
sub attempt
{
	my ($statements) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', $statements, stdout => \$out, stderr => \$err, on_error_stop => 0, @limited);
	return $err;
}
my $make = q{SELECT metrics_refresh.schedule('mv', job_name => '%s')};
like(attempt(sprintf $make, 'one more'), qr/would have more jobs than it may/, 'a role has no more than its share');
like(attempt("BEGIN; SELECT metrics_refresh.unschedule('view 1 ' || n) FROM generate_series(1, 9) n; " . sprintf($make, 'a') . '; ROLLBACK; ' . sprintf($make, 'b')),
	qr/would have more jobs than it may/, 'nor by a count that was rolled back');
like(attempt("BEGIN; SAVEPOINT s; SELECT metrics_refresh.unschedule('view 1 ' || n) FROM generate_series(1, 9) n; " . sprintf($make, 'c') . '; ROLLBACK TO s; ' . sprintf($make, 'd')),
	qr/would have more jobs than it may/, 'nor to a savepoint');
is(attempt("SELECT metrics_refresh.unschedule('view 1 1'); " . sprintf($make, 'e')), '', 'a place that is given back is free');

# A dump and a restore.
my $dump = $node->basedir . '/many.sql';
$node->command_ok([ 'pg_dump', '-d', 'postgres', '-f', $dump ], 'a dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
my $began = Time::HiRes::time();
$node->command_ok([ 'psql', '-X', '-q', '-d', 'restored', '-v', 'ON_ERROR_STOP=1', '-f', $dump ], 'a restore');
note sprintf 'restored in %.1f s', Time::HiRes::time() - $began;
my $jobs = sql('SELECT count(*) FROM metrics_refresh_internal.job');
is($node->safe_psql('restored', 'SELECT count(*) FROM metrics_refresh_internal.job'), $jobs, 'has all jobs');
until_ok($node, 'restored', q{SELECT n_tup_ins > 0 FROM pg_stat_user_tables WHERE relid = 'metrics_refresh_internal.job'::regclass}, 'which are counted');
cmp_ok($node->safe_psql('restored', q{SELECT seq_tup_read / n_tup_ins FROM pg_stat_user_tables WHERE relid = 'metrics_refresh_internal.job'::regclass}),
	'<', 100, 'and looked at few rows for each');

done_testing();
