// What callers notice while every process is restarted in turn: `rolling.sh` does that. Callers keep their
// connections, take turns between two APIs, and ask the other one when a connection breaks, or when an API says
// that it is starting: a load balancer that asks /ready would not have sent them there.

import http from 'k6/http';
import { Counter } from 'k6/metrics';

import { authorised, deploy, server, tenant } from './lib/client.js';
import { rustHello } from './lib/functions.js';
import { options as common, reportOf } from './lib/report.js';

const servers = [server, __ENV.OTHER_SERVER];

const asked = new Counter('asked');
const accepted = new Counter('accepted');
const broken = new Counter('broken');
const early = new Counter('early');
const failed = new Counter('failed');

export const options = common(
  {
    calls: {
      executor: 'constant-vus', exec: 'call', vus: Number(__ENV.CALLERS || 8), duration: `${__ENV.SECONDS || 40}s`,
    },
  },
  { failed: ['count==0'] },
);

export function setup() {
  const owner = tenant('rolling');
  const id = deploy(owner, rustHello);
  // For the whole run: the API that tokens come from is restarted too.
  return { id, headers: Object.assign({ 'content-type': 'application/json' }, authorised(owner)) };
}

export function call({ id, headers }) {
  const [way, expected] = __ITER % 2 === 0 ? ['invoke', 200] : ['invoke-async', 202];
  const ask = (at) =>
    http.post(`${servers[at % 2]}/api/v1/functions/${id}/${way}`, '{"input":{"name":"Ada"}}', { headers });
  const first = __VU + Math.floor(__ITER / 2);
  let response = ask(first);
  // 0: no answer came. What was asked may be done all the same; that is not lost.
  const isBroken = response.status === 0;
  const isEarly = response.status === 503 && response.body.includes('this process is starting');
  if (isBroken) broken.add(1);
  if (isEarly) early.add(1);
  if (isBroken || isEarly) response = ask(first + 1);
  asked.add(1);
  const isDone = response.status === expected;
  accepted.add(isDone ? 1 : 0);
  failed.add(isDone ? 0 : 1);
  if (!isDone) console.error(`${way} at ${servers[first % 2]}: ${response.status} ${response.error} ${response.body}`);
}

export const handleSummary = reportOf('rolling', [
  { what: 'calls asked for, half of them sync', unit: '', digits: 0, value: (m) => m('asked', 'count') },
  { what: 'calls accepted', unit: '', digits: 0, value: (m) => m('accepted', 'count') },
  { what: 'calls whose connection broke, asked again at the other API', unit: '', digits: 0, value: (m) => m('broken', 'count') || 0 },
  { what: 'calls that an API refused because it was starting, asked again likewise', unit: '', digits: 0, value: (m) => m('early', 'count') || 0 },
  { what: 'calls that failed all the same', unit: '', digits: 0, most: 0, guard: true, value: (m) => m('failed', 'count') },
]);
