-- A queue as it is often built: one table, FOR UPDATE SKIP LOCKED, a history. A job is claimed, run and
-- logged in one transaction of one statement, which is as fast as this gets.
CREATE TABLE job (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type text NOT NULL,
  payload jsonb NOT NULL,
  priority int NOT NULL DEFAULT 0,
  run_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON job (priority DESC, run_at, id);
CREATE TABLE job_history (
  id bigint NOT NULL, type text NOT NULL, payload jsonb NOT NULL, priority int NOT NULL,
  created_at timestamptz NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL
);

CREATE FUNCTION noop(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';

-- The rows of enqueue_many's bound: the columns of a queue, its key, and nothing that computes.
CREATE TABLE plain_row (
  id bigint PRIMARY KEY, created_at timestamptz NOT NULL, type_id int NOT NULL, enqueued_by oid NOT NULL,
  version smallint NOT NULL, attempts smallint NOT NULL, priority smallint NOT NULL, payload jsonb NOT NULL
);
CREATE SEQUENCE plain_row_block ;

-- What a handler-less worker writes of each job (bounds.c).
CREATE TABLE bound_history (
  id bigint NOT NULL, created_at timestamptz NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL,
  type_id int NOT NULL, enqueued_by oid NOT NULL, attempts smallint NOT NULL, status "char" NOT NULL, payload jsonb NOT NULL
);
CREATE FUNCTION bound(mode text, workers int, seconds float8, handler oid, history oid) RETURNS float8
LANGUAGE c STRICT AS '$libdir/bounds';

-- Latency: the handler says when it began.
CREATE TABLE began (n int NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION stamp(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE at timestamptz := clock_timestamp();
BEGIN
  INSERT INTO began VALUES ((payload->>'n')::int, at);
END $$;
CREATE TABLE sent (n int NOT NULL, at timestamptz NOT NULL);
CREATE PROCEDURE send(jobs int, gap float8) LANGUAGE plpgsql AS $$
DECLARE committed timestamptz[];
BEGIN
  FOR i IN 1 .. jobs LOOP
    INSERT INTO job (type, payload) VALUES ('stamp', jsonb_build_object('n', i));
    NOTIFY jobs;
    COMMIT;
    committed[i] := clock_timestamp();
    PERFORM pg_sleep(gap);
  END LOOP;
  INSERT INTO sent SELECT n, at FROM unnest(committed) WITH ORDINALITY s (at, n);
END $$;

CREATE PROCEDURE claim_times(claims int) LANGUAGE plpgsql AS $$
DECLARE before timestamptz; us float8[]; found_id bigint;
BEGIN
  FOR i IN 1 .. claims LOOP
    before := clock_timestamp();
    SELECT id INTO found_id FROM job WHERE run_at <= now() ORDER BY priority DESC, run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED;
    us[i] := extract(epoch FROM clock_timestamp() - before) * 1e6;
    DELETE FROM job WHERE id = found_id;
    COMMIT;
    PERFORM pg_sleep(0.01);
  END LOOP;
  INSERT INTO claim_time SELECT unnest(us);
END $$;
CREATE TABLE claim_time (us float8 NOT NULL);
