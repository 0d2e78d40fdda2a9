import * as fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';

// Guards invariant 9 (fail closed: nothing that an event or a message supplies becomes a host name or a path without
// matching a managed vault) and invariant 8 (work survives: no message is lost, and no process dies of one).

const app = useApp();

// What the lists of the start lead to logs, and asks every managed vault.
beforeAll(async () => {
  await app.listed();
  await app.settled();
});

const QUEUES = ['key-work', 'fleet-work'] as const;
const EVENTS = 500;
const MESSAGES = 500;
const FUNCTIONS = ['keyNewVersionCreated', 'keyNearExpiry', 'keyExpired'] as const;
const MANAGED = ['kv-files', 'kv-records'];
const VAULTS = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults`;
const REFUSALS = ['EventMalformed', 'EventTypeUnknown', 'EventVaultNotManaged', 'EventVaultMismatch'];

const version = fc.string({ minLength: 32, maxLength: 32, unit: fc.constantFrom(...'0123456789abcdef') });
const host = fc.constantFrom(
  'kv-other.vault.azure.net',
  'evil.example.com',
  'kv-files.vault.azure.net.evil.example.com',
  'kv-files.vault.azure.net@evil.example.com',
  'kv-files.vault.azure.net:8443',
  'kv-files.vault.usgovcloudapi.net',
  'kv-files.managedhsm.azure.net',
  '169.254.169.254',
  'management.azure.com',
);
const scheme = fc.constantFrom('https://', 'http://', 'HTTPS://', 'file://', '//');
/** Identifiers that all are wrong in some way: another host, another path, a version that is none. */
const keyId = fc.oneof(
  fc.tuple(scheme, host, version).map(([s, h, v]) => `${s}${h}/keys/files-key/${v}`),
  version.map((v) => `https://kv-files.vault.azure.net/secrets/files-key/${v}`),
  version.map((v) => `https://kv-files.vault.azure.net/keys/../keys/files-key/${v}`),
  version.map((v) => `https://kv-files.vault.azure.net/keys/files%2fkey/${v}`),
  fc.string().map((text) => `https://kv-files.vault.azure.net/keys/files-key/${text}`),
  fc.webUrl(),
  fc.string(),
);
const source = fc.oneof(
  fc.constantFrom(
    `${VAULTS}/kv-files`,
    `${VAULTS}/kv-records`.toUpperCase(),
    `${VAULTS}/kv-other`,
    `${VAULTS}/kv-files/x`,
  ),
  fc.string(),
);
const type = fc.oneof(
  fc
    .constantFrom('KeyNewVersionCreated', 'KeyNearExpiry', 'KeyExpired', 'SecretNewVersionCreated')
    .map((name) => `Microsoft.KeyVault.${name}`),
  fc.string(),
);
const anything = fc
  .anything({ maxDepth: 3, withNullPrototype: false })
  .map((value) => JSON.parse(JSON.stringify(value ?? null)));
const wild = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 6, arbitrary }, { weight: 1, arbitrary: anything });
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        id: wild(fc.string()),
        specversion: fc.constant('1.0'),
        type: wild(type),
        source: wild(source),
        time: wild(fc.string()),
        subject: wild(fc.string()),
        data: wild(
          fc.record(
            { Id: wild(keyId), VaultName: fc.string(), ObjectType: wild(fc.constantFrom('Key', 'Secret')) },
            { requiredKeys: [] },
          ),
        ),
      },
      { requiredKeys: [] },
    ),
  },
  {
    weight: 1,
    arbitrary: anything.filter((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
  },
);
const cause = fc.record({ by: fc.string(), ref: fc.string(), since: fc.string() });
/** Messages that may well be of the right form, and name keys and subscriptions that are none of ours. */
const some = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ cause: wild(cause), attempt: wild(fc.nat(30)), ...fields }, { requiredKeys: [] });
const message = fc.oneof(
  some({ kind: fc.constant('key'), key: wild(keyId) }),
  some({ kind: fc.constant('account'), account: wild(fc.string()), key: wild(keyId) }),
  some({ kind: fc.constant('subscriptions'), subscriptions: wild(fc.array(fc.string())) }),
  anything,
);
/** What may stand in a queue message: Azure Queue Storage takes text that XML can hold, and none that is empty. */
const text = fc
  .oneof(
    { weight: 4, arbitrary: message.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.string({ minLength: 1 }) },
  )
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are what XML 1.0 cannot hold
  .map((value) => value.replaceAll(/[\u0000-\u001f\ufffe\uffff]|[\ud800-\udfff]/g, '?'))
  .filter((value) => value.trim() !== '');

it('1,000 malformed events and messages are rejected with a reason each, end no process, and cause no stray request', async () => {
  const { pid } = app;
  const since = app.azure.requests.last;
  const before = app.records().length;
  const seed = 20260101;
  const events = fc.sample(fc.tuple(fc.constantFrom(...FUNCTIONS), event), { numRuns: EVENTS, seed });
  for (let at = 0; at < events.length; at += 25) {
    const statuses = await Promise.all(events.slice(at, at + 25).map(([name, body]) => app.deliver(name, body)));
    expect(new Set(statuses)).toEqual(new Set([202])); // refused for good: not sent again
  }

  const texts = fc.sample(fc.tuple(fc.constantFrom(...QUEUES), text), { numRuns: MESSAGES, seed });
  for (let at = 0; at < texts.length; at += 50) {
    const batch = texts.slice(at, at + 50);
    await Promise.all(batch.map(([queue, body]) => app.queues.getQueueClient(queue).sendMessage(body)));
  }

  await app.settled();

  const counts = await Promise.all(QUEUES.map((queue) => app.count(`${queue}-poison`)));
  const poisoned = counts.reduce((sum, count) => sum + count, 0);

  const records = await eventually('a record of every refusal', () => {
    const all = app.records().slice(before);
    return all.length >= EVENTS + MESSAGES && all;
  });
  const said = (...reasons: readonly string[]) => records.filter(({ reason }) => reasons.includes(reason)).length;

  expect(said(...REFUSALS)).toBe(EVENTS);
  expect(said('Poisoned')).toBe(poisoned);

  // A message about a key that is none of ours may be of the right form: it is a hint, and dropped.
  expect(said('VaultNotManaged')).toBe(MESSAGES - poisoned);
  expect(records).toHaveLength(EVENTS + MESSAGES);

  expect(app.alive()).toBe(true);
  expect(app.pid).toBe(pid);
  expect(app.output()).not.toMatch(/Worker uncaught exception|Exception while executing|\(Failed, Id=/);

  const allowed = [
    ...MANAGED.map((name) => `${name}.vault.azure.net`),
    'management.azure.com',
    'login.microsoftonline.com',
  ];

  const hosts = app.azure.requests.since(since).map(({ host: asked }) => asked);
  expect(hosts.filter((asked) => !allowed.includes(asked))).toEqual([]);
});
