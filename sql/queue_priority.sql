-- The higher priority starts first, and among equals the job that was added first. Jobs of the type run one after the other.
CREATE SCHEMA qp;
CREATE FUNCTION qp.run(payload jsonb) RETURNS void LANGUAGE sql AS '';
BEGIN;
SELECT metrics_refresh.register_job_type('qp', 'qp.run(jsonb)', concurrency => 1, priority => -10);
SELECT metrics_refresh.pause_job_type('qp');
COMMIT;
SELECT count(metrics_refresh.enqueue('qp', to_jsonb(name), priority => priority))
FROM (VALUES ('low 1', NULL), ('middle 1', 0), ('high 1', 10), ('middle 2', 0), ('low 2', -10), ('high 2', 10), ('changed', -100)) j (name, priority);
-- A priority that is changed while the job waits counts, too.
UPDATE background_jobs SET priority = 100 WHERE type = 'qp' AND payload = '"changed"';
SELECT metrics_refresh.resume_job_type('qp');
CALL tools.finish_jobs('qp');
SELECT payload, priority FROM background_jobs WHERE type = 'qp' ORDER BY started_at;
SELECT metrics_refresh.drop_job_type('qp');
DROP SCHEMA qp CASCADE;
