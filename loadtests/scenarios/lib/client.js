// What every scenario needs of apprun: an account, a token that does not run out, a function that
// serves. Nothing here measures; scenarios do.

import http from 'k6/http';
import { fail, sleep } from 'k6';

export const server = __ENV.APPRUN_SERVER || 'http://127.0.0.1:8080';
const api = `${server}/api/v1`;
const password = 'a password of the load test';

// Access tokens live 15 minutes; a longer run logs in again well before.
const TOKEN_USED_FOR_MS = 10 * 60 * 1000;
const BUILD_POLL_SECONDS = 0.1;
const BUILD_DEADLINE_MS = 120 * 1000;

/** A new tenant with one project, as plain data: `setup()` hands it to every virtual user. */
export function tenant(name) {
  const email = `${name}-${Date.now()}-${Math.floor(Math.random() * 1e9)}@load.example`;
  expect(201, post('/auth/register', { email, password }, {}), 'register');
  const owner = { email };
  const project = expect(201, post('/projects', { name }, authorised(owner)), 'create project');
  return { email, project_id: project.project_id };
}

const tokens = {}; // of this virtual user, by account

/** Headers that carry a token of the tenant's owner. */
export function authorised(tenant) {
  let token = tokens[tenant.email];
  if (!token || Date.now() - token.since > TOKEN_USED_FOR_MS) {
    const login = expect(200, post('/auth/login', { email: tenant.email, password }, {}), 'login');
    token = { value: login.access_token, since: Date.now() };
    tokens[tenant.email] = token;
  }
  return { authorization: `Bearer ${token.value}` };
}

/** Creates a function and waits until it serves; its id. */
export function deploy(tenant, settings) {
  const created = expect(201, create(tenant, settings), `create ${settings.name}`);
  waitUntilBuilt(tenant, created.function_id);
  return created.function_id;
}

/** The bare request that creates a function. */
export function create(tenant, settings) {
  const body = Object.assign({ project_id: tenant.project_id, trigger: 'http' }, settings);
  return post('/functions', body, authorised(tenant), 'create');
}

/** Polls until the function serves; fails the iteration when its build failed or takes minutes. */
export function waitUntilBuilt(tenant, id, pollSeconds = BUILD_POLL_SECONDS) {
  const deadline = Date.now() + BUILD_DEADLINE_MS;
  for (;;) {
    const now = expect(200, get(`/functions/${id}`, authorised(tenant), 'function'), 'get function');
    if (now.status === 'active') return;
    if (now.status === 'failed') fail(`the build of ${id} failed`);
    if (Date.now() > deadline) fail(`the build of ${id} did not end`);
    sleep(pollSeconds);
  }
}

export function invoke(tenant, id, input, tags) {
  return post(`/functions/${id}/invoke`, { input }, authorised(tenant), 'invoke', tags);
}

export function invokeAsync(tenant, id, input, tags) {
  return post(`/functions/${id}/invoke-async`, { input }, authorised(tenant), 'invoke-async', tags);
}

/** Accepts a call for each input. */
export function invokeBatch(tenant, id, inputs) {
  return post(`/functions/${id}/invoke-batch`, { inputs }, authorised(tenant), 'invoke-batch');
}

/** Deletes a function; what waits of it will not run. */
export function remove(tenant, id) {
  return http.del(`${api}/functions/${id}`, null, { headers: authorised(tenant), tags: { name: 'delete' } });
}

/** One execution; `wait` (as in '20s') holds the answer back until it has ended. */
export function execution(tenant, id, wait) {
  const query = wait ? `?wait=${wait}` : '';
  return get(`/functions/executions/${id}${query}`, authorised(tenant), 'execution');
}

export function cancel(tenant, id) {
  return post(`/functions/executions/${id}/cancel`, {}, authorised(tenant), 'cancel');
}

export function get(path, headers, name) {
  return http.get(api + path, { headers, tags: { name: name || path } });
}

export function health() {
  return http.get(`${server}/health`, { tags: { name: 'health' } });
}

/** The `data` of an answer that must have this status; anything else ends the iteration. */
export function expect(status, response, what) {
  if (response.status !== status) {
    fail(`${what}: ${response.status} instead of ${status}: ${response.body}`);
  }
  return response.json('data');
}

function post(path, body, headers, name, tags) {
  return http.post(api + path, JSON.stringify(body), {
    headers: Object.assign({ 'content-type': 'application/json' }, headers),
    tags: Object.assign({ name: name || path }, tags),
    timeout: '120s',
  });
}
