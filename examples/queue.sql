-- Background jobs: a small shop that sends mails, computes scores and delivers webhooks.
--
--   psql -d yourdb -f examples/queue.sql
--
-- Needs `CREATE EXTENSION metrics_refresh`. Run it as the role that is to own the job types. Makes the
-- schema queue_example, and replaces it if it is there. examples/job-worker.mjs is the worker for the
-- external type.

\set ON_ERROR_STOP on
SET client_min_messages = warning;

-- A type with jobs that have not ended cannot be dropped; those of an earlier run are canceled.
SELECT count(metrics_refresh.cancel_job(id)) AS canceled FROM background_jobs
WHERE type IN ('send_mail', 'compute_score', 'nightly_report', 'deliver_webhook') AND status IN ('pending', 'failed', 'processing');
DROP SCHEMA IF EXISTS queue_example CASCADE;
CREATE SCHEMA queue_example;

CREATE TABLE queue_example.mail (
  job_id bigint PRIMARY KEY, address text NOT NULL, subject text NOT NULL, sent_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE queue_example.score (account int PRIMARY KEY, points int NOT NULL, computed_at timestamptz NOT NULL);
CREATE TABLE queue_example.report (day date PRIMARY KEY, accounts bigint NOT NULL, points bigint NOT NULL);

------------------------------------------------------------------------------------------------
-- Handlers: functions of (payload jsonb) or (job_id bigint, payload jsonb). Their work, the job's
-- completion and its history row are one transaction. An error fails the attempt.

CREATE FUNCTION queue_example.send_mail(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF payload ->> 'address' NOT LIKE '%@%' THEN
    RAISE 'not an address: %', payload ->> 'address';
  END IF;
  INSERT INTO queue_example.mail (job_id, address, subject)
  VALUES (job_id, payload ->> 'address', payload ->> 'subject');
END $$;

CREATE FUNCTION queue_example.compute_score(payload jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO queue_example.score VALUES ((payload ->> 'account')::int, (payload ->> 'account')::int % 100, now())
  ON CONFLICT (account) DO UPDATE SET points = excluded.points, computed_at = excluded.computed_at
$$;

CREATE FUNCTION queue_example.nightly_report(payload jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO queue_example.report SELECT (payload ->> 'day')::date, count(*), sum(points) FROM queue_example.score
  ON CONFLICT (day) DO UPDATE SET accounts = excluded.accounts, points = excluded.points
$$;

-- A stranger who may enqueue decides about the payload, and the handler has the rights of the type's
-- owner. So say who may.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA queue_example FROM PUBLIC;

------------------------------------------------------------------------------------------------
-- Types

-- At most 10 mails a second, and one at a time for each customer (the key).
SELECT metrics_refresh.register_job_type('send_mail', 'queue_example.send_mail(bigint, jsonb)',
  max_attempts => 3, backoff => '1 second', concurrency_per_key => 1, rate_limit => 10, rate_period => '1 second', priority => 10);

-- Many short jobs: up to 60 share a transaction, each in a subtransaction.
SELECT metrics_refresh.register_job_type('compute_score', 'queue_example.compute_score(jsonb)', mode => 'grouped');

SELECT metrics_refresh.register_job_type('nightly_report', 'queue_example.nightly_report(jsonb)', timeout => '10 minutes');

-- Done by a worker outside of the server: examples/job-worker.mjs.
SELECT metrics_refresh.register_job_type('deliver_webhook', mode => 'external', max_attempts => 8, backoff => '5 seconds');

-- An application's role needs all three to enqueue, and sees its own jobs:
--   GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch TO app;
--   GRANT USAGE ON SCHEMA queue_example TO app;
--   GRANT EXECUTE ON FUNCTION queue_example.send_mail TO app;
-- and this for plain INSERTs:
--   GRANT INSERT ON background_jobs TO app;

------------------------------------------------------------------------------------------------
-- Enqueue

-- A job starts when its transaction has committed, and never if that is rolled back.
BEGIN;
SELECT metrics_refresh.enqueue('send_mail', '{"address": "ann@example.com", "subject": "Welcome"}', key => 'ann') AS welcome \gset
COMMIT;

-- As an application may write it.
INSERT INTO background_jobs (type, payload)
VALUES ('send_mail', '{"address": "bob@example.com", "subject": "Welcome"}') RETURNING id;

-- In ten minutes; and only one reminder for a customer, as long as one waits. The second call returns the
-- number of the first job, with the notice `duplicate`.
SELECT metrics_refresh.enqueue('send_mail', '{"address": "ann@example.com", "subject": "Your cart"}',
  delay => '10 minutes', key => 'ann', unique_key => 'cart ann') AS reminder \gset
SELECT metrics_refresh.enqueue('send_mail', '{"address": "ann@example.com", "subject": "Your cart"}',
  delay => '10 minutes', key => 'ann', unique_key => 'cart ann') = :reminder AS is_the_first_one;

-- A thousand scores in a batch; its callback is the report, once when the last score has ended.
BEGIN;
SELECT metrics_refresh.create_batch('nightly_report', jsonb_build_object('day', current_date)) AS batch \gset
SELECT count(*) AS scores FROM metrics_refresh.enqueue_many('compute_score',
  ARRAY(SELECT jsonb_build_object('account', i) FROM generate_series(1, 1000) i), batch => :batch);
COMMIT;

-- After another job: if that one ends dead or canceled, this one is canceled.
SELECT metrics_refresh.enqueue('compute_score', '{"account": 1001}') AS score \gset
SELECT metrics_refresh.enqueue('send_mail', '{"address": "ann@example.com", "subject": "Your score"}',
  key => 'ann', after => ARRAY[:score]::bigint[]) AS score_mail \gset

SELECT metrics_refresh.enqueue('deliver_webhook', '{"url": "http://127.0.0.1:8080/hook", "body": {"event": "order.paid"}}') AS webhook \gset

------------------------------------------------------------------------------------------------
-- Wait and look

SELECT metrics_refresh.wait_job(:score_mail, '1 minute') AS score_mail;
SELECT subject FROM queue_example.mail WHERE job_id = :score_mail;

-- Live counts, which never count rows.
SELECT * FROM metrics_refresh.job_counts();
SELECT type, status, attempts, run_at > now() AS later, last_error FROM background_jobs
WHERE id IN (:welcome, :reminder, :score_mail, :webhook) ORDER BY id;

-- A failed attempt leaves its reason in the job and a row in edge_function_logs.
SELECT metrics_refresh.enqueue('send_mail', '{"address": "nobody", "subject": "Hello"}', max_attempts => 1) AS bad \gset
SELECT metrics_refresh.wait_job(:bad, '1 minute') AS bad;
SELECT status, attempts, last_error FROM background_jobs WHERE id = :bad;
SELECT function_name, level, sqlstate, message FROM edge_function_logs WHERE job_id = :bad;

------------------------------------------------------------------------------------------------
-- Change

SELECT metrics_refresh.retry_job(:bad) AS tried_again;
SELECT metrics_refresh.retry_failed_jobs('send_mail') >= 0 AS tried_again;
SELECT metrics_refresh.snooze_job(:reminder, '1 hour') AS an_hour_later;
SELECT metrics_refresh.cancel_job(:reminder) AS canceled;
SELECT metrics_refresh.pause_job_type('send_mail');
SELECT metrics_refresh.resume_job_type('send_mail');

------------------------------------------------------------------------------------------------
-- Outside of the server: two calls. The token shows that the job is still this worker's.

SELECT id, token, payload ->> 'url' AS url FROM metrics_refresh.claim_jobs('{deliver_webhook}', n => 1, lease => '30 seconds') \gset
SELECT result FROM metrics_refresh.heartbeat_jobs(ARRAY[:id]::bigint[], ARRAY[:'token'], '1 minute');
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:id]::bigint[], ARRAY[:'token'], ARRAY['{"status": 200}'::jsonb]);
-- A stale token changes nothing.
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:id]::bigint[], ARRAY[:'token']);
