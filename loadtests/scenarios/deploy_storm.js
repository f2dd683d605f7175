// Many people deploy at once while others call: builds queue, calls keep their latency.

import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { create, deploy, expect, invoke, tenant, waitUntilBuilt } from './lib/client.js';
import { goHello, uniqueGo } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const DEPLOYS = Number(__ENV.DEPLOYS || 50);
const QUIET_SECONDS = 8;
/** Short beside what is measured. */
const KNOWN_POLL_SECONDS = 0.005;

const quiet = new Trend('quiet', true);
const stormy = new Trend('stormy', true);
const build = new Trend('build', true);
const again = new Trend('again', true);
const built = new Counter('built');

export const options = common(
  {
    quiet: { executor: 'constant-vus', exec: 'callQuiet', vus: 1, duration: `${QUIET_SECONDS}s` },
    storm: {
      executor: 'per-vu-iterations', exec: 'deployOne', vus: DEPLOYS, iterations: 1,
      startTime: `${QUIET_SECONDS + 1}s`, maxDuration: '180s',
    },
    stormy: {
      executor: 'constant-vus', exec: 'callStormy', vus: 1, startTime: `${QUIET_SECONDS + 2}s`,
      duration: '10s',
    },
    again: {
      executor: 'per-vu-iterations', exec: 'deployKnown', vus: 1, iterations: 20, startTime: '60s',
    },
  },
  { checks: ['rate==1'], built: [`count==${DEPLOYS}`] },
);

export function setup() {
  const owner = tenant('storm');
  return { owner, id: deploy(owner, goHello), mark: `${Date.now()}` };
}

export function callQuiet(data) {
  quiet.add(call(data));
}

export function callStormy(data) {
  stormy.add(call(data));
}

function call({ owner, id }) {
  const response = invoke(owner, id, { name: 'Ada' });
  check(response, { 'answered': (r) => r.status === 200 });
  return response.timings.duration;
}

export function deployOne({ owner, mark }) {
  const start = Date.now();
  const made = expect(201, create(owner, uniqueGo(`${mark}-${__VU}`)), 'create');
  waitUntilBuilt(owner, made.function_id);
  build.add(Date.now() - start);
  built.add(1);
}

/** The source is known, only the name is new: nothing has to be compiled. */
export function deployKnown({ owner }) {
  const start = Date.now();
  const made = expect(201, create(owner, Object.assign({}, goHello, { name: `again-${__ITER}` })), 'create');
  waitUntilBuilt(owner, made.function_id, KNOWN_POLL_SECONDS);
  again.add(Date.now() - start);
}

export const handleSummary = reportOf('deploy_storm', [
  { what: `deployed at once and serving, of ${DEPLOYS}`, unit: '', digits: 0, least: DEPLOYS, guard: true, value: (m) => m('built', 'count') },
  { what: 'create to active under the storm, p50', unit: 'ms', digits: 0, value: (m) => m('build', 'med') },
  { what: 'create to active of a known source, p50', unit: 'ms', digits: 0, most: 50, value: (m) => m('again', 'med') },
  { what: 'a call when nothing is built, p50', unit: 'ms', value: (m) => m('quiet', 'med') },
  { what: 'a call during the storm, p50', unit: 'ms', value: (m) => m('stormy', 'med') },
  { what: 'the storm as a factor', unit: 'x', most: 2, value: (m) => m('stormy', 'med') / m('quiet', 'med') },
]);
