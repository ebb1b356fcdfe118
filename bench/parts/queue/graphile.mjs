// graphile-worker alone on a queue that is full: how many jobs a second one process gets through.
//
//   node graphile.mjs prepare               its schema
//   node graphile.mjs fill JOBS
//   node graphile.mjs default CONCURRENCY   as it comes, but for the concurrency
//   node graphile.mjs batched CONCURRENCY SIZE DELAY
//                                           fetches SIZE jobs at once, completes them every DELAY ms
//
// The database is the one of PGHOST and PGDATABASE. A run ends when no job is left; it prints the
// jobs a second, from the first job's start to the last one's committed completion.
import { Logger, run, runMigrations } from "graphile-worker";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const [mode, ...numbers] = process.argv.slice(2);
const [first, size, delay] = numbers.map(Number);
const logger = new Logger(() => (level, message) => {
  if (level === "error" || level === "warning") console.error(message);
});
const pool = new pg.Pool({ max: mode === "batched" || mode === "default" ? Math.max(10, first + 2) : 2 });
pool.on("error", (error) => console.error(error));
pool.on("connect", (client) => client.on("error", (error) => console.error(error)));

async function fill(jobs) {
  await pool.query(
    `SELECT count(*) FROM generate_series(1, $1::int, 10000) start,
       LATERAL (SELECT array_agg(ROW('noop', json_build_object('n', i), NULL, NULL, NULL, NULL, NULL, NULL)
                                 ::graphile_worker.job_spec) AS specs
                FROM generate_series(start, least(start + 9999, $1)) i) chunk,
       LATERAL graphile_worker.add_jobs(specs)`, [jobs]);
  await pool.query("VACUUM (ANALYZE) graphile_worker._private_jobs");
}

const left = async () =>
  Number((await pool.query("SELECT count(*) FROM graphile_worker._private_jobs")).rows[0].count);

async function drain() {
  const jobs = await left();
  let done = 0, began = 0, all_done;
  const end = new Promise((resolve) => { all_done = resolve; });
  const noop = async () => {
    if (began === 0) began = performance.now();
    if (++done === jobs) all_done();
  };
  const worker = { concurrentJobs: first, maxPoolSize: Math.max(10, first + 2) };
  if (mode === "batched") {
    Object.assign(worker, { localQueue: { size }, completeJobBatchDelay: delay, failJobBatchDelay: delay });
  }
  const runner = await run({ preset: { worker }, pgPool: pool, logger, noHandleSignals: true, taskList: { noop } });
  await end;
  while (await left() > 0) await sleep(2); // completions that are still under way
  const seconds = (performance.now() - began) / 1000;
  await runner.stop();
  console.log((jobs / seconds).toFixed(1));
}

if (mode === "prepare") await runMigrations({ pgPool: pool, logger });
else if (mode === "fill") await fill(first);
else await drain();
await pool.end();
