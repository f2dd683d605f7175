// More than the machine can do: what is answered must stay as much as before, and the rest must be
// refused at once with a time to come back, never hang and never fail otherwise.

import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { deploy, invoke, tenant } from './lib/client.js';
import { rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 10);
const CAPACITY_CLIENTS = 16;
const FACTOR = 5;

const capacity = new Counter('capacity');
const good = new Counter('good');
const refused = new Counter('refused');
const refusal = new Trend('refusal', true);

const phase = (exec, vus, start) => ({
  executor: 'constant-vus', exec, vus, duration: `${SECONDS}s`, startTime: `${start}s`, gracefulStop: '15s',
});

export const options = common(
  {
    capacity: phase('within', CAPACITY_CLIENTS, 0),
    overload: phase('beyond', CAPACITY_CLIENTS * FACTOR, SECONDS + 2),
  },
  { checks: ['rate==1'] },
);

export function setup() {
  const owner = tenant('overload');
  return { owner, id: deploy(owner, rustHello) };
}

export function within({ owner, id }) {
  capacity.add(invoke(owner, id, { name: 'Ada' }).status === 200 ? 1 : 0);
}

export function beyond({ owner, id }) {
  const response = invoke(owner, id, { name: 'Ada' });
  const isRefusal = response.status === 503 || response.status === 429;
  check(response, {
    'answered, or refused with a time to come back': (r) =>
      r.status === 200 || (isRefusal && r.headers['Retry-After'] !== undefined),
  });
  good.add(response.status === 200 ? 1 : 0);
  if (isRefusal) {
    refused.add(1);
    refusal.add(response.timings.duration);
  }
}

export const handleSummary = reportOf('overload', [
  { what: `calls, ${CAPACITY_CLIENTS} clients`, unit: '/s', digits: 0, value: (m) => m('capacity', 'count') / SECONDS },
  { what: `calls, ${CAPACITY_CLIENTS * FACTOR} clients`, unit: '/s', digits: 0, value: (m) => m('good', 'count') / SECONDS },
  { what: 'goodput under overload, as a share', unit: 'x', least: 0.8, value: (m) => m('good', 'count') / m('capacity', 'count') },
  { what: 'refused with a time to come back', unit: '', digits: 0, value: (m) => m('refused', 'count') || 0 },
  { what: 'a refusal, p95', unit: 'ms', value: (m) => m('refusal', 'p(95)') },
]);
