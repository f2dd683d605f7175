// Long executions, cancelled while they run: each ends as cancelled, within a second.

import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { cancel, deploy, execution, expect, invokeAsync, tenant } from './lib/client.js';
import { sleeper } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const ITERATIONS = Number(__ENV.ITERATIONS || 5);

const ended = new Trend('cancelled_after', true);
const cancelled = new Counter('cancelled');

export const options = common(
  { cancel: { executor: 'per-vu-iterations', exec: 'startAndCancel', vus: 4, iterations: ITERATIONS } },
  { checks: ['rate==1'], cancelled_after: ['max<=1000'] },
);

export function setup() {
  const owner = tenant('cancel');
  return { owner, id: deploy(owner, sleeper) };
}

export function startAndCancel({ owner, id }) {
  const { execution_id } = expect(202, invokeAsync(owner, id, { ms: 25000 }), 'invoke-async');
  while (expect(200, execution(owner, execution_id), 'execution').status === 'pending') sleep(0.02);
  const start = Date.now();
  expect(200, cancel(owner, execution_id), 'cancel');
  const last = expect(200, execution(owner, execution_id, '5s'), 'execution');
  ended.add(Date.now() - start);
  cancelled.add(1);
  check(last, { 'it ended as cancelled': (e) => e.status === 'cancelled' });
}

export const handleSummary = reportOf('long_cancel', [
  { what: 'running executions cancelled', unit: '', digits: 0, value: (m) => m('cancelled', 'count') },
  { what: 'until it had ended, worst', unit: 'ms', digits: 0, most: 1000, guard: true, value: (m) => m('cancelled_after', 'max') },
]);
