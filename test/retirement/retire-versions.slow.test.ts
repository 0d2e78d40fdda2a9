import { describe, expect, it } from 'vitest';
import { describeFailure, describe as say } from '../../src/azure/failure.ts';
import { finishRetirements } from '../../src/retirement/confirm-retirement.ts';
import {
  type Retirement,
  type RetireOptions,
  retirementEntry,
  retireUnused,
} from '../../src/retirement/retire-versions.ts';
import type { Services } from '../../src/services.ts';
import { outsider } from '../drift/outsider.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const HOUR_MS = 3_600_000;
const world = () => wire.azure.world;

interface Came {
  readonly version: string;
  readonly outcome: Retirement['outcome'] | 'failed';
  readonly detail: string;
}

/** Runs the retirement of one key; returns what came of each version that the key alone lets go, and what is audited. */
async function retire(
  key: TestKey,
  change: (services: Services) => Partial<Services> = () => ({}),
  readMs = 600_000,
  proof: RetireOptions['proof'] = 'person',
) {
  const audited: unknown[] = [];
  const outcome: Came[] = [];
  const services = wire.services();
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');
  try {
    const options = { readMs, disable: true, proof } as const;
    for await (const one of retireUnused(managed, options, { ...services, ...change(services) })) {
      if (one.outcome === 'kept' && /No newer|has to be/.test(one.reasons.join())) continue;
      const said = 'reasons' in one ? one.reasons : [];
      const detail = [...said, ...('nextStep' in one ? [one.nextStep] : [])].join(' ');
      outcome.push({ version: one.version.id, outcome: one.outcome, detail });
      const entry = retirementEntry(managed, one);
      if (entry) audited.push(entry);
    }
  } catch (error) {
    outcome.push({ version: key.id(), outcome: 'failed', detail: say(describeFailure(error)) });
  }
  return { outcome, audited };
}

/** A key with an old and a new version, so many in between, an account on the new one, and so many hours since. */
function movedOn(hours = 25, between = 0) {
  const key = new TestKey(world());
  for (let n = 0; n < between; n += 1) key.add();
  const newer = key.add();
  const account = key.account('pinned', { key: key.use('pinned', newer) });
  wire.azure.clock.advance(hours * HOUR_MS);
  return { key, newer, account };
}

const tagsOf = ({ vault, name }: TestKey) => vault.keys.get(name)?.versions[0]?.tags ?? {};
const stateOf = ({ vault, name }: TestKey) => vault.keys.get(name)?.versions.map(({ enabled }) => enabled);

