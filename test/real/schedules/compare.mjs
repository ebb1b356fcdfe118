// Draws schedules, asks all three, and sorts the disagreements. See run.
import { spawnSync } from 'node:child_process';
import { Cron } from 'croner';
import { CronExpressionParser } from 'cron-parser';

const [program, count, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

// mulberry32: small, and the same everywhere.
let state = seed >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const number = (low, high) => low + Math.floor(random() * (high - low + 1));
const one = (...choices) => choices[number(0, choices.length - 1)];

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata',
  'America/Havana', 'Asia/Beirut', 'Africa/Casablanca', 'Pacific/Auckland', 'America/Sao_Paulo'];
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function field(low, high, names) {
  const item = () => {
    const a = number(low, high);
    const b = number(a, high);
    switch (number(0, 9)) {
      case 0: case 1: case 2: return '*';
      case 3: return `*/${number(1, high - low)}`;
      case 4: return `${a}-${b}`;
      case 5: return b > a ? `${a}-${b}/${number(1, b - a)}` : `${a}`;
      case 6: return names ? names[a - low] : `${a}`;
      default: return `${a}`;
    }
  };
  if (number(0, 4) !== 0) return item();
  // A list without a value twice, which cron-parser refuses.
  const [a, b, c] = [number(low, high - 2), number(low + 1, high - 1), number(low + 2, high)].sort((x, y) => x - y);
  return a < b && b < c ? one(`${a},${c}`, `${a},${b}-${c}`, `${c},${a}-${b}`) : item();
}
const date = () => number(0, 7) === 0 ? one('L', 'LW', `${number(1, 28)}W`) : field(1, 31);
const weekday = () => number(0, 5) === 0
  ? one(`${number(0, 6)}L`, `${number(0, 6)}#${number(1, 5)}`) : field(0, 6, weekdays);

function draw() {
  const days = one([date(), '*'], [date(), '*'], ['*', weekday()], ['*', '*'], [date(), weekday()],
    [date(), '?'], ['?', weekday()]);
  const fields = [field(0, 59), field(0, 23), days[0], field(1, 12, months), days[1]];
  return { fields, seconds: number(0, 5) === 0 ? field(0, 59) : null };
}

// The days around each change of a zone's clock, where it is interesting.
const changes = new Map();
function offset(zone, t) {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric',
    day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }).formatToParts(t * 1000);
  const p = Object.fromEntries(parts.map((x) => [x.type, Number(x.value)]));
  return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) / 1000 - t;
}
// The zone files that next_runs.cpp reads list the changes up to 2037, and leave the rest to a rule that
// it does not read.
const horizon = Date.UTC(2037, 0, 1) / 1000;
const begin = Date.UTC(2020, 0, 1) / 1000, end = Date.UTC(2030, 0, 1) / 1000;
for (const zone of zones) {
  const list = [];
  let last = offset(zone, begin);
  for (let day = begin; day < end; day += 86400) {
    const now = offset(zone, day + 86400);
    if (now !== last) list.push(day);
    last = now;
  }
  changes.set(zone, list);
}

// By Vixie's rule a day must match both fields where one begins with * and is more than that. croner
// can be told so.
const star = (text) => text.startsWith('*');
const restricted = (text) => !star(text) && text !== '?';
const every = /^(\*|\?)$/;
const must_match_both = (day, weekday) => !every.test(day) && !every.test(weekday) &&
  !(restricted(day) && restricted(weekday));

const theirs = {
  croner(expression, zone, after, both) {
    const job = new Cron(expression, { timezone: zone, paused: true, domAndDow: both });
    return job.nextRuns(3, new Date(after * 1000)).map((d) => d.getTime() / 1000);
  },
  'cron-parser'(expression, zone, after) {
    const job = CronExpressionParser.parse(expression, { tz: zone, currentDate: new Date(after * 1000) });
    return [job.next(), job.next(), job.next()].map((d) => d.getTime() / 1000);
  },
};

function near_change(zone, times) {
  return times.some((t) => changes.get(zone).some((day) => t > day - 86400 && t < day + 3 * 86400));
}

