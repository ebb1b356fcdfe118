-- Workers outside the server claim jobs over SQL. The token of a claim proves it.
CREATE SCHEMA ext_queue AUTHORIZATION regress_owner;
GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many TO regress_owner;
SET ROLE regress_owner;
SELECT metrics_refresh.register_job_type('ext.mail', mode => 'external', max_attempts => 2, backoff => '1 hour');
SELECT metrics_refresh.register_job_type('ext.call', mode => 'external');
SELECT metrics_refresh.enqueue('ext.mail', jsonb_build_object('n', n)) IS NOT NULL AS is_enqueued FROM generate_series(1, 3) n;
SELECT metrics_refresh.enqueue('ext.call', '{"n": 4}') IS NOT NULL AS is_enqueued;

-- A claim has a token, and nobody else gets the job.
CREATE TEMP TABLE claim AS SELECT * FROM metrics_refresh.claim_jobs('{ext.mail,ext.call}', 3, worker => 'w1', wait => '10 s');
SELECT type, payload, attempt, length(token) AS token_length, lease_until > now() + '50 s' AS has_lease FROM claim ORDER BY id;
SELECT type, payload, attempt FROM metrics_refresh.claim_jobs('{ext.mail,ext.call}', 3, wait => '10 s');
SELECT type, payload ->> 'n' AS n, status, worker FROM background_jobs WHERE type LIKE 'ext.%' ORDER BY id;
SELECT count(*) AS none_left FROM metrics_refresh.claim_jobs('{ext.mail,ext.call}', 3);

-- Complete: done once. A wrong or stale token changes nothing.
SELECT array_agg(id ORDER BY id) AS ids, array_agg(token ORDER BY id) AS tokens FROM claim \gset
SELECT (:'ids'::bigint[])[1] AS first, (:'tokens'::text[])[1] AS token1, (:'ids'::bigint[])[2] AS second, (:'tokens'::text[])[2] AS token2,
       (:'ids'::bigint[])[3] AS third, (:'tokens'::text[])[3] AS token3 \gset
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:first, :second], ARRAY[:'token2', :'token1']);
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:first]::bigint[], ARRAY[:'token1'], ARRAY['{"sent": true}'::jsonb]);
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:first]::bigint[], ARRAY[:'token1']);
SELECT result FROM metrics_refresh.release_jobs(ARRAY[:first]::bigint[], ARRAY[:'token1']);
SELECT status, attempts, worker, progress_note FROM background_jobs WHERE id = :first;

-- A rollback gives a claim back to its worker.
BEGIN;
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:second]::bigint[], ARRAY[:'token2']);
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:second]::bigint[], ARRAY[:'token2']);
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT result FROM metrics_refresh.fail_job(:second, :'token2', 'undone');
ROLLBACK TO s;
SELECT result FROM metrics_refresh.heartbeat_jobs(ARRAY[:second]::bigint[], ARRAY[:'token2'], '2 minutes');
COMMIT;

-- Fail: again after the backoff, or after retry_in; dead after the last attempt, or at once.
SELECT result FROM metrics_refresh.fail_job(:second, :'token2', 'no route to host');
SELECT status, attempts, last_error, run_at > now() + '20 minutes' AS is_later FROM background_jobs WHERE id = :second;
SELECT level, message, sqlstate, attempt FROM edge_function_logs WHERE job_id = :second;
SELECT result FROM metrics_refresh.fail_job(:third, :'token3', 'busy', retry_in => '0 s');
SELECT id, attempt, token FROM metrics_refresh.claim_jobs('{ext.mail}', wait => '10 s') \gset again_
SELECT :again_id = :third AS is_the_same, :again_attempt AS attempt;
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:third]::bigint[], ARRAY[:'token3']);
SELECT result FROM metrics_refresh.fail_jobs(ARRAY[:third]::bigint[], ARRAY[:'again_token'], ARRAY['twice']);
SELECT status, attempts, last_error FROM background_jobs WHERE id = :third;
SELECT metrics_refresh.enqueue('ext.call', '{}') AS broken \gset
SELECT id, token FROM metrics_refresh.claim_jobs('{ext.call}', wait => '10 s') \gset c_
SELECT result FROM metrics_refresh.fail_job(:c_id, :'c_token', permanent => true);
SELECT status, attempts, last_error FROM background_jobs WHERE id = :broken;
-- From the second failure on, the next attempt is at least a second later, whatever retry_in is.
SELECT metrics_refresh.enqueue('ext.call', '{}') AS often \gset
SELECT token FROM metrics_refresh.claim_jobs('{ext.call}', wait => '10 s') \gset first_
SELECT result FROM metrics_refresh.fail_job(:often, :'first_token', retry_in => '0 s');
SELECT token FROM metrics_refresh.claim_jobs('{ext.call}', wait => '10 s') \gset next_
BEGIN;
SELECT result FROM metrics_refresh.fail_job(:often, :'next_token', retry_in => '0 s');
SELECT status, attempts, run_at >= now() + '1 s' AS a_second_later FROM background_jobs WHERE id = :often;
COMMIT;
SELECT metrics_refresh.cancel_job(:often);