describe('retirement', () => {
  it.each([
    ['a subscription', '^/subscriptions/[^/]+/providers/Microsoft.Storage/storageAccounts\\?'],
    ['an encryption scope', '/encryptionScopes\\?'],
    ['the other resource types', 'Microsoft.ResourceGraph'],
  ])('refuses when %s cannot be read', async (_, path) => {
    const { key } = movedOn();
    const error = { code: 'AuthorizationFailed', message: 'No.' };
    wire.azure.faults.add([{ match: { path }, answer: { status: 403, body: { error } } }]);
    const { outcome } = await retire(key);
    expect(outcome.map((one) => one.outcome)).not.toContain('retired');
    expect(stateOf(key)).toEqual([true, true]);
  });

  it('enables the version again when somebody is pinned to it in the meantime', async () => {
    const { key, account } = movedOn();
    const { outcome, audited } = await retire(
      key,
      around(() => pin(key, account)),
    );
    expect(outcome).toMatchObject([{ outcome: 'undone', detail: expect.stringContaining('is used by') }]);
    expect(outcome[0]?.detail).toContain(account.name);
    expect(stateOf(key)).toEqual([true, true]);
    expect(tagsOf(key)).not.toHaveProperty('cmk-retired');
    expect(audited).toMatchObject([{ action: 'key.retire', reason: 'RetirementUndone', details: { enabled: true } }]);
  });

  it('says at once and loudly when it cannot enable the version again, and how a person does, and goes no further', async () => {
    const { key, account } = movedOn(25, 1);
    const { outcome, audited } = await retire(
      key,
      around(async () => {
        await pin(key, account);
        const path = `/keys/${key.name}/`;
        wire.azure.faults.add([{ match: { method: 'PATCH', path }, skip: 1, answer: NO }]);
      }),
    );
    expect(stateOf(key)).toEqual([false, true, true]);
    const command = `az keyvault key set-attributes --id ${key.id(key.first)} --enabled true`;
    expect(outcome).toMatchObject([{ outcome: 'notUndone', detail: expect.stringContaining(command) }]);
    expect(outcome[0]?.detail).toContain(account.name);
    expect(audited).toMatchObject([{ reason: 'RetirementNotUndone', details: { enabled: false } }]);
  });

  it('opens nothing of a key whose other versions somebody has disabled by hand meanwhile', async () => {
    const { key, account, newer } = movedOn();
    const { outcome } = await retire(
      key,
      around(
        () => pin(key, account),
        async () => {
          newer.enabled = false;
        },
      ),
    );
    expect(stateOf(key)).toEqual([false, false]);
    expect(outcome).toMatchObject([{ outcome: 'notUndone', detail: expect.stringMatching(/no newer .*disabled/i) }]);
  });

  it('leaves what was disabled although the answer was lost to a later pass, which confirms it', async () => {
    const { key } = movedOn();
    wire.azure.faults.add([{ match: { method: 'PATCH', path: `/keys/${key.name}/` }, resetAfter: true, times: 9 }]);
    expect((await retire(key)).outcome).toMatchObject([{ outcome: 'failed' }]);
    expect(stateOf(key)).toEqual([false, true]);
    wire.azure.faults.clear();
    wire.azure.clock.advance(HOUR_MS);
    const services = wire.services();
    const managed = services.settings.vaults.key(key.id());
    if (!managed) throw new Error('The vault is not managed.');
    const finished: unknown[] = [];
    for await (const one of finishRetirements(managed, 600_000, services)) finished.push(one);
    expect(finished).toMatchObject([{ outcome: 'retired' }]);
    expect(tagsOf(key)['cmk-retired']).not.toContain('unsettled');
  });

  it('does not take for disabled, nor for taken back, what was not disabled', async () => {
    const { key } = movedOn();
    wire.azure.faults.add([{ match: { method: 'PATCH', path: `/keys/${key.name}/` }, reset: true, times: 9 }]);
    const { outcome, audited } = await retire(key);
    expect([outcome, audited]).toMatchObject([[{ outcome: 'failed' }], []]);
    expect(stateOf(key)).toEqual([true, true]);
  });

  it('opens nothing, and has a person do it, when the key cannot be read again', async () => {
    const { key } = movedOn();
    const path = `/keys/${key.name}/versions`;
    const refuse = async () => void wire.azure.faults.add([{ match: { path }, answer: NO }]);
    const { outcome, audited } = await retire(key, around(refuse));
    const command = `az keyvault key set-attributes --id ${key.id(key.first)} --enabled true`;
    expect(outcome).toMatchObject([{ outcome: 'notUndone', detail: expect.stringContaining(command) }]);
    expect(stateOf(key)).toEqual([false, true]);
    expect(audited).toMatchObject([{ reason: 'RetirementNotUndone', details: { enabled: false } }]);
  });

  it('leaves everything as it is once the time to look is up', async () => {
    const { key } = movedOn();
    const { outcome } = await retire(key, () => ({}), 1);
    expect(outcome).toMatchObject([{ outcome: 'kept', detail: expect.stringContaining('exceeded its deadline') }]);
    expect(stateOf(key)).toEqual([true, true]);
  });
});

const NO = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'No.' } } };

type Moment = (services: Services) => Promise<void>;

/** Services with something that happens right before a version is disabled, and something right after. */
function around(before: Moment, after: Moment = async () => {}): (services: Services) => Partial<Services> {
  return (services) => ({
    keys: {
      ...services.keys,
      updateVersion: async (...args) => {
        const disables = args[2].enabled === false;
        if (disables) await before(services);
        const updated = await services.keys.updateVersion(...args);
        if (disables) await after(services);
        return updated;
      },
    },
  });
}

/** Somebody who knows nothing of the app pins the account to the first version of the key. */
async function pin(key: TestKey, account: { name: string }): Promise<void> {
  const keyVaultUri = vaultNamed(world(), 'kv-files').properties.vaultUri;
  await outsider(wire.azure).storage.storageAccounts.update('rg-files', account.name, {
    encryption: {
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyName: key.name, keyVersion: key.first.version, keyVaultUri },
    },
  });
}
