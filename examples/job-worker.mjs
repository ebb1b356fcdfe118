#!/usr/bin/env node
// A worker for external job types of metrics_refresh: it claims jobs over SQL, runs them here, and
// completes them. Copy it, and put your own handlers in.
//
//   npm install pg
//   PGHOST=… PGDATABASE=… PGUSER=… PGPASSWORD=… node job-worker.mjs
//
// The role of the session has to be a member of the owner of the job types. examples/queue.sql
// registers them. On SIGTERM and SIGINT the worker claims no more jobs, waits for those that run,
// gives back the others, and ends.
//
// A job can run more than once: if its lease ends before its completion, another worker gets it.
// So let handlers be idempotent; the job's id is the same in each attempt.
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

// One handler for each job type: (payload, { id, attempt, signal }) → result, or throws. An error with
// `permanent` is not tried again. `signal` is aborted when the job is no longer this worker's.
const handlers = {
  async deliver_webhook({ url, body }, { id, signal }) {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": id },
      body: JSON.stringify(body ?? null),
      signal,
    });
    if (answer.ok) return { status: answer.status };
    const error = new Error(`${url} answered ${answer.status}`);
    error.permanent = answer.status === 410; // the receiver wants no more
    throw error;
  },
};

const concurrency = Number(process.env.CONCURRENCY ?? 10);
const leaseSeconds = Number(process.env.LEASE_SECONDS ?? 30);
const waitSeconds = 20; // for work, in one call; 60 at most
const graceSeconds = Number(process.env.GRACE_SECONDS ?? 30);

const name = `${hostname()}/${process.pid}`;
const types = Object.keys(handlers);
const lease = `${leaseSeconds} seconds`;
const log = (...words) => console.error(new Date().toISOString(), ...words);

const pool = new pg.Pool({ max: 4, application_name: `job-worker ${name}` });
pool.on("error", (error) => log("a connection was lost:", error.message));

const running = new Map(); // id → { token, abort }
let stopping = false;
let claiming = null; // the session that waits in claim_jobs()
let wake = () => {}; // the claimer, when a job has ended

// ---- Ends of jobs, which are sent in batches: as many as have come up during the last call.

const ended = []; // { id, token, result } or { id, token, error }
let sending = null;

function end(job, outcome) {
  ended.push({ id: job.id, token: job.token, ...outcome });
  sending ??= sendEnds().finally(() => { sending = null; });
}

async function sendEnds() {
  while (ended.length > 0) {
    const batch = ended.splice(0, 1000);
    const done = batch.filter((job) => !job.error);
    const failed = batch.filter((job) => job.error);
    try {
      if (done.length > 0) {
        report(await pool.query("SELECT id, result FROM metrics_refresh.complete_jobs($1, $2, $3)", [
          done.map((job) => job.id), done.map((job) => job.token),
          done.map((job) => (job.result === undefined ? null : JSON.stringify(job.result))),
        ]));
        done.length = 0;
      }
      while (failed.length > 0) {
        const { id, token, error } = failed[0];
        report(await pool.query(
          "SELECT id, result FROM metrics_refresh.fail_job($1, $2, $3, permanent => $4)",
          [id, token, String(error.message ?? error), error.permanent === true]));
        failed.shift();
      }
    } catch (error) {
      // Until the leases end there is time to try again; then the jobs run again anyway.
      log("ends of jobs could not be sent:", error.message);
      ended.unshift(...done, ...failed);
      await sleep(1000);
    }
  }
}

function report({ rows }) {
  for (const { id, result } of rows) {
    if (result !== "done") log(`job ${id}: its lease had ended, its end was not taken (${result})`);
  }
}

// ---- Running

async function runJob(job) {
  const abort = new AbortController();
  running.set(job.id, { token: job.token, abort });
  let outcome;
  try {
    const details = { id: job.id, attempt: job.attempt, signal: abort.signal };
    outcome = { result: await handlers[job.type](job.payload, details) };
  } catch (error) {
    log(`job ${job.id} (${job.type}, attempt ${job.attempt}) failed:`, error.message);
    outcome = { error };
  }
  // After the grace time the job has been given back.
  if (running.delete(job.id)) end(job, outcome);
  wake();
}

// ---- Heartbeats: a third of the lease, so that one can be missed.

async function heartbeat() {
  const jobs = [...running];
  if (jobs.length === 0) return;
  const { rows } = await pool.query("SELECT id, result FROM metrics_refresh.heartbeat_jobs($1, $2, $3)",
    [jobs.map(([id]) => id), jobs.map(([, { token }]) => token), lease]);
  for (const { id, result } of rows) {
    if (result !== "done") running.get(id)?.abort.abort(new Error("the lease of this job has ended"));
  }
}

const heart = setInterval(() => heartbeat().catch((error) => log("no heartbeat:", error.message)),
  leaseSeconds * 1000 / 3);

// ---- Claiming: one session waits in the server for work. There is no polling.

async function claimOnce() {
  const session = await pool.connect();
  let broken = true;
  try {
    claiming = session;
    if (stopping) return [];
    const { rows } = await session.query(
      `SELECT id, type, payload, attempt, token
       FROM metrics_refresh.claim_jobs($1, $2, lease => $3, worker => $4, wait => $5)`,
      [types, concurrency - running.size, lease, name, `${waitSeconds} seconds`]);
    broken = false;
    return rows;
  } finally {
    claiming = null;
    session.release(broken);
  }
}

async function claimJobs() {
  let pause = 1;
  while (!stopping) {
    if (running.size >= concurrency) {
      await new Promise((resolve) => { wake = resolve; });
      continue;
    }
    try {
      const jobs = await claimOnce();
      if (stopping) await giveBack(jobs.map((job) => [job.id, job]));
      else jobs.forEach(runJob);
      pause = 1;
    } catch (error) {
      if (stopping) break;
      log(`no jobs can be claimed, next attempt in ${pause} s:`, error.message);
      await Promise.race([sleep(pause * 1000, null, { ref: false }), stopped]);
      pause = Math.min(2 * pause, 30);
    }
  }
}

async function giveBack(jobs) {
  if (jobs.length === 0) return;
  await pool.query("SELECT count(*) FROM metrics_refresh.release_jobs($1, $2)",
    [jobs.map(([id]) => id), jobs.map(([, { token }]) => token)]);
}

// ---- The end

let stop;
const stopped = new Promise((resolve) => { stop = resolve; });

function beginToStop(signal) {
  if (stopping) return;
  stopping = true;
  log(`${signal}: ${running.size} jobs are still running`);
  stop();
  wake();
  // The claim that waits in the server; if it has just got jobs, they are given back.
  if (claiming) pool.query("SELECT pg_cancel_backend($1)", [claiming.processID]).catch(() => {});
}
process.on("SIGTERM", beginToStop);
process.on("SIGINT", beginToStop);

async function finish() {
  const latest = Date.now() + graceSeconds * 1000;
  while (running.size > 0 && Date.now() < latest) {
    await Promise.race([new Promise((resolve) => { wake = resolve; }), sleep(latest - Date.now(), null, { ref: false })]);
  }
  clearInterval(heart);
  const rest = [...running];
  running.clear();
  rest.forEach(([, { abort }]) => abort.abort(new Error("the worker ends")));
  await giveBack(rest).catch((error) => log("jobs could not be given back:", error.message));
  // Without an end: if the server does not come back, the leases end by themselves.
  await Promise.race([sending, sleep(10_000, null, { ref: false })]);
}

log(`waiting for ${types.join(", ")} as ${name}, at most ${concurrency} at once`);
await claimJobs();
await finish();
log("ended");
process.exit(0);
