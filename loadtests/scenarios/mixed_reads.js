// What a console and an integration do all day: read. Lists, single resources, logs.

import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { authorised, deploy, get, health, invokeAsync, tenant } from './lib/client.js';
import { rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const SECONDS = Number(__ENV.SECONDS_EACH || 10);
const EXECUTIONS = 200;

const reads = new Trend('reads', true);
const answered = new Counter('reads_answered');
const baseline = new Counter('baseline_answered');

const phase = (exec, start) => ({
  executor: 'constant-vus', exec, vus: 16, duration: `${SECONDS}s`, startTime: start, gracefulStop: '5s',
});

export const options = common(
  { baseline: phase('ping', '0s'), reads: phase('read', `${SECONDS + 1}s`) },
  { checks: ['rate>0.999'] },
);

export function setup() {
  const owner = tenant('reads');
  const id = deploy(owner, rustHello);
  let last;
  for (let n = 0; n < EXECUTIONS; n++) last = invokeAsync(owner, id, { name: `${n}` });
  const execution = last.json('data.execution_id');
  get(`/functions/executions/${execution}?wait=20s`, authorised(owner), 'execution');
  return { owner, id, execution };
}

export function ping() {
  baseline.add(health().status === 200 ? 1 : 0);
}

export function read({ owner, id, execution }) {
  const paths = [
    ['function', `/functions/${id}`],
    ['functions', `/functions?project_id=${owner.project_id}`],
    ['execution', `/functions/executions/${execution}`],
    ['executions', `/functions/${id}/executions?limit=20`],
    ['logs', `/functions/${id}/logs?limit=20`],
  ];
  const [name, path] = paths[__ITER % paths.length];
  const response = get(path, authorised(owner), name);
  reads.add(response.timings.duration, { name });
  answered.add(response.status === 200 ? 1 : 0);
  check(response, { 'read': (r) => r.status === 200 });
}

export const handleSummary = reportOf('mixed_reads', [
  { what: '/health, 16 clients', unit: '/s', digits: 0, value: (m) => m('baseline_answered', 'count') / SECONDS },
  { what: 'reads, 16 clients', unit: '/s', least: 3000, digits: 0, value: (m) => m('reads_answered', 'count') / SECONDS },
  { what: 'the same, as a share of /health', unit: 'x', least: 0.1, guard: true, value: (m) => m('reads_answered', 'count') / m('baseline_answered', 'count') },
  { what: 'a read, p95', unit: 'ms', most: 10, value: (m) => m('reads', 'p(95)') },
]);
