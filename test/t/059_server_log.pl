# An error that the scheduler or the log of a failure survives goes to the server log whole: with its SQLSTATE, detail, hint and
# context, as the server would log it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('server_log', log_error_verbosity => 'verbose');
create_extension($node);

# A run without a worker, as a crash leaves it, whose row cannot be closed.
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE 'the run stays' USING ERRCODE = 'MR042', DETAIL = 'Its row is guarded.', HINT = 'Drop the guard.';
	END $$;
	CREATE TRIGGER guard BEFORE DELETE ON metrics_refresh_internal.active_run
		FOR EACH ROW EXECUTE FUNCTION public.refuse();
	INSERT INTO metrics_refresh_internal.active_run (run_id, job_id) VALUES (1000000, 1000000)});
my $from = -s $node->logfile;
$node->restart;

# Up to its last line, the place in the source code.
my $whole = qr/LOG:  \w{5}: metrics_refresh: interrupted runs cannot be closed now: the run stays\n.*?LOCATION:/s;
$node->wait_for_log($whole, $from);
my ($entry) = slurp_file($node->logfile, $from) =~ /($whole)/;
like($entry, qr/^LOG:  MR042: /, 'with its SQLSTATE');
like($entry, qr/DETAIL:  Its row is guarded\.\n/, 'with its detail');
like($entry, qr/HINT:  Drop the guard\.\n/, 'with its hint');
like($entry, qr/CONTEXT:  PL\/pgSQL function public\.refuse\(\) line 3 at RAISE\n/, 'with its context');
like($entry, qr/SQL statement "DELETE FROM metrics_refresh_internal\.active_run/, 'which names the statement');

# The same for the trigger of a failure, whose row is written without it. A client sees nothing of it.
$node->safe_psql(
	'postgres', q{
	CREATE OR REPLACE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE 'no alert' USING ERRCODE = 'MR043', DETAIL = 'The list is full.', HINT = 'Empty it.';
	END $$;
	CREATE FUNCTION public.fails(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1 / n; END';
	CREATE MATERIALIZED VIEW broken AS SELECT public.fails(n) FROM (VALUES (0)) v (n) WITH NO DATA});
$from = -s $node->logfile;
my ($status, $success, $seen) = $node->psql('postgres', q{SET client_min_messages = 'debug1'; SELECT metrics_refresh.refresh('broken') ->> 'success'});
is($success, 'false', 'a refresh fails');
unlike($seen, qr/no alert/, 'the client is not told of the trigger');
is($node->safe_psql('postgres', 'SELECT count(*) FROM edge_function_logs'), '1', 'the failure is logged');
like(slurp_file($node->logfile, $from),
	qr/LOG:  MR043: metrics_refresh: the trigger on_job_failure failed.*?: no alert\n.*?DETAIL:  The list is full\.\n.*?HINT:  Empty it\.\n.*?CONTEXT:  PL\/pgSQL function public\.notify_failed_job\(\) line 3 at RAISE\n/s,
	'the server log has the error of the trigger');

done_testing();
