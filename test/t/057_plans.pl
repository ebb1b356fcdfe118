# The server makes a plan for each of our statements now and then, and not each time: neither where a session makes
# many jobs, nor where it refreshes, nor in the runs of a worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

chomp(my $libraries = `pg_config --pkglibdir`);
plan skip_all => 'pg_stat_statements is not installed' unless -e "$libraries/pg_stat_statements.so";

my $node = start_node(
	'plans',
	shared_preload_libraries => 'metrics_refresh, pg_stat_statements',
	'pg_stat_statements.track' => 'all',
	'pg_stat_statements.track_planning' => 'on',
	'metrics_refresh.worker_idle_timeout' => '10min',
	'metrics_refresh.max_workers' => 1);
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
	CREATE EXTENSION pg_stat_statements;
	CREATE TABLE fact (k int, v int);
	INSERT INTO fact SELECT i, i FROM generate_series(1, 100) i;
	CREATE INDEX ON fact (k);
	CREATE MATERIALIZED VIEW keyed AS SELECT k, sum(v) AS s FROM fact GROUP BY k;
	CREATE MATERIALIZED VIEW whole AS SELECT sum(v) AS s FROM fact;
	SELECT metrics_refresh.schedule('keyed', NULL, strategy => 'incremental', job_name => 'keyed');
	SELECT metrics_refresh.schedule('whole', NULL, job_name => 'whole');
	SELECT metrics_refresh.schedule_command('work', NULL, 'SELECT 1')});

# What is planned at most every other time costs little; ours are told by the schema.
sub planned_each_time
{
	my ($work) = @_;
	sql('SELECT pg_stat_statements_reset()');
	$work->();
	return sql(q{
		SELECT left(query, 200) FROM pg_stat_statements
		WHERE query LIKE '%metrics_refresh_internal.%' AND calls >= 50 AND plans > calls / 2});
}

is(planned_each_time(sub {
	sql(q{SELECT count(metrics_refresh.schedule_command('job ' || i, '@yearly', 'SELECT 1')) FROM generate_series(1, 300) i})
	}), '', 'jobs are made without a plan for each');
is(planned_each_time(sub {
	sql(q{DO $$ BEGIN FOR i IN 1..60 LOOP
		UPDATE fact SET v = v + 1 WHERE k = i; COMMIT;
		PERFORM metrics_refresh.refresh('keyed'), metrics_refresh.refresh('whole'); COMMIT;
		END LOOP; END $$})
	}), '', 'views are refreshed without');
is(planned_each_time(sub {
	sql(q{DO $$ BEGIN FOR i IN 1..60 LOOP
		UPDATE fact SET v = v + 1 WHERE k = i; COMMIT;
		PERFORM metrics_refresh.trigger(name) FROM unnest(ARRAY['keyed', 'whole', 'work']) name; COMMIT;
		WHILE EXISTS (SELECT FROM metrics_refresh_internal.run_request) OR EXISTS (SELECT FROM metrics_refresh_internal.active_run)
		LOOP PERFORM pg_sleep(0.002); COMMIT; END LOOP;
		END LOOP; END $$})
	}), '', 'and so are runs');
is(sql(q{SELECT count(*) >= 180 FROM metrics_refresh.run_log WHERE triggered_by = 'manual' AND status = 'success' AND job_name IS NOT NULL}), 't',
	'which there were');

$node->stop;
done_testing();
