// A developer's first question: how long does one call take, and how many fit? Light load first (one
// caller at a time), then 16 callers without a pause. `/health`, which does nothing but answer, asked the
// same two ways, is the measure in the same run.

import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { deploy, execution, expect, health, invoke, tenant } from './lib/client.js';
import { goHello, rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 10);
const SPLIT_EVERY = 10; // one call in so many is looked up for where its time went

const light = new Trend('light', true);
const lightRust = new Trend('light_rust', true);
const full = new Trend('full', true);
const answered = new Counter('full_answered');
const baseline = new Trend('baseline', true);
const fullBaseline = new Counter('full_baseline');
const split = {
  queue_ms: new Trend('split_queue', true),
  setup_ms: new Trend('split_setup', true),
  run_ms: new Trend('split_run', true),
  store_ms: new Trend('split_store', true),
};

const after = (phase) => `${phase * (SECONDS + 1)}s`;
const phase = (exec, vus, start) => ({
  executor: 'constant-vus', exec, vus, duration: `${SECONDS}s`, startTime: start, gracefulStop: '10s',
});

export const options = common(
  {
    baseline: phase('ping', 1, after(0)),
    light: phase('oneByOne', 1, after(1)),
    light_rust: phase('oneByOneRust', 1, after(2)),
    full_baseline: phase('pingSixteen', 16, after(3)),
    full: phase('sixteen', 16, after(4)),
  },
  { checks: ['rate>0.999'] },
);

export function setup() {
  const owner = tenant('sync');
  return { owner, go: deploy(owner, goHello), rust: deploy(owner, rustHello) };
}

export function ping() {
  baseline.add(health().timings.duration);
}

export function pingSixteen() {
  fullBaseline.add(health().status === 200 ? 1 : 0);
}

export function oneByOne({ owner, go }) {
  const response = call(owner, go);
  light.add(response.timings.duration);
  if (__ITER % SPLIT_EVERY === 0) whereTimeWent(owner, response);
}

export function oneByOneRust({ owner, rust }) {
  lightRust.add(call(owner, rust).timings.duration);
}

export function sixteen({ owner, go }) {
  const response = call(owner, go);
  full.add(response.timings.duration);
  answered.add(response.status === 200 ? 1 : 0);
}

function call(owner, id) {
  const response = invoke(owner, id, { name: 'Ada' });
  check(response, { 'answered with the result': (r) => r.status === 200 });
  return response;
}

function whereTimeWent(owner, response) {
  const { execution_id } = response.json('data');
  const { timings } = expect(200, execution(owner, execution_id), 'execution');
  Object.keys(split).forEach((name) => split[name].add(timings[name]));
}

export const handleSummary = reportOf('sync_hello', [
  { what: '/health, p50', unit: 'ms', value: (m) => m('baseline', 'med') },
  { what: 'Go, one caller, p50', unit: 'ms', most: 5, value: (m) => m('light', 'med') },
  { what: 'Go, one caller, p99', unit: 'ms', most: 20, value: (m) => m('light', 'p(99)') },
  { what: 'the same p50, as a multiple of /health', unit: 'x', most: 80, guard: true, value: (m) => m('light', 'med') / m('baseline', 'med') },
  { what: 'of which waiting in the queue, p50', unit: 'ms', value: (m) => m('split_queue', 'med') },
  { what: 'of which setting up the sandbox, p50', unit: 'ms', value: (m) => m('split_setup', 'med') },
  { what: 'of which running, p50', unit: 'ms', value: (m) => m('split_run', 'med') },
  { what: 'of which storing the outcome, p50', unit: 'ms', value: (m) => m('split_store', 'med') },
  { what: 'Rust, one caller, p50', unit: 'ms', value: (m) => m('light_rust', 'med') },
  { what: 'Go, 16 callers', unit: '/s', least: 400, digits: 0, value: (m) => m('full_answered', 'count') / SECONDS },
  { what: 'the same, as a share of /health', unit: 'x', digits: 4, least: 0.01, guard: true, value: (m) => m('full_answered', 'count') / m('full_baseline', 'count') },
  { what: 'Go, 16 callers, p50', unit: 'ms', value: (m) => m('full', 'med') },
]);
