# The job queue on a standby: it can be read, and nothing runs. Promoted, it goes on with all jobs, each once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = start_node('primary', wal_level => 'replica', max_wal_senders => 4, hot_standby => 'on', max_prepared_transactions => 2);
$primary->append_conf('pg_hba.conf', 'local replication all trust');
$primary->reload;
create_extension($primary);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

$primary->safe_psql(
	'postgres', q{
	CREATE TABLE done (job bigint, name text);
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO done VALUES (job_id, payload->>'name');
		PERFORM pg_sleep(coalesce((payload->>'sleep')::float8, 0));
	END $$;
	SELECT metrics_refresh.register_job_type('work', 'work(bigint, jsonb)', backoff => '10 ms');
	SELECT metrics_refresh.register_job_type('outside', mode => 'external');
	SELECT metrics_refresh.register_job_type('held', 'work(bigint, jsonb)')});
my $first = $primary->safe_psql('postgres', q{SELECT metrics_refresh.enqueue('work', '{"name": "first"}')});
$primary->safe_psql('postgres', "SELECT metrics_refresh.wait_job($first, '30 s')");
# Of each kind one: running, held back by a pause, later, after another one, of a batch, claimed outside, prepared.
my ($running, $later, $after, $batch, $member, $held, $outside) = split /\|/, $primary->safe_psql(
	'postgres', q{
	SELECT metrics_refresh.pause_job_type('held');
	BEGIN;
	SELECT metrics_refresh.enqueue('work', '{"name": "running", "sleep": 600}') AS running \gset
	SELECT metrics_refresh.enqueue('work', '{"name": "later"}', delay => '20 s') AS later \gset
	SELECT metrics_refresh.enqueue('work', '{"name": "after"}', after => ARRAY[:later]) AS after \gset
	SELECT metrics_refresh.create_batch('work', '{"name": "callback"}') AS batch \gset
	SELECT metrics_refresh.enqueue('work', '{"name": "member"}', after => ARRAY[:later], batch => :batch) AS member \gset
	SELECT metrics_refresh.enqueue('held', '{"name": "held"}') AS held \gset
	SELECT metrics_refresh.enqueue('outside', '{"name": "outside"}') AS outside \gset
	COMMIT;
	\pset tuples_only on
	SELECT :running, :later, :after, :batch, :member, :held, :outside}) =~ s/\A\s+//r;
until_ok($primary, 'postgres', "SELECT status = 'processing' FROM background_jobs WHERE id = $running", 'a job runs on the primary');
my ($token) = $primary->safe_psql('postgres', q{SELECT token FROM metrics_refresh.claim_jobs('{outside}', lease => '10 min')});
my ($lost) = $primary->safe_psql('postgres', q{SELECT metrics_refresh.enqueue('outside', '{"name": "lost"}')});
my ($stale) = $primary->safe_psql('postgres', q{SELECT token FROM metrics_refresh.claim_jobs('{outside}', lease => '3 s')});
my $prepared = $primary->safe_psql('postgres',
	q{BEGIN; SELECT metrics_refresh.enqueue('work', '{"name": "prepared"}'); PREPARE TRANSACTION 'p'});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

is(processes($standby, $_), 0, "no $_ runs on a standby") for qw(launcher scheduler worker);
is($standby->safe_psql('postgres', 'SELECT count(*) FROM background_jobs'), 8, 'jobs can be read there');
is($standby->safe_psql('postgres', "SELECT status FROM background_jobs WHERE id = $first"), 'completed', 'with their status');
for my $call ("enqueue('work')", "create_batch('work')", "cancel_job($later)", "pause_job_type('work')", "claim_jobs('{outside}')")
{
	my ($code, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT metrics_refresh.$call");
	like($err, qr/ERROR:  25006/, "$call is refused there");
}

$primary->stop('immediate');
$standby->promote;
sub sql { return $standby->safe_psql('postgres', $_[0]) }
until_ok($standby, 'postgres', "SELECT status = 'processing' FROM background_jobs WHERE id = $running",
	'promoted, it starts the job again that ran on the primary');
is(sql("SELECT attempts, last_error IS NULL FROM background_jobs WHERE id = $running"), '1|t',
	'as its first attempt: this server did not crash');
my $new = sql(q{SELECT metrics_refresh.enqueue('work', '{"name": "new"}')});
cmp_ok($new, '>', $outside, 'numbers go on');
is(sql("SELECT metrics_refresh.wait_job($new, '30 s')"), 'completed', 'new jobs are done');
is(sql("SELECT metrics_refresh.wait_job($_, '60 s')"), 'completed', 'and old ones') for $later, $after, $member, $batch;
is(sql("SELECT metrics_refresh.wait_job($held, '0')"), 'pending', 'a type that was paused is paused');
sql(q{SELECT metrics_refresh.resume_job_type('held')});
is(sql("SELECT metrics_refresh.wait_job($held, '30 s')"), 'completed', 'until it is resumed');
is(sql("SELECT result FROM metrics_refresh.complete_jobs(ARRAY[$outside], ARRAY['$token'])"), 'done',
	'a token of a worker outside is still good');
until_ok($standby, 'postgres', "SELECT status = 'failed' AND last_error ~ 'lease' FROM background_jobs WHERE id = $lost",
	'a lease ends as it would have on the primary');
is(sql("SELECT result FROM metrics_refresh.complete_jobs(ARRAY[$lost], ARRAY['$stale'])"), 'stale', 'and its token is stale then');
sql(q{COMMIT PREPARED 'p'});
is(sql("SELECT metrics_refresh.wait_job($prepared, '30 s')"), 'completed', 'a job of a prepared transaction is done, too');
is(sql("SELECT metrics_refresh.cancel_job($running)"), 't', 'the job that runs can be canceled');
is(sql("SELECT metrics_refresh.wait_job($running, '30 s')"), 'canceled', 'and is');
is(sql('SELECT count(*) - count(DISTINCT job) FROM done'), 0, 'each job was done once');
is(sql(q{SELECT string_agg(name, ' ' ORDER BY name) FROM done}), 'after callback first held later member new prepared',
	'and each that could be done was');
is(sql(q{SELECT count(*) FROM metrics_refresh_internal.queue_dependency}), 0, 'nobody waits any more');

$standby->stop;
done_testing();
