WITH claimed AS (
  DELETE FROM job WHERE id = (SELECT id FROM job WHERE run_at <= now() ORDER BY priority DESC, run_at, id LIMIT 1
                              FOR UPDATE SKIP LOCKED)
  RETURNING *
), logged AS (
  INSERT INTO job_history SELECT id, type, payload, priority, created_at, now(), clock_timestamp() FROM claimed
)
SELECT noop(payload) FROM claimed;