// Why two answers may differ: a rule of ours (docs/schedules.md), or one of theirs.
function reason(name, query, ours, other) {
  const { fields: [minute, hour], both, zone, after } = query;
  if (both && name !== 'croner')
    return 'a day field that begins with * and is not * alone: we follow Vixie cron, a day must match both';
  if (zone === 'UTC' || !near_change(zone, [after, ...ours, ...other])) return null;
  const wildcard = /[*/]/.test(minute + hour + query.seconds);
  const first = Math.min(...ours.filter((t) => !other.includes(t)), ...other.filter((t) => !ours.includes(t)));
  const spring = offset(zone, first + 90000) > offset(zone, first - 90000);
  if (spring && wildcard) return 'a wildcard or a step is not due inside the spring gap';
  if (spring) return 'a fixed time in the spring gap is due at its end, once';
  if (wildcard) return 'a wildcard or a step is due twice where an hour repeats';
  return 'a fixed time that comes twice in autumn is due the first time';
}

const queries = [];
for (let i = 0; i < count; ++i) {
  const zone = one(...zones);
  const list = changes.get(zone);
  const after = list.length > 0 && number(0, 3) === 0
    ? one(...list) + number(-86400, 86400) : begin + number(0, end - begin);
  const { fields, seconds } = draw();
  queries.push({ fields, zone, after, seconds: seconds ?? '', both: must_match_both(fields[2], fields[4]), ours: (seconds ? `@seconds ${seconds} ` : '') + fields.join(' '),
    expression: (seconds ? `${seconds} ` : '') + fields.join(' ') });
}
const run = spawnSync(program, { input: queries.map((q) => `${q.ours}\t${q.zone}\t${q.after}\n`).join(''),
  encoding: 'utf8', maxBuffer: 1 << 30 });
const answers = run.stdout.split('\n');

let unexplained = 0;
for (const name of Object.keys(theirs)) {
  const classes = new Map();
  let same = 0, refused = 0, asked = 0;
  const note = (what, query, ours, other) => {
    const known = classes.get(what) ?? { count: 0, example: '' };
    known.count += 1;
    if (known.count === 1) {
      const when = (times) => times.map((t) => new Date(t * 1000).toISOString()).join(' ');
      known.example = `${query.expression} in ${query.zone} after ${when([query.after])}\n      ours   ${ours}` +
        `\n      theirs ${other}`;
      if (Array.isArray(ours)) known.example =
        `${query.expression} in ${query.zone} after ${when([query.after])}\n      ours   ${when(ours)}\n      theirs ${when(other)}`;
    }
    classes.set(what, known);
  };
  for (const [i, query] of queries.entries()) {
    const answer = answers[i];
    let other;
    try {
      other = theirs[name](query.expression, query.zone, query.after, query.both);
    } catch (error) {
      if (answer.startsWith('error')) { refused += 1; continue; }
      note(`they refuse what we take: ${error.message.replace(/[0-9"']+/g, '_').slice(0, 60)}`, query, answer, error.message);
      continue;
    }
    if (answer.startsWith('error')) {
      if (other.length === 0) { refused += 1; continue; }
      note('we refuse what they take: ' + answer.replace(/[0-9]+/g, '_'), query, answer, String(other));
      continue;
    }
    asked += 1;
    const ours = answer.split(' ').map(Number).filter((t) => t < horizon);
    other = other.filter((t) => t < horizon);
    if (ours.join() === other.join()) { same += 1; continue; }
    const why = reason(name, query, ours, other);
    if (why === null) unexplained += 1;
    note(why ?? 'UNEXPLAINED', query, ours, other);
  }
  console.log(`${name}: ${asked} asked, ${same} the same, ${refused} refused by both`);
  for (const [what, { count: n, example }] of [...classes].sort((a, b) => b[1].count - a[1].count))
    console.log(`  ${n} times: ${what}\n    ${example}`);
}
console.log(`${unexplained} unexplained`);
process.exit(unexplained === 0 ? 0 : 1);
