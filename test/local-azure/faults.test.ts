import { afterEach, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm, signIn, writeAccount } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
const account = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`;

async function control(method: string, path: string, body?: unknown) {
  const response = await fetch(`${local.azure.controlUrl}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

function tag(value: string, signal?: AbortSignal): Promise<Response> {
  const { token } = local.azure.tokens.issue(signIn(local.azure, 'owner'), 'https://management.azure.com');
  return fetch(`https://management.azure.com${account}?api-version=2025-08-01`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tags: { value } }),
    ...(signal ? { signal } : {}),
  });
}
const held = () => local.azure.world.storageAccounts.get('stfiles01')?.tags.value;

afterEach(() => local.azure.faults.clear());

describe('faults of requests', () => {
  it('A fault answers in place of the service for the number of requests in times, after those in skip', async () => {
    const answer = { status: 429, headers: { 'Retry-After': '2' }, body: { error: { code: 'Busy' } } };
    const rule = {
      match: { host: 'management.*', method: 'get', path: '^/subscriptions/.*/stfiles01\\?' },
      times: 2,
      skip: 1,
      answer,
    };

    expect((await control('POST', '/faults', [rule])).status).toBe(200);

    const answers = [];

    for (let n = 0; n < 5; n++) answers.push(await arm(local.azure, 'GET', account));

    expect(answers.map(({ status }) => status)).toEqual([200, 429, 429, 200, 200]);
    expect([answers[1]?.headers.get('retry-after'), answers[1]?.body.error?.code]).toEqual(['2', 'Busy']);
  });

  it.each([
    ['reset', true, 'cut', 'never'],
    ['resetAfter', true, 'cut', 'at once'],
    ['resetThenMs', 600, 'cut', 'later'],
    ['delayMs', 600, 'answered', 'later'],
    ['delayAfterMs', 600, 'answered', 'at once'],
  ])('With the fault %s %j, the matching request is %s and takes effect %s', async (effect, value, outcome, when) => {
    const wanted = `by ${effect}`;

    await writeAccount(local.azure, account, { tags: { value: 'before' } });
    local.azure.faults.add([{ match: { method: 'PATCH' }, times: 1, [effect]: value }]);

    const started = performance.now();
    let ended = '';
    const ending = tag(wanted)
      .then(
        () => 'answered',
        () => 'cut',
      )
      .then((how) => {
        ended = how;
        return how;
      });

    await eventually('the fault is used', () => local.azure.faults.list().length === 0);

    if (when === 'at once') await eventually('it takes effect', () => held() === wanted);
    else expect(held()).toBe('before');
    if (outcome === 'answered') expect(ended).toBe('');

    expect(await ending).toBe(outcome);

    if (outcome === 'answered') expect(performance.now() - started).toBeGreaterThanOrEqual(Number(value) - 5);
    if (when === 'never') expect(held()).toBe('before');
    else await eventually('it takes effect', () => held() === wanted);
  });

  it('A request that hangs has no effect, and a delayed one has its effect although its caller has aborted', async () => {
    for (const [effect, says] of [
      [{ hang: true }, 'before'],
      [{ delayMs: 400 }, 'given up'],
    ] as const) {
      await writeAccount(local.azure, account, { tags: { value: 'before' } });
      local.azure.faults.add([{ match: { method: 'PATCH' }, times: 1, ...effect }]);

      const giving = new AbortController();
      const left = expect(tag('given up', giving.signal)).rejects.toThrow('it takes long');

      await eventually('the fault is used', () => local.azure.faults.list().length === 0);
      giving.abort(new Error('it takes long'));
      await left;
      await eventually('it is as it stays', () => held() === says);
    }
  });

  it('A fault applies only to the page of a list that it matches', async () => {
    const key = new TestKey(local.azure.world);

    for (let n = 1; n < 26; n++) key.add();

    const { token } = local.azure.tokens.issue(signIn(local.azure, 'owner'), 'https://vault.azure.net');
    const page = (url: string) => fetch(url, { headers: { authorization: `Bearer ${token}` } });
    const pageTwo = { host: 'kv-files.*', path: `^/keys/${key.name}/versions\\?.*skiptoken=` };

    local.azure.faults.add([{ match: pageTwo, times: 1, answer: { status: 503 } }]);

    let next: string | null = `${key.id()}/versions?api-version=7.4`;
    const statuses: number[] = [];

    while (next) {
      const answered: Response = await page(next);
      statuses.push(answered.status);
      next = answered.ok ? ((await answered.json()) as { nextLink: string | null }).nextLink : null;
    }

    expect(statuses).toEqual([200, 503]);
  });

  it.each([
    [{}, 'must be an array'],
    [[{ match: {} }], 'rule 0: needs exactly one of answer'],
    [[{ match: {}, hang: true, reset: true }], 'has hang, reset'],
    [
      [
        { match: {}, hang: true },
        { match: { path: '(' }, hang: true },
      ],
      'rule 1: match.path: is not a regular expression',
    ],
    [[{ match: { hots: 'x' }, hang: true }], 'rule 0: match'],
    [[{ match: {}, times: 0, hang: true }], 'rule 0: times'],
    [[{ match: { delivery: true }, hang: true }], 'rule 0'],
    [[{ match: { delivery: true }, duplicate: 1 }], 'rule 0: duplicate'],
    [[7], 'rule 0'],
  ])('POST /faults rejects %j with the reason and adds no rule', async (rules, message) => {
    const { status, body } = await control('POST', '/faults', rules);
    expect(status).toBe(400);
    expect(body.error).toContain(message);
    expect(local.azure.faults.list()).toEqual([]);
  });
});

describe('the control API', () => {
  it('POST /clock moves the clock forward', async () => {
    const before = local.azure.clock.nowMs();
    const { status, body } = await control('POST', '/clock', { advance: 'PT24H' });
    expect(status).toBe(200);
    expect(Date.parse(body.now) - before).toBeGreaterThanOrEqual(24 * 3_600_000);
  });

  it.each([{ advance: '24h' }, { advance: 'P' }, { advance: 7 }, {}, { advance: 'PT1H', more: 1 }])(
    'POST /clock rejects %j',
    async (body) => {
      expect((await control('POST', '/clock', body)).status).toBe(400);
    },
  );

  it('GET /requests lists each request after a sequence number', async () => {
    const since = local.azure.requests.last;

    await arm(local.azure, 'GET', `${account}?api-version=2025-08-01`, {
      headers: { 'x-ms-client-request-id': 'abc' },
    });

    const { body } = await control('GET', `/requests?since=${since}`);
    expect(body).toEqual([
      {
        seq: since + 1,
        time: expect.any(String),
        host: 'management.azure.com',
        method: 'GET',
        path: `${account}?api-version=2025-08-01`,
        status: 200,
        durationMs: expect.any(Number),
        clientRequestId: 'abc',
        caller: 'owner',
      },
    ]);

    expect((await control('GET', '/requests?since=x')).status).toBe(400);
  });

  it('PATCH /settings changes settings, and rejects an unknown one and an invalid value', async () => {
    expect((await control('PATCH', '/settings', { latencyMs: 1 })).body).toMatchObject({ latencyMs: 1 });
    expect((await control('PATCH', '/settings', { latency: 1 })).status).toBe(400);
    expect((await control('PATCH', '/settings', { latencyMs: -1 })).status).toBe(400);
    await control('PATCH', '/settings', { latencyMs: 0 });
  });
});
