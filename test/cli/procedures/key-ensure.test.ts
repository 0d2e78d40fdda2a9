import { describe, expect, it } from 'vitest';
import { ensureKey, planPolicy, type WantedPolicy } from '../../../src/cli/procedures/key/key-ensure.ts';
import type { RotationPolicy } from '../../../src/keys/key-client.ts';
import { keyOf, texts, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

describe('key ensure', () => {
  it('key ensure creates a key with an expiry and a rotation policy, and changes nothing the second time', async () => {
    const { vault } = procedures.site();
    const key = keyOf({ vault, key: 'new-key' });
    const expiresOn = new Date(procedures.local.clock.nowMs() + 400 * 86_400_000);
    const wanted = { size: 3072, expiresOn, policy: { expiresIn: 'P2Y', rotateAfter: 'P18M' } };

    const first = await procedures.run((operation) => ensureKey(key, wanted, operation));
    const second = await procedures.run((operation) => ensureKey(key, wanted, operation));

    expect(texts(first, 'done')).toEqual([
      `key ${vault.name}/new-key created (RSA 3072, expires ${expiresOn.toISOString()})`,
      `rotation policy of ${vault.name}/new-key set`,
    ]);

    const made = vault.keys.get('new-key');
    expect(made?.versions).toHaveLength(1);
    expect(made?.versions[0]).toMatchObject({ kty: 'RSA', keySize: 3072, exp: Math.floor(expiresOn.getTime() / 1000) });

    expect(made?.rotationPolicy).toMatchObject({
      attributes: { expiryTime: 'P2Y' },
      lifetimeActions: expect.arrayContaining([
        { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: expect.stringMatching(/^notify$/i) } },
        { trigger: { timeAfterCreate: 'P18M' }, action: { type: expect.stringMatching(/^rotate$/i) } },
      ]),
    });

    expect(second.changed).toBe(false);
    expect(second.result).toEqual(first.result);
  });

  it('key ensure gives a new key two years and a rotation policy, unless told otherwise', async () => {
    const { vault } = procedures.site();
    const made = async (name: string, wanted: Parameters<typeof ensureKey>[1]) => {
      const report = await procedures.run((operation) => ensureKey(keyOf({ vault, key: name }), wanted, operation));
      return { report, key: vault.keys.get(name) };
    };
    const now = procedures.local.clock.nowMs() / 1000;
    const { key: safe } = await made('safe', {});

    expect((safe?.versions[0]?.exp ?? 0) - now).toBeGreaterThan(729 * 86_400);

    expect(safe?.rotationPolicy).toMatchObject({
      attributes: { expiryTime: 'P2Y' },
      lifetimeActions: expect.arrayContaining([
        { trigger: { timeBeforeExpiry: 'P60D' }, action: { type: expect.stringMatching(/^rotate$/i) } },
      ]),
    });

    const { key: bare } = await made('bare', { expiresOn: 'never', policy: 'none' });
    expect([bare?.versions[0]?.exp, bare?.rotationPolicy]).toEqual([undefined, undefined]);

    const { key: lifetime } = await made('lifetime', { policy: { expiresIn: 'P1Y' } });
    expect((lifetime?.versions[0]?.exp ?? 0) - now).toBeLessThan(367 * 86_400);
  });

  it('key ensure sets the policy of a key whose creation was interrupted within the last hour, and of no other key', async () => {
    const { vault } = procedures.site();
    const wanted = keyOf({ vault, key: 'broken-off' });

    await procedures.run((operation) => ensureKey(wanted, { policy: 'none' }, operation));

    const again = () => procedures.run((operation) => ensureKey(wanted, {}, operation));
    expect(texts(await again(), 'done')).toEqual([expect.stringContaining('rotation policy')]);
    expect((await again()).changed).toBe(false);

    const key = vault.keys.get('broken-off');
    if (key) key.rotationPolicy = undefined;

    procedures.local.clock.advance(2 * 3_600_000);

    expect((await again()).changed).toBe(false);
  });

  it('key ensure creates the key although the sign-in may set no policy, and says so', async () => {
    const { vault } = procedures.site();
    procedures.local.faults.add([
      {
        match: { host: `${vault.name}.vault.azure.net`, method: 'PUT', path: '/rotationpolicy' },
        answer: { status: 403, body: { error: { code: 'Forbidden', message: 'No.' } } },
      },
    ]);

    const report = await procedures.run((operation) => ensureKey(keyOf({ vault, key: 'plain' }), {}, operation));
    expect(texts(report, 'note')).toEqual([expect.stringContaining('may not set the rotation policy')]);
    expect(vault.keys.has('plain')).toBe(true);
  });

  it.each([
    ['a key of a wrong size', { size: 1024 }, 'KeyUnsupported', /no key of type RSA of 1024 bits/],
    ['another size than the key has', { size: 4096 }, 'KeyUnsupported', /is RSA of 2048 bits, not RSA of 4096/],
    ['another type than the key has', { kty: 'RSA-HSM' as const }, 'KeyUnsupported', /Key Vault cannot change this/],
    ['an expiry that is past', { expiresOn: new Date('2020-01-01') }, 'ArgumentInvalid', /is in the past/],
  ])('key ensure rejects %s', async (_, wanted, reason, message) => {
    const site = procedures.site();
    const refusal = await procedures.refusal((operation) => ensureKey(keyOf(site), wanted, operation));
    expect(refusal).toMatchObject({ reason, message: expect.stringMatching(message) });
  });

  it.each([
    ['a disabled key', { enabled: false }, 'KeyDisabled', /is disabled/],
    ['an expired key', { exp: 1_600_000_000 }, 'KeyExpired', /expired on 2020-09-13/],
    ['a key that is not active yet', { nbf: 4_000_000_000 }, 'VersionNotYetActive', /not active before/],
    ['an elliptic-curve key', { kty: 'EC' as const }, 'KeyUnsupported', /key of type EC/],
  ])('key ensure rejects %s', async (_, options, reason, message) => {
    const site = procedures.site({ key: options });
    const refusal = await procedures.refusal((operation) => ensureKey(keyOf(site), {}, operation));
    expect(refusal).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(refusal.nextStep).toMatch(/cmk|az|Wait/);
  });

  it('key ensure rejects the name of a deleted key, and prints how to recover it', async () => {
    const site = procedures.site();
    const key = procedures.deletedKey(site);
    const refusal = await procedures.refusal((operation) => ensureKey(keyOf({ ...site, key }), {}, operation));
    expect(refusal.reason).toBe('NameTaken');
    expect(refusal.nextStep).toContain('az keyvault key recover');
  });
});