-- Release: the attempt does not count.
SELECT metrics_refresh.enqueue('ext.call', '{}') AS released \gset
SELECT id, attempt, token FROM metrics_refresh.claim_jobs('{ext.call}', wait => '10 s') \gset c_
SELECT result FROM metrics_refresh.release_jobs(ARRAY[:c_id]::bigint[], ARRAY[:'c_token']);
SELECT :c_id = id AS is_the_same, attempt, token <> :'c_token' AS has_new_token FROM metrics_refresh.claim_jobs('{ext.call}', wait => '10 s', lease => '200 milliseconds');

-- An expired lease is a failed attempt. The token is stale then.
SELECT metrics_refresh.alter_job_type('ext.call', backoff => '1 second', max_backoff => '1 second');
SELECT attempt, id, token FROM metrics_refresh.claim_jobs('{ext.call}', wait => '30 s', worker => 'w2') \gset c_
SELECT :c_id = :released AS is_the_same, :c_attempt AS attempt;
SELECT message, sqlstate FROM edge_function_logs WHERE job_id = :released;
-- Canceled: the worker hears of it.
SELECT metrics_refresh.cancel_job(:released);
SELECT result FROM metrics_refresh.heartbeat_jobs(ARRAY[:released]::bigint[], ARRAY[:'c_token']);
SELECT status FROM background_jobs WHERE id = :released;

-- A lease that expires while a transaction ends the job: the commit counts. A rollback lets the lease have expired.
SELECT metrics_refresh.register_job_type('ext.late', mode => 'external', backoff => '1 hour');
CREATE PROCEDURE pg_temp.end_late(is_rolled_back boolean) LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[]; tokens text[]; outcome text;
BEGIN
    PERFORM metrics_refresh.enqueue('ext.late', to_jsonb(n)) FROM generate_series(1, 2) n;
    COMMIT;
    SELECT array_agg(id ORDER BY id), array_agg(token ORDER BY id) INTO ids, tokens
    FROM metrics_refresh.claim_jobs('{ext.late}', 2, lease => '5 s', wait => '30 s');
    COMMIT;
    SELECT result INTO outcome FROM metrics_refresh.complete_jobs(ids[1:1], tokens[1:1]);
    ASSERT outcome = 'done';
    -- The scheduler has looked at both leases when that of the other job has ended.
    WHILE EXISTS (SELECT FROM background_jobs WHERE id = ids[2] AND status <> 'failed') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    IF is_rolled_back THEN ROLLBACK; END IF;
END $$;
CALL pg_temp.end_late(false);
SELECT payload, status, attempts, last_error FROM background_jobs WHERE type = 'ext.late' ORDER BY id;
SELECT count(metrics_refresh.cancel_job(id)) FROM background_jobs WHERE type = 'ext.late' AND status = 'failed';
CALL pg_temp.end_late(true);
CALL tools.wait_until($$SELECT count(*) = 2 FROM background_jobs WHERE type = 'ext.late' AND status = 'failed'$$);
SELECT payload, status, attempts, last_error FROM background_jobs WHERE type = 'ext.late' ORDER BY id;

-- Claim and end in one transaction; a rollback undoes the claim.
SELECT count(*) FROM metrics_refresh.enqueue_many('ext.call', ARRAY['1', '2', '3']::jsonb[]);
BEGIN;
SELECT id, token FROM metrics_refresh.claim_jobs('{ext.call}', wait => '10 s') \gset c_
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:c_id]::bigint[], ARRAY[:'c_token']);
COMMIT;
BEGIN;
SELECT count(*) AS claimed FROM metrics_refresh.claim_jobs('{ext.call}', 10);
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT count(*) AS claimed FROM metrics_refresh.claim_jobs('{ext.call}', 1);
ROLLBACK TO s;
CREATE TEMP TABLE both_claims AS SELECT * FROM metrics_refresh.claim_jobs('{ext.call}', 10);
COMMIT;
SELECT count(*) AS claimed FROM both_claims;
SELECT c.result, count(*) FROM (SELECT array_agg(id) AS ids, array_agg(token) AS tokens FROM both_claims) a,
    metrics_refresh.complete_jobs(a.ids, a.tokens) c GROUP BY 1;
