# The server crashes (kill -9 of the worker) in each state of a job. Its effect, its end and its row in the history
# are there together or not at all, so the job is done once in the end.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

my $node = start_node('crash_states', 'metrics_refresh.max_workers' => 4, 'metrics_refresh.queue_workers' => 2);
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
# A handler waits where the payload says, as long as the gate is locked.
sql(q{
	CREATE TABLE effect (job bigint, at text);
	CREATE TABLE snoozed (job bigint);
	CREATE VIEW history AS SELECT id FROM metrics_refresh_internal.queue_history;
	CREATE FUNCTION gate() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock_shared(1)';
	CREATE FUNCTION wait_in_trigger() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF NEW.at = ''trigger'' THEN PERFORM gate(); END IF; RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON effect DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION wait_in_trigger();
	CREATE FUNCTION work(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		IF payload->>'at' = 'begin' THEN PERFORM gate(); END IF;
		INSERT INTO effect VALUES (job_id, payload->>'at');
		IF payload->>'at' = 'end' THEN PERFORM gate(); END IF;
		IF payload->>'at' = 'fail' AND (SELECT count(*) = 0 FROM metrics_refresh_internal.job_failure f WHERE f.job_id = work.job_id)
		THEN RAISE 'once'; END IF;
		IF payload->>'at' = 'snooze' AND NOT EXISTS (SELECT FROM snoozed s WHERE s.job = job_id) THEN
			INSERT INTO snoozed VALUES (job_id);
			DELETE FROM effect WHERE job = job_id;
			PERFORM metrics_refresh.snooze_job(job_id, '50 ms'), gate();
		END IF;
	END $$;
	CREATE OR REPLACE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN IF pg_backend_pid() IN (SELECT pid FROM pg_stat_activity WHERE backend_type = ''metrics_refresh worker'')
		THEN PERFORM public.gate(); END IF; RETURN NULL; END';
	SELECT metrics_refresh.register_job_type('once', 'work(bigint, jsonb)', backoff => '10 ms', max_backoff => '1 s');
	SELECT metrics_refresh.register_job_type('grouped', 'work(bigint, jsonb)', mode => 'grouped', backoff => '10 ms', max_backoff => '1 s')});

my $gate;
sub close_gate { $gate = $node->background_psql('postgres'); $gate->query_safe('SELECT pg_advisory_lock(1)'); return }
sub open_gate { eval { $gate->quit }; return }

for my $type (qw(once grouped))
{
	for my $state (qw(begin end trigger fail snooze))
	{
		close_gate();
		my $name = "$type, $state";
		# Others beside it, which have ended a moment ago, are about to end, or wait.
		my $others = sql(qq{SELECT count(*) FROM metrics_refresh.enqueue_many('$type', array_fill('{}'::jsonb, ARRAY[300]))});
		my $job = sql(qq{SELECT metrics_refresh.enqueue('$type', '{"at": "$state"}')});
		my $waits = q{FROM pg_locks JOIN pg_stat_activity a USING (pid) WHERE locktype = 'advisory' AND NOT granted
			AND backend_type = 'metrics_refresh worker'};
		until_ok($node, 'postgres', "SELECT count(*) > 0 $waits", "$name: a job is there");
		my $pid = sql("SELECT min(pid) $waits");
		kill_process($node, $pid);
		open_gate();
		wait_for_server($node);
		is(sql("SELECT metrics_refresh.wait_job($job, '60 s')"), 'completed', "$name: it is done after the crash");
		until_ok($node, 'postgres', q{SELECT sum(pending + processing + failed) = 0 FROM metrics_refresh.job_counts()},
			"$name: and so are the others");
		is(sql("SELECT count(*) FROM effect WHERE job = $job"), 1, "$name: its effect is there once");
		is(sql(q{
			SELECT (SELECT count(*) - count(DISTINCT job) FROM effect), (SELECT count(*) - count(DISTINCT id) FROM history),
			       (SELECT count(*) FROM effect FULL JOIN history ON id = job WHERE id IS NULL OR job IS NULL),
			       (SELECT count(*) FROM history WHERE id NOT IN (SELECT id FROM metrics_refresh_internal.queue_ended))}),
			'0|0|0|0', "$name: effects, end marks and rows of the history agree");
	}
}
is(sql(q{SELECT count(*) FROM background_jobs WHERE status <> 'completed'}), 0, 'no job is left');

done_testing();