describe('planPolicy', () => {
  const notify = { notifyBeforeExpiry: 'P30D', expiresIn: 'P2Y' };
  it.each<[string, RotationPolicy, WantedPolicy, RotationPolicy | undefined]>([
    [
      'sets the rotation that is asked for',
      { rotates: false },
      { expiresIn: 'P2Y' },
      { rotates: false, expiresIn: 'P2Y' },
    ],
    [
      'changes nothing that is already set',
      { ...notify, rotates: true, afterCreate: 'P18M' },
      { rotateAfter: 'P18M' },
      undefined,
    ],
    [
      'keeps the notification',
      { ...notify, rotates: false },
      { rotateAfter: 'P18M' },
      { ...notify, rotates: true, afterCreate: 'P18M' },
    ],
    [
      'replaces another rotation',
      { rotates: true, afterCreate: 'P18M', expiresIn: 'P2Y' },
      { rotateBeforeExpiry: 'P60D' },
      { rotates: true, beforeExpiry: 'P60D', expiresIn: 'P2Y' },
    ],
  ])('planPolicy %s', (_, current, wanted, policy) => {
    expect(planPolicy(current, wanted)).toEqual(policy);
  });

  it('A rotation before an expiry that no version has is rejected before a key is created', async () => {
    const { vault } = procedures.site();
    const key = keyOf({ vault, key: 'new-key' });
    const wanted = { policy: { rotateBeforeExpiry: 'P30D' }, expiresOn: 'never' } as const;
    const refusal = await procedures.refusal((operation) => ensureKey(key, wanted, operation));
    expect(refusal).toMatchObject({
      reason: 'ArgumentInvalid',
      nextStep: 'Set a lifetime for versions: --version-lifetime P2Y',
    });
    expect(vault.keys.has('new-key')).toBe(false);
  });
});