SELECT status, count(*) FROM background_jobs WHERE type = 'ext.call' GROUP BY 1 ORDER BY 1;

-- A key has one job at a time if its type says so.
SELECT metrics_refresh.register_job_type('ext.keyed', mode => 'external', concurrency_per_key => 1);
SELECT count(*) FROM metrics_refresh.enqueue_many('ext.keyed', ARRAY['1', '2', '3']::jsonb[], keys => '{a,a,b}');
SELECT payload FROM metrics_refresh.claim_jobs('{ext.keyed}', 10, wait => '10 s') ORDER BY 1;

-- Refused, with SQLSTATE.
\a \t
SELECT call || E'\n' || tools.try('SELECT count(*) FROM metrics_refresh.' || call) FROM unnest(ARRAY[
    $$claim_jobs(NULL)$$, $$claim_jobs('{}')$$, $$claim_jobs('{ext.mail,NULL}')$$, $$claim_jobs('{ext.mial}')$$, $$claim_jobs('{{ext.mail},{ext.call}}')$$,
    $$claim_jobs('{ext.mail}', NULL)$$, $$claim_jobs('{ext.mail}', 0)$$, $$claim_jobs('{ext.mail}', -1)$$, $$claim_jobs('{ext.mail}', 1001)$$,
    $$claim_jobs('{ext.mail}', lease => NULL)$$, $$claim_jobs('{ext.mail}', lease => '0')$$, $$claim_jobs('{ext.mail}', lease => '-1 s')$$,
    $$claim_jobs('{ext.mail}', lease => '25 hours')$$, $$claim_jobs('{ext.mail}', wait => '0')$$, $$claim_jobs('{ext.mail}', wait => '-1 s')$$,
    $$claim_jobs('{ext.mail}', wait => '61 seconds')$$, $$claim_jobs('{ext.mail}', worker => repeat('w', 48))$$,
    $$complete_jobs(NULL, '{}')$$, $$complete_jobs('{1,2}', '{a}')$$, $$complete_jobs('{1}', '{a}')$$, $$complete_jobs('{1}', ARRAY[NULL]::text[])$$,
    $$complete_jobs('{1}', ARRAY[repeat('0', 32)], '{}')$$, $$heartbeat_jobs('{1}', ARRAY[repeat('0', 32)], '0')$$,
    $$heartbeat_jobs('{1}', ARRAY[repeat('0', 32)], '2 days')$$, $$release_jobs('{1}', NULL)$$, $$fail_jobs('{1}', ARRAY[repeat('0', 32)], '{a,b}')$$,
    $$fail_job(1, repeat('0', 32), permanent => true, retry_in => '1 s')$$, $$fail_job(1, repeat('0', 32), retry_in => '-1 s')$$]) call;
\a \t
SELECT * FROM metrics_refresh.complete_jobs('{1}', ARRAY[repeat('0', 32)]);
BEGIN READ ONLY;
SELECT * FROM metrics_refresh.claim_jobs('{ext.mail}');
ROLLBACK;
BEGIN;
SELECT * FROM metrics_refresh.claim_jobs('{ext.mail}');
PREPARE TRANSACTION 'claims';
CREATE FUNCTION ext_queue.handler(payload jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
SELECT metrics_refresh.register_job_type('ext.inside', 'ext_queue.handler(jsonb)');
SELECT * FROM metrics_refresh.claim_jobs('{ext.inside}');
RESET ROLE;

-- A stranger cannot claim, but who has the token can end the job.
SET ROLE regress_stranger;
SELECT * FROM metrics_refresh.claim_jobs('{ext.mail}');
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:second]::bigint[], ARRAY[:'token2']);
RESET ROLE;
SET ROLE regress_owner;
SELECT count(*) FROM (SELECT metrics_refresh.cancel_job(id) FROM background_jobs WHERE type LIKE 'ext.%' AND status IN ('pending', 'failed', 'processing')) c;
SELECT metrics_refresh.drop_job_type(type) FROM metrics_refresh.job_types WHERE type LIKE 'ext.%';
DROP TABLE claim, both_claims;
DROP SCHEMA ext_queue CASCADE;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many FROM regress_owner;
