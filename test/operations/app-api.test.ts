import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appApi } from '../../src/operations/app-api.ts';

let answer = { status: 200, body: '{}' };
const server = createServer((_, response) => response.writeHead(answer.status).end(answer.body));
let address: string;
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});
afterAll(() => server.close());

const scopes: unknown[] = [];
const api = (audience = 'api://app', at = address) =>
  appApi(at, audience, {
    getToken: async (scope) => {
      scopes.push(scope);
      return { token: 't', expiresOnTimestamp: 0 };
    },
  });

describe('the API of the app, as an operator calls it', () => {
  it.each([
    ['api://app', 'api://app/.default'],
    ['a9100000-0000-4000-8000-00000000c3c3,api://app', 'api://app/.default'],
    ['a9100000-0000-4000-8000-00000000c3c3', 'a9100000-0000-4000-8000-00000000c3c3/.default'],
  ])('CMK_API_AUDIENCE as the app itself takes it: %s', async (audience, scope) => {
    answer = { status: 200, body: '{}' };
    await api(audience).get('/fleet');
    expect(scopes.at(-1)).toBe(scope);
  });

  it.each([
    [401, '{"detail":"No.","nextStep":"Sign in."}', 'SignInNeeded', /answers 401: No\./],
    [403, '{"detail":"No role."}', 'MissingPermission', /answers 403: No role\./],
    [503, '{"detail":"Later."}', 'ServiceUnavailable', /answers 503: Later\./],
    [404, '{"reason":"NoDriftReport","detail":"None yet."}', 'NoDriftReport', /None yet\./],
    [502, '<html>Bad Gateway</html>', 'ServiceUnavailable', /answers 502/],
    [200, '<html>Sign in here</html>', 'ServiceUnavailable', /answers 200, and not as the API of the app does/],
  ])('%i %s: %s', async (status, body, reason, message) => {
    answer = { status, body };
    await expect(api().get('/fleet')).rejects.toMatchObject({ reason, message: expect.stringMatching(message) });
  });

  it('says that nobody answers', async () => {
    await expect(api('api://app', 'http://127.0.0.1:1/api').get('/fleet')).rejects.toMatchObject({
      reason: 'ServiceUnavailable',
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });
});
