// Accepting is quick and nothing accepted is lost: 200 calls a second are accepted, then every one of
// them must have ended, once. Then a long line is accepted at once, and drained.

import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { authorised, deploy, execution, expect, get, invokeAsync, invokeBatch, tenant } from './lib/client.js';
import { goHello, rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 15);
const RATE = 200;
const DRAIN_SECONDS = 50;
/** Of a batch, and how many there are: some five seconds of work. */
const BATCH = 100;
const BATCHES = Math.max(1, 2 * SECONDS);

const accepted = new Counter('accepted');
const acceptance = new Trend('acceptance', true);
const unfinished = new Counter('unfinished');
const drain = new Trend('drain', true);
const line = new Trend('line', true);

export const options = common(
  {
    burst: {
      executor: 'constant-arrival-rate', exec: 'push', rate: RATE, timeUnit: '1s',
      duration: `${SECONDS}s`, preAllocatedVUs: 50, maxVUs: 400, gracefulStop: '30s',
    },
  },
  { checks: ['rate>0.999'], unfinished: ['count==0'], dropped_iterations: ['count==0'] },
);

export function setup() {
  const owner = tenant('async');
  return { owner, id: deploy(owner, rustHello), go: deploy(owner, goHello) };
}

export function push({ owner, id }) {
  const response = invokeAsync(owner, id, { name: 'Ada' });
  acceptance.add(response.timings.duration);
  accepted.add(response.status === 202 ? 1 : 0);
  check(response, { 'accepted with a place to look': (r) => r.status === 202 && r.headers.Location });
}

export function teardown({ owner, id, go }) {
  drain.add(untilAllEnded(owner, id));
  const start = Date.now();
  const inputs = Array(BATCH).fill({ name: 'Ada' });
  for (let n = 0; n < BATCHES; n++) expect(202, invokeBatch(owner, go, inputs), 'invoke-batch');
  untilAllEnded(owner, go);
  line.add(Date.now() - start);
}

/** Waits until nothing is pending or running, for so many ms; what is then left over counts as lost. */
function untilAllEnded(owner, id) {
  const start = Date.now();
  for (;;) {
    const open = ['pending', 'running'].flatMap((status) => left(owner, id, status));
    if (open.length === 0) break;
    if (Date.now() - start > DRAIN_SECONDS * 1000) {
      unfinished.add(open.length);
      break;
    }
    // The newest ends last, or nearly.
    execution(owner, open[0].execution_id, '5s');
  }
  return Date.now() - start;
}

function left(owner, id, status) {
  const page = get(`/functions/${id}/executions?status=${status}&limit=100`, authorised(owner), 'executions');
  return expect(200, page, 'executions').items;
}

export const handleSummary = reportOf('async_burst', [
  { what: 'accepted, 200 asked for each second', unit: '/s', digits: 0, value: (m) => m('accepted', 'count') / SECONDS },
  { what: '202, p95', unit: 'ms', most: 10, value: (m) => m('acceptance', 'p(95)') },
  { what: 'not ended after the burst and the line', unit: '', digits: 0, most: 0, guard: true, value: (m) => m('unfinished', 'count') || 0 },
  { what: 'until all had ended, after the last was accepted', unit: 'ms', digits: 0, value: (m) => m('drain', 'max') },
  { what: `a line of ${BATCH * BATCHES} Go calls, accepted and drained`, unit: '/s', digits: 0, least: 600, value: (m) => (1000 * BATCH * BATCHES) / m('line', 'max') },
]);
