-- Types that are claimed together: they take turns, the higher priority comes first, and limits hold.
GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many TO regress_owner;
SET ROLE regress_owner;
CREATE FUNCTION pg_temp.claim(types text[], n int, calls int) RETURNS TABLE (call int, type text, jobs bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    FOR call IN 1 .. calls LOOP
        RETURN QUERY SELECT call, type, count(*) FROM metrics_refresh.claim_jobs(types, n) GROUP BY 2 ORDER BY 2;
    END LOOP;
END $$;
-- Waits until the queue knows a new or changed type. A rollback gives the jobs back.
CREATE PROCEDURE pg_temp.wait_for(type text, may_start boolean DEFAULT true) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 6000 LOOP
        PERFORM FROM metrics_refresh.claim_jobs(ARRAY[type]);
        IF FOUND = may_start THEN RETURN; END IF;
        ROLLBACK;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RAISE 'the type has not changed';
END $$;
CREATE PROCEDURE pg_temp.wait_for_all(variadic types text[]) LANGUAGE plpgsql AS $$
DECLARE
    type text;
BEGIN
    FOREACH type IN ARRAY types LOOP
        CALL pg_temp.wait_for(type);
        ROLLBACK;
    END LOOP;
END $$;

-- A type with many jobs does not keep another one waiting, whichever is named first.
SELECT metrics_refresh.register_job_type(type, mode => 'external') FROM unnest('{turns.few,turns.many}'::text[]) type;
SELECT count(*) FROM metrics_refresh.enqueue_many('turns.many', (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 1000) n));
SELECT metrics_refresh.enqueue('turns.few') IS NOT NULL AS is_enqueued;
CALL pg_temp.wait_for_all('turns.many', 'turns.few');
BEGIN;
SELECT bool_or(type = 'turns.few') AS has_few FROM pg_temp.claim('{turns.many,turns.few}', 10, 2);
ROLLBACK;
BEGIN;
SELECT bool_or(type = 'turns.few') AS has_few FROM pg_temp.claim('{turns.few,turns.many}', 10, 2);
ROLLBACK;
-- Many keys give a type no more turns.
SELECT count(*) FROM metrics_refresh.enqueue_many('turns.many', (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 100) n),
    keys => (SELECT array_agg('key ' || n) FROM generate_series(1, 100) n));
SELECT count(*) FROM metrics_refresh.enqueue_many('turns.few', (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 9) n));
BEGIN;
SELECT type, count(*) FROM pg_temp.claim('{turns.many,turns.few}', 1, 20) GROUP BY 1 ORDER BY 1;
-- All that is left, although a type is named twice.
SELECT type, sum(jobs) FROM pg_temp.claim('{turns.few,turns.many,turns.few}', 1000, 3) GROUP BY 1 ORDER BY 1;
SELECT count(*) AS none_left FROM metrics_refresh.claim_jobs('{turns.many,turns.few}', 1000);
ROLLBACK;
-- A paused type is passed over.
SELECT metrics_refresh.pause_job_type('turns.many');
CALL pg_temp.wait_for('turns.many', false);
BEGIN;
SELECT * FROM pg_temp.claim('{turns.many,turns.few}', 1000, 2);
ROLLBACK;

-- The higher priority of all types comes first, whether it is of a type or of a job.
SELECT metrics_refresh.register_job_type('turns.low', mode => 'external', priority => -10);
SELECT metrics_refresh.register_job_type('turns.high', mode => 'external', priority => 10);
SELECT count(metrics_refresh.enqueue('turns.low', to_jsonb(n))) FROM generate_series(1, 3) n;
SELECT count(metrics_refresh.enqueue('turns.high', to_jsonb(n))) FROM generate_series(1, 3) n;
SELECT count(metrics_refresh.enqueue('turns.low', '4', priority => 20));
CALL pg_temp.wait_for_all('turns.low', 'turns.high');
BEGIN;
SELECT * FROM pg_temp.claim('{turns.low,turns.high}', 1, 9);
ROLLBACK;

-- Concurrency: claims count until they end. Other types are claimed meanwhile.
SELECT metrics_refresh.register_job_type('turns.two', mode => 'external', concurrency => 2);
SELECT count(metrics_refresh.enqueue('turns.two', to_jsonb(n))) FROM generate_series(1, 5) n;
CREATE TEMP TABLE two AS SELECT * FROM metrics_refresh.claim_jobs('{turns.two}', 10, wait => '30 s');
SELECT count(*) FROM two;
SELECT type, count(*) FROM metrics_refresh.claim_jobs('{turns.two,turns.few}', 1) GROUP BY 1;
SELECT result FROM (SELECT id, token FROM two ORDER BY id LIMIT 1) one, metrics_refresh.complete_jobs(ARRAY[one.id], ARRAY[token]);
SELECT count(*) FROM metrics_refresh.claim_jobs('{turns.two}', 10);

-- A rate: starts in any period, also if their jobs have ended.
SELECT metrics_refresh.register_job_type('turns.hour', mode => 'external', rate_limit => 3, rate_period => '1 hour');
SELECT count(metrics_refresh.enqueue('turns.hour', to_jsonb(n))) FROM generate_series(1, 5) n;
CREATE TEMP TABLE hour AS SELECT * FROM metrics_refresh.claim_jobs('{turns.hour}', 10, wait => '30 s');
SELECT count(*) FROM hour;
SELECT count(*), min(result) FROM hour, metrics_refresh.complete_jobs(ARRAY[hour.id], ARRAY[token]);
SELECT count(*) FROM metrics_refresh.claim_jobs('{turns.hour}', 10);
-- A claim that waits gets the next ones when the period is over.
SELECT metrics_refresh.register_job_type('turns.second', mode => 'external', rate_limit => 2, rate_period => '1 second');
SELECT count(metrics_refresh.enqueue('turns.second', to_jsonb(n))) FROM generate_series(1, 4) n;
SELECT clock_timestamp() AS began \gset
SELECT count(*) AS the_first FROM metrics_refresh.claim_jobs('{turns.second}', 10, wait => '30 s');
SELECT count(*) AS the_next FROM metrics_refresh.claim_jobs('{turns.second}', 10, wait => '30 s');
SELECT clock_timestamp() >= timestamptz :'began' + '1 s' AS a_second_later;

SELECT bool_and(metrics_refresh.cancel_job(id)) AS all_canceled FROM background_jobs WHERE type LIKE 'turns.%' AND status IN ('pending', 'processing');
SELECT bool_and(metrics_refresh.drop_job_type(type)) AS all_dropped FROM metrics_refresh.job_types WHERE type LIKE 'turns.%';
DROP TABLE two, hour;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many FROM regress_owner;
