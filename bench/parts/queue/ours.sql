-- The tables and handlers of the queue under test, as plain.sql has them for the others.
CREATE FUNCTION noop(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';

CREATE TABLE began (n int NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION stamp(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE at timestamptz := clock_timestamp();
BEGIN
  INSERT INTO began VALUES ((payload->>'n')::int, at);
END $$;
CREATE TABLE sent (n int NOT NULL, at timestamptz NOT NULL);

-- Five milliseconds of waiting, as for a service; key b says when it began.
CREATE FUNCTION nap(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE at timestamptz := clock_timestamp();
BEGIN
  PERFORM pg_sleep(0.005);
  IF payload ? 'n' THEN INSERT INTO began VALUES ((payload->>'n')::int, at); END IF;
END $$;

-- The start is in the server's log, because an attempt that is ended leaves nothing else.
CREATE FUNCTION long_nap(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE LOG 'long nap % began at %', payload->>'n', extract(epoch FROM clock_timestamp());
  PERFORM pg_sleep(60);
END $$;

-- A database that has types of jobs has a scheduler, and so is no template.
CREATE PROCEDURE register_types(workers int) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM metrics_refresh.register_job_type('noop', 'noop(jsonb)');
  PERFORM metrics_refresh.register_job_type('grouped', 'noop(jsonb)', mode => 'grouped');
  PERFORM metrics_refresh.register_job_type('stamp', 'stamp(jsonb)');
  PERFORM metrics_refresh.register_job_type('nap', 'nap(jsonb)', concurrency => workers);
  PERFORM metrics_refresh.register_job_type('long nap', 'long_nap(jsonb)');
  PERFORM metrics_refresh.register_job_type('outside', mode => 'external');
END $$;

CREATE PROCEDURE fill(type text, jobs int, run_at timestamptz DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
  FOR start IN 1 .. jobs BY 10000 LOOP
    PERFORM count(*) FROM metrics_refresh.enqueue_many(fill.type,
      ARRAY(SELECT jsonb_build_object('x', i) FROM generate_series(start, least(start + 9999, jobs)) i), run_at => fill.run_at);
    COMMIT;
  END LOOP;
END $$;

CREATE FUNCTION open_jobs(type text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN coalesce((SELECT sum(c.pending + c.processing + c.failed) FROM metrics_refresh.job_counts() c
                   WHERE c.type = open_jobs.type), 0);
END $$;

CREATE FUNCTION ended_jobs(type text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT sum(c.completed_since_start) FROM metrics_refresh.job_counts() c WHERE c.type = ended_jobs.type);
END $$;

-- The last jobs of a type: how many a second, from the first start to the last end.
CREATE FUNCTION drained(type text, jobs int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE found int; seconds float8;
BEGIN
  SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at)) INTO found, seconds
  FROM (SELECT j.started_at, j.finished_at FROM background_jobs j
        WHERE j.type = drained.type AND j.status = 'completed' ORDER BY j.id DESC LIMIT jobs) last;
  IF found <> jobs THEN RAISE '% jobs of % have completed', found, jobs; END IF;
  RETURN jobs / seconds;
END $$;

-- Jobs of stamp or nap, one at a time; sent says when each was committed.
CREATE PROCEDURE send(type text, jobs int, gap float8, key text DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE committed timestamptz[];
BEGIN
  FOR i IN 1 .. jobs LOOP
    PERFORM metrics_refresh.enqueue(send.type, jsonb_build_object('n', i), key => send.key);
    COMMIT;
    committed[i] := clock_timestamp();
    PERFORM pg_sleep(gap);
  END LOOP;
  INSERT INTO sent SELECT n, at FROM unnest(committed) WITH ORDINALITY s (at, n);
END $$;

-- How long claim_jobs() takes for one job.
CREATE TABLE claim_time (us float8 NOT NULL);
CREATE PROCEDURE claim_times(claims int) LANGUAGE plpgsql AS $$
DECLARE before timestamptz; us float8[]; job record;
BEGIN
  FOR i IN 1 .. claims LOOP
    before := clock_timestamp();
    SELECT id, token INTO job FROM metrics_refresh.claim_jobs('{outside}');
    us[i] := extract(epoch FROM clock_timestamp() - before) * 1e6;
    COMMIT;
    PERFORM metrics_refresh.complete_jobs(ARRAY[job.id], ARRAY[job.token]);
    COMMIT;
    PERFORM pg_sleep(0.01);
  END LOOP;
  INSERT INTO claim_time SELECT unnest(us);
END $$;

-- Holds the queue full for some seconds.
CREATE PROCEDURE feed(type text, seconds float8, most int) LANGUAGE plpgsql AS $$
DECLARE stop timestamptz := clock_timestamp() + make_interval(secs => seconds); chunk jsonb[] :=
  ARRAY(SELECT jsonb_build_object('x', i) FROM generate_series(1, 1000) i);
BEGIN
  WHILE clock_timestamp() < stop LOOP
    IF open_jobs(feed.type) < most THEN
      PERFORM count(*) FROM metrics_refresh.enqueue_many(feed.type, chunk);
    ELSE
      PERFORM pg_sleep(0.005);
    END IF;
    COMMIT;
  END LOOP;
END $$;

-- The storage of the jobs that have not ended, with its marks.
CREATE FUNCTION hot_bytes() RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
  WHERE relnamespace = 'metrics_refresh_internal'::regnamespace AND relkind = 'r' AND relname ~ '^queue_(hot|ended|claim)_\d+$'
$$;
