// Nothing, then two hundred callers within a second, then nothing: everybody is answered in the end,
// and the first call after the spike is as quick as the last one before.

import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { deploy, execution, expect, invoke, invokeAsync, tenant } from './lib/client.js';
import { rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const CALLERS = Number(__ENV.CALLERS || 200);

const before = new Trend('before', true);
const spike = new Trend('spike', true);
const after = new Trend('after', true);
const ended = new Counter('ended');

export const options = common(
  {
    before: { executor: 'per-vu-iterations', exec: 'callBefore', vus: 1, iterations: 50 },
    spike: { executor: 'per-vu-iterations', exec: 'burst', vus: CALLERS, iterations: 1, startTime: '5s', maxDuration: '60s' },
    after: { executor: 'per-vu-iterations', exec: 'callAfter', vus: 1, iterations: 50, startTime: '15s' },
  },
  { checks: ['rate==1'], ended: [`count==${CALLERS}`] },
);

export function setup() {
  const owner = tenant('spike');
  return { owner, id: deploy(owner, rustHello) };
}

export function callBefore(data) {
  before.add(call(data));
}

export function callAfter(data) {
  after.add(call(data));
}

function call({ owner, id }) {
  const response = invoke(owner, id, { name: 'Ada' });
  check(response, { 'answered': (r) => r.status === 200 });
  sleep(0.02);
  return response.timings.duration;
}

export function burst({ owner, id }) {
  const start = Date.now();
  const { execution_id } = expect(202, invokeAsync(owner, id, { name: 'Ada' }), 'invoke-async');
  const last = expect(200, execution(owner, execution_id, '30s'), 'execution');
  spike.add(Date.now() - start);
  ended.add(last.status === 'completed' ? 1 : 0);
}

export const handleSummary = reportOf('spike', [
  { what: `accepted and ended, of ${CALLERS} at once`, unit: '', digits: 0, least: CALLERS, guard: true, value: (m) => m('ended', 'count') },
  { what: 'from asking to having the result, p95', unit: 'ms', digits: 0, value: (m) => m('spike', 'p(95)') },
  { what: 'a call before the spike, p50', unit: 'ms', value: (m) => m('before', 'med') },
  { what: 'a call after the spike, p50', unit: 'ms', value: (m) => m('after', 'med') },
]);
