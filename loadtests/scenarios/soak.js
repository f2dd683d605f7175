// The same moderate load for long: latency must not creep, nothing may fail. `SECONDS_EACH=3600` for an
// hour; `run.sh` also reads the memory of every apprun process before and after.

import { check } from 'k6';
import { Trend } from 'k6/metrics';

import { deploy, invoke, tenant } from './lib/client.js';
import { goHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 30);
const RATE = 50;

const firstHalf = new Trend('first_half', true);
const secondHalf = new Trend('second_half', true);

export const options = common(
  {
    soak: {
      executor: 'constant-arrival-rate', exec: 'call', rate: RATE, timeUnit: '1s',
      duration: `${SECONDS}s`, preAllocatedVUs: 10, maxVUs: 100,
    },
  },
  { checks: ['rate==1'], dropped_iterations: ['count==0'] },
);

export function setup() {
  const owner = tenant('soak');
  return { owner, id: deploy(owner, goHello), start: Date.now() };
}

export function call({ owner, id, start }) {
  const response = invoke(owner, id, { name: 'Ada' });
  check(response, { 'answered': (r) => r.status === 200 });
  const half = Date.now() - start < SECONDS * 500 ? firstHalf : secondHalf;
  half.add(response.timings.duration);
}

export const handleSummary = reportOf('soak', [
  { what: `${RATE} calls a second, first half, p50`, unit: 'ms', value: (m) => m('first_half', 'med') },
  { what: `${RATE} calls a second, second half, p50`, unit: 'ms', value: (m) => m('second_half', 'med') },
  { what: 'second half as a multiple of the first', unit: 'x', most: 1.5, guard: true, value: (m) => m('second_half', 'med') / m('first_half', 'med') },
  { what: 'second half, p99', unit: 'ms', value: (m) => m('second_half', 'p(99)') },
]);
