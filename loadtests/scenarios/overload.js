// More than the machine can do: calls come faster and faster, to several times what it managed. What is
// answered must stay near that, and the rest must be refused at once with a time to come back, never hang
// and never fail otherwise. `run.sh` gives this scenario a server that takes few requests at once.

import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';

import { deploy, invoke, tenant } from './lib/client.js';
import { rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 10);
const CAPACITY_CLIENTS = 16;
/** Calls a second at the top of the ramp: some five times what two cores do. */
const TOP_RATE = Number(__ENV.TOP_RATE || 1500);
/** Of the time in which calls come, the first third goes up. */
const RAMP_SHARE = 1 / 3;

const capacity = new Counter('capacity');
const good = new Counter('good');
const refused = new Counter('refused');
const refusal = new Trend('refusal', true);

export const options = common(
  {
    capacity: {
      executor: 'constant-vus', exec: 'within', vus: CAPACITY_CLIENTS, duration: `${SECONDS}s`, gracefulStop: '15s',
    },
    overload: {
      executor: 'ramping-arrival-rate', exec: 'beyond', startTime: `${SECONDS + 2}s`, gracefulStop: '15s',
      startRate: 50, timeUnit: '1s', preAllocatedVUs: 200, maxVUs: 400,
      stages: [
        { target: TOP_RATE, duration: `${Math.ceil(SECONDS / 2)}s` },
        { target: TOP_RATE, duration: `${SECONDS}s` },
      ],
    },
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
  const isAtTheTop = exec.scenario.progress >= RAMP_SHARE;
  const response = invoke(owner, id, { name: 'Ada' });
  const isRefusal = response.status === 503 || response.status === 429;
  check(response, {
    'answered, or refused with a time to come back': (r) =>
      r.status === 200 || (isRefusal && r.headers['Retry-After'] !== undefined),
  });
  if (isAtTheTop) good.add(response.status === 200 ? 1 : 0);
  if (isRefusal) {
    refused.add(1);
    refusal.add(response.timings.duration);
  }
}

const share = (m) => m('good', 'count') / m('capacity', 'count');
const mustRefuse = __ENV.APPRUN_MAX_REQUESTS ? { least: 1, guard: true } : {};

export const handleSummary = reportOf('overload', [
  { what: `calls, ${CAPACITY_CLIENTS} clients`, unit: '/s', digits: 0, value: (m) => m('capacity', 'count') / SECONDS },
  { what: `calls answered, ${TOP_RATE} asked for a second`, unit: '/s', digits: 0, value: (m) => m('good', 'count') / SECONDS },
  { what: 'goodput under overload, as a share', unit: 'x', least: 0.8, value: share },
  { what: 'the same', unit: 'x', least: 0.3, guard: true, value: share },
  Object.assign({ what: 'refused with a time to come back', unit: '', digits: 0, value: (m) => m('refused', 'count') || 0 }, mustRefuse),
  { what: 'a refusal, p95', unit: 'ms', value: (m) => m('refusal', 'p(95)') },
]);
