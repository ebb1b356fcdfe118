// An external worker in Node that fetches and completes jobs in batches of 100, of pg-boss or of ours.
//
//   node external.mjs version               of pg-boss
//   node external.mjs pgboss|ours prepare
//   node external.mjs pgboss|ours fill JOBS
//   node external.mjs pgboss|ours LOOPS     so many batches are under way at once
//
// The database is the one of PGHOST and PGDATABASE. A run ends when no job is left; it prints the jobs
// a second, from the first fetch to the last answer to a completion.
import { createRequire } from "node:module";
import pg from "pg";

const require = createRequire(import.meta.url);
const [system, action] = process.argv.slice(2);
const batch = 100;

const payloads = (jobs, start) =>
  Array.from({ length: Math.min(10_000, jobs - start) }, (_, i) => ({ n: start + i }));

async function pgboss(connections) {
  const major = Number(require("pg-boss/package.json").version.split(".")[0]);
  const module = await import("pg-boss");
  const PgBoss = module.PgBoss ?? module.default;
  // Its maintenance and its clocks would come in between.
  const boss = new PgBoss({ host: process.env.PGHOST, database: process.env.PGDATABASE, user: process.env.PGUSER,
    max: connections, supervise: false, schedule: false, noSupervisor: true, noScheduling: true });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return {
    prepare: async () => { if (major >= 10) await boss.createQueue("noop"); },
    fill: async (jobs) => {
      for (let start = 0; start < jobs; start += 10_000) {
        const rows = payloads(jobs, start).map((data) => ({ name: "noop", data }));
        await (major >= 11 ? boss.insert("noop", rows) : boss.insert(rows));
      }
    },
    fetch: async () => (await (major >= 10 ? boss.fetch("noop", { batchSize: batch }) : boss.fetch("noop", batch))) ?? [],
    complete: async (jobs) => {
      const ids = jobs.map((job) => job.id);
      await (major >= 10 ? boss.complete("noop", ids) : boss.complete(ids));
    },
    end: () => boss.stop({ graceful: false }),
  };
}

async function ours(connections) {
  const pool = new pg.Pool({ max: connections });
  return {
    prepare: () => pool.query("SELECT metrics_refresh.register_job_type('outside', mode => 'external')"),
    fill: async (jobs) => {
      for (let start = 0; start < jobs; start += 10_000) {
        await pool.query("SELECT count(*) FROM metrics_refresh.enqueue_many('outside', $1::text[]::jsonb[])",
          [payloads(jobs, start).map((payload) => JSON.stringify(payload))]);
      }
    },
    fetch: async () => (await pool.query({ name: "claim",
      text: `SELECT id, payload, token FROM metrics_refresh.claim_jobs('{outside}', ${batch})` })).rows,
    complete: async (jobs) => {
      const { rows } = await pool.query({ name: "complete",
        text: "SELECT id, result FROM metrics_refresh.complete_jobs($1, $2)",
        values: [jobs.map((job) => job.id), jobs.map((job) => job.token)] });
      const lost = rows.filter((row) => row.result !== "done");
      if (lost.length > 0) throw new Error(`${lost.length} completions were refused`);
    },
    end: () => pool.end(),
  };
}

async function drain(queue, loops) {
  let done = 0;
  const loop = async () => {
    for (;;) {
      const jobs = await queue.fetch();
      if (jobs.length === 0) return;
      await queue.complete(jobs);
      done += jobs.length;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: loops }, loop));
  console.log((1000 * done / (performance.now() - began)).toFixed(1));
}

if (system === "version") {
  console.log(require("pg-boss/package.json").version);
} else {
  const loops = Number(action) || 1;
  const queue = await (system === "ours" ? ours : pgboss)(loops);
  if (action === "prepare") await queue.prepare();
  else if (action === "fill") await queue.fill(Number(process.argv[4]));
  else await drain(queue, loops);
  await queue.end();
}
