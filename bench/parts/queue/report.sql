SET client_min_messages = warning;
CREATE TABLE sample (part text, contender text, round int, metric text, value float8);
COPY sample FROM :'samples' CSV;

CREATE VIEW medians AS
SELECT part, contender, metric, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric, 2) AS median,
       round(min(value)::numeric, 2) AS least, round(max(value)::numeric, 2) AS most, count(*) AS rounds
FROM sample GROUP BY part, contender, metric ORDER BY part, metric, contender;

-- Of contenders with several settings the best one of each round.
CREATE FUNCTION best(of_part text, of_metric text, name text) RETURNS TABLE (round int, value float8) LANGUAGE sql AS $$
  SELECT round, max(value) FROM sample WHERE part = of_part AND metric = of_metric AND contender LIKE name GROUP BY round
$$;
CREATE FUNCTION median(part text, metric text, name text) RETURNS numeric LANGUAGE sql AS $$
  SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric, 3) FROM best(part, metric, name)
$$;
CREATE FUNCTION most(part text, metric text, name text) RETURNS numeric LANGUAGE sql AS $$
  SELECT round(max(value)::numeric, 3) FROM best(part, metric, name)
$$;
CREATE FUNCTION times(part text, metric text, one text, other text) RETURNS numeric LANGUAGE sql AS $$
  SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY a.value / b.value)::numeric, 3)
  FROM best(part, metric, one) a JOIN best(part, metric, other) b USING (round)
$$;

CREATE TABLE demand (nr serial, part text, demand text, measured numeric, unit text, sign text, target numeric);
INSERT INTO demand (part, demand, measured, unit, sign, target)
SELECT v.* FROM (VALUES
  ('throughput', 'own transaction, shared flush: beside graphile-worker''s default mode',
   times('throughput', 'rate', 'ours shared', 'graphile default%'), 'times', '>=', 10),
  ('throughput', 'own transaction, shared flush: CPU a job', median('throughput', 'cpu', 'ours shared'), 'us', '<=', 36),
  ('throughput', 'a flush each, 4 workers: of the bound',
   times('throughput', 'rate', 'ours per_job', 'bound per_job'), 'times', '>=', 0.75),
  ('throughput', 'a flush each, 4 workers: beside graphile-worker''s default mode',
   times('throughput', 'rate', 'ours per_job', 'graphile default%'), 'times', '>=', 2.5),
  ('throughput', 'grouped: beside graphile-worker''s batched mode',
   times('throughput', 'rate', 'ours grouped', 'graphile batched%'), 'times', '>=', 1.5),
  ('enqueue', 'enqueue_many: of the bound, a plain INSERT or COPY', times('enqueue', 'rate', 'ours', 'bound%'), 'times', '>=', 0.45),
  ('enqueue', 'enqueue_many', median('enqueue', 'rate', 'ours'), 'rows/s', '>=', 250000),
  ('latency', 'commit -> start, warm, p50', median('latency', 'p50', 'ours warm'), 'ms', '<=', 0.2),
  ('latency', 'commit -> start, warm, p99: beside a plain table with LISTEN',
   times('latency', 'p99', 'ours warm', 'plain%'), 'times', '<=', 1),
  ('latency', 'commit -> start, cold, p99', median('latency', 'p99', 'ours cold'), 'ms', '<=', 20),
  ('external', 'claim and complete in batches of 100: beside pg-boss ' || :'pgboss',
   times('external', 'rate', 'ours%', 'pgboss%'), 'times', '>=', 1.5),
  ('held', 'xmin held: CPU a job', times('held', 'cpu', 'ours held', 'ours free'), 'times', '<=', 1.1),
  ('held', 'xmin held: claim p50', times('held', 'claim', 'ours held', 'ours free'), 'times', '<=', 1.2),
  ('held', 'xmin held: the hot part, at most', times('held', 'hot_mb', 'ours held', 'ours free'), 'times', '<=', 1.5),
  ('history', :'rows' || ' finished jobs and a tenth scheduled: CPU a job', times('history', 'cpu', 'full', 'empty'), 'times', '<=', 1.05),
  ('history', :'rows' || ' finished jobs and a tenth scheduled: WAL a job', times('history', 'wal', 'full', 'empty'), 'times', '<=', 1.05),
  ('history', :'rows' || ' finished jobs and a tenth scheduled: rate', times('history', 'rate', 'full', 'empty'), 'times', '>=', 0.9),
  ('wal', 'WAL to process a job', median('wal', 'process', 'ours'), 'bytes', '<=', 400),
  ('wal', 'WAL to process a job, with its enqueue',
   median('wal', 'process', 'ours') + median('wal', 'enqueue', 'ours'), 'bytes', '<=', 650),
  ('endings', 'SIGTERM of a worker -> its job starts again, at most', most('endings', 'ms', 'SIGTERM'), 'ms', '<=', 200),
  ('endings', 'server ready after a crash -> the job starts again, at most', most('endings', 'ms', 'crash'), 'ms', '<=', 1000),
  ('flood', 'p99 wait of a key beside a flood, above its wait alone, in p99 durations of the flood',
   (median('flood', 'wait_p99', 'flooded') - median('flood', 'wait_p99', 'alone')) / median('flood', 'duration_p99', 'a'),
   'times', '<=', 1),
  ('refreshes', 'lateness of a command beside a full queue, p95, above twice that beside an idle one',
   median('refreshes', 'p95', 'command %full') - 2 * median('refreshes', 'p95', 'command %idle'), 'ms', '<=', 10),
  ('refreshes', 'lateness of a refresh beside a full queue, p95, above twice that beside an idle one',
   median('refreshes', 'p95', 'view %full') - 2 * median('refreshes', 'p95', 'view %idle'), 'ms', '<=', 10)
) v WHERE v.column1 = ANY (string_to_array(:'parts', ' '));

CREATE VIEW verdicts AS
SELECT demand, coalesce(round(measured, 2)::text || ' ' || unit, 'not measured') AS measured, sign || ' ' || target AS target,
       CASE WHEN measured IS NULL THEN '' WHEN (sign = '>=' AND measured >= target) OR (sign = '<=' AND measured <= target)
            THEN 'PASS' ELSE 'MISS' END AS verdict
FROM demand ORDER BY nr;

\qecho medians of the rounds; rate: jobs or rows a second, cpu: microseconds a job
TABLE medians;
TABLE verdicts;
