// One tenant floods; another calls now and then. The quiet one must hardly notice.

import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { deploy, expect, invoke, invokeAsync, remove, tenant } from './lib/client.js';
import { rustHello, spinner } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 10);

const alone = new Trend('alone', true);
const beside = new Trend('beside', true);
const flooded = new Counter('flooded');

export const options = common(
  {
    alone: { executor: 'constant-vus', exec: 'callAlone', vus: 1, duration: `${SECONDS}s` },
    flood: {
      executor: 'constant-arrival-rate', exec: 'flood', rate: 300, timeUnit: '1s', preAllocatedVUs: 30,
      maxVUs: 200, startTime: `${SECONDS + 1}s`, duration: `${SECONDS + 2}s`,
    },
    beside: {
      executor: 'constant-vus', exec: 'callBeside', vus: 1, startTime: `${SECONDS + 3}s`, duration: `${SECONDS}s`,
    },
  },
  { checks: ['rate>0.999'] },
);

export function setup() {
  const quiet = tenant('quiet');
  const loud = tenant('loud');
  return { quiet, id: deploy(quiet, rustHello), loud, noise: deploy(loud, spinner) };
}

export function callAlone(data) {
  alone.add(call(data));
}

export function callBeside(data) {
  beside.add(call(data));
}

function call({ quiet, id }) {
  const response = invoke(quiet, id, { name: 'Ada' });
  check(response, { 'the quiet tenant is answered': (r) => r.status === 200 });
  sleep(0.05);
  return response.timings.duration;
}

export function flood({ loud, noise }) {
  flooded.add(invokeAsync(loud, noise, { ms: 20 }).status === 202 ? 1 : 0);
}

/** The next scenario gets an idle machine. */
export function teardown({ loud, noise }) {
  expect(200, remove(loud, noise), 'delete');
}

export const handleSummary = reportOf('noisy_neighbour', [
  { what: 'accepted of the loud tenant', unit: '', digits: 0, value: (m) => m('flooded', 'count') },
  { what: 'the quiet tenant alone, p50', unit: 'ms', value: (m) => m('alone', 'med') },
  { what: 'the quiet tenant beside the flood, p50', unit: 'ms', value: (m) => m('beside', 'med') },
  { what: 'the flood as a factor', unit: 'x', most: 20, value: (m) => m('beside', 'med') / m('alone', 'med') },
  { what: 'the quiet tenant beside the flood, p99', unit: 'ms', most: 5000, guard: true, value: (m) => m('beside', 'p(99)') },
]);
