-- Values that the queue refuses: SQLSTATE, and a hint if the message does not say what is right.
\set SHOW_CONTEXT never
CREATE SCHEMA qb;
CREATE FUNCTION qb.run(payload jsonb) RETURNS void LANGUAGE sql AS '';
SELECT metrics_refresh.register_job_type('bad', 'qb.run(jsonb)');
SELECT metrics_refresh.pause_job_type('bad');
\a \t
SELECT arguments || E'\n' || tools.try(format('SELECT metrics_refresh.enqueue(%s)', arguments)) FROM unnest(ARRAY[
    'NULL', '''''', '''bda''', 'repeat(''x'', 201)', '''bad'', NULL', '''bad'', priority => 101', '''bad'', priority => -101',
    '''bad'', delay => ''-1 s''', '''bad'', delay => ''1 s'', run_at => now()', '''bad'', run_at => ''infinity''', '''bad'', run_at => ''-infinity''',
    '''bad'', max_attempts => 0', '''bad'', max_attempts => 1001', '''bad'', key => ''''', '''bad'', key => repeat(''x'', 201)',
    '''bad'', unique_key => ''''', '''bad'', unique_key => repeat(''x'', 201)', '''bad'', unique_for => ''1 h''',
    '''bad'', unique_key => ''k'', unique_for => ''0''', '''bad'', unique_key => ''k'', unique_for => ''-1 h''',
    '''bad'', unique_key => ''k'', unique_states => ''{}''', '''bad'', unique_key => ''k'', unique_states => ''{gone}''',
    '''bad'', unique_key => ''k'', unique_states => ''{NULL}''', '''bad'', unique_key => ''k'', unique_states => NULL',
    '''bad'', after => ''{{1,2},{3,4}}''', '''bad'', batch => 123456789']) arguments;
SELECT arguments || E'\n' || tools.try(format('SELECT count(*) FROM metrics_refresh.enqueue_many(%s)', arguments)) FROM unnest(ARRAY[
    '''bad'', NULL', '''bad'', ARRAY[''1'', NULL]::jsonb[]', '''bad'', ARRAY[[''1'', ''2''], [''3'', ''4'']]::jsonb[]',
    '''bad'', ARRAY[''1'']::jsonb[], keys => ''{a,b}''', '''bad'', ARRAY[''1'']::jsonb[], unique_keys => ''{}''',
    '''bad'', ARRAY[''1'']::jsonb[], unique_for => ''1 h''', '''bad'', ARRAY[''1'']::jsonb[], keys => ARRAY['''']',
    '''bad'', (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 3) n), after => (SELECT array_agg(n) FROM generate_series(1::bigint, 2000) n)']) arguments;
-- A payload that is too large, also if it compresses well.
SET metrics_refresh.queue_max_payload = '1kB';
SELECT tools.try($$SELECT metrics_refresh.enqueue('bad', jsonb_build_object('x', repeat('x', 2000)))$$);
SELECT tools.try($$SELECT count(*) FROM metrics_refresh.enqueue_many('bad', ARRAY[jsonb_build_object('x', repeat('x', 2000))])$$);
SELECT tools.try($$SELECT metrics_refresh.create_batch('bad', jsonb_build_object('x', repeat('x', 2000)))$$);
RESET metrics_refresh.queue_max_payload;
SELECT call || E'\n' || tools.try('SELECT metrics_refresh.' || call) FROM unnest(ARRAY[
    'create_batch(NULL)', 'create_batch(''bda'')', 'create_batch(''bad'', NULL)', 'create_batch(''bad'', open => NULL)', 'close_batch(NULL)',
    'cancel_job(NULL)', 'cancel_job(123456789)', 'cancel_job(0)', 'retry_job(NULL)', 'retry_job(123456789)', 'snooze_job(NULL, ''1 s'')',
    'snooze_job(1, NULL)', 'snooze_job(1, ''-1 s'')', 'snooze_job(123456789, ''1 s'')', 'retry_failed_jobs(''bda'')', 'retry_failed_jobs('''')',
    'purge_jobs(NULL)', 'purge_jobs(''-1 s'')', 'purge_jobs(''1 day'', ''pending'')', 'purge_jobs(''1 day'', '''')', 'job_progress(1)',
    'job_progress(NULL)', 'job_progress(-1)', 'job_progress(1, -1)', 'wait_job(NULL)', 'wait_job(123456789)']) call;
SELECT tools.try('CALL metrics_refresh.wait_for_job(1)');
CALL metrics_refresh.wait_for_job(NULL);
BEGIN;
SELECT tools.try('SELECT metrics_refresh.wait_job(metrics_refresh.enqueue(''bad''))') LIKE '25001: job % cannot start before this transaction has committed%';
ROLLBACK;
-- A transaction that only reads, and one that is prepared.
BEGIN READ ONLY;
SELECT call || E'\n' || tools.try('SELECT metrics_refresh.' || call) FROM unnest(ARRAY[
    'enqueue(''bad'')', 'enqueue_many(''bad'', ''{}'')', 'create_batch(''bad'')', 'close_batch(1)', 'cancel_job(1)', 'retry_job(1)', 'snooze_job(1, ''1 s'')',
    'retry_failed_jobs()', 'purge_jobs(''1 s'')']) call;
ROLLBACK;
SELECT metrics_refresh.enqueue('bad') AS job \gset
-- The states of a job that do not fit.
SELECT replace(tools.try('SELECT metrics_refresh.retry_job(' || :job || ')'), :'job', 'N');
SELECT metrics_refresh.wait_job(:job, '1 ms');
CALL metrics_refresh.wait_for_job(:job, '1 ms');
SELECT metrics_refresh.cancel_job(:job), metrics_refresh.cancel_job(:job), metrics_refresh.snooze_job(:job, '1 s'), metrics_refresh.wait_job(:job);
-- The handler is gone.
DROP FUNCTION qb.run(jsonb);
SELECT tools.try($$SELECT metrics_refresh.enqueue('bad')$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('bad', mode => 'grouped')$$);
SELECT metrics_refresh.drop_job_type('bad');
SELECT tools.try($$SELECT metrics_refresh.enqueue('bad')$$);
DROP SCHEMA qb;
