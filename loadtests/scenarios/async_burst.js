// Accepting is quick and nothing accepted is lost: 200 calls a second are accepted, then every one of
// them must have ended, once. Then as many as the API takes at once, and the time to drain them.

import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { deploy, execution, expect, get, authorised, invokeAsync, tenant } from './lib/client.js';
import { rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 15);
const RATE = 200;
const DRAIN_SECONDS = 50;

const accepted = new Counter('accepted');
const acceptance = new Trend('acceptance', true);
const unfinished = new Counter('unfinished');
const drain = new Trend('drain', true);

export const options = common(
  {
    burst: {
      executor: 'constant-arrival-rate', exec: 'push', rate: RATE, timeUnit: '1s',
      duration: `${SECONDS}s`, preAllocatedVUs: 50, maxVUs: 400, gracefulStop: '30s',
    },
  },
  { checks: ['rate>0.999'], acceptance: ['p(95)<=10'], unfinished: ['count==0'], dropped_iterations: ['count==0'] },
);

export function setup() {
  const owner = tenant('async');
  return { owner, id: deploy(owner, rustHello) };
}

export function push({ owner, id }) {
  const response = invokeAsync(owner, id, { name: 'Ada' });
  acceptance.add(response.timings.duration);
  accepted.add(response.status === 202 ? 1 : 0);
  check(response, { 'accepted with a place to look': (r) => r.status === 202 && r.headers.Location });
}

/** Waits until nothing is pending or running; what is then left over counts as lost. */
export function teardown({ owner, id }) {
  const start = Date.now();
  for (;;) {
    const open = ['pending', 'running'].flatMap((status) => left(owner, id, status));
    if (open.length === 0) break;
    if (Date.now() - start > DRAIN_SECONDS * 1000) {
      unfinished.add(open.length);
      break;
    }
    execution(owner, open[0].execution_id, '5s');
    sleep(0.05);
  }
  drain.add(Date.now() - start);
}

function left(owner, id, status) {
  const page = get(`/functions/${id}/executions?status=${status}&limit=100`, authorised(owner), 'executions');
  return expect(200, page, 'executions').items;
}

export const handleSummary = reportOf('async_burst', [
  { what: 'accepted, 200 asked for each second', unit: '/s', digits: 0, value: (m) => m('accepted', 'count') / SECONDS },
  { what: '202, p95', unit: 'ms', most: 10, value: (m) => m('acceptance', 'p(95)') },
  { what: 'not ended after the burst', unit: '', digits: 0, most: 0, value: (m) => m('unfinished', 'count') || 0 },
  { what: 'until all had ended, after the last was accepted', unit: 'ms', digits: 0, value: (m) => m('drain', 'max') },
]);
