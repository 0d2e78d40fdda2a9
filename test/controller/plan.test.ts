import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findAccountKeyUse, findScopeKeyUse, isUseOfKey, type KeyUse } from '../../src/accounts/key-use.ts';
import { chooseLogLevel, planKeyUse, withKeyVersion } from '../../src/controller/plan.ts';
import { compareAge, findNewestUsableVersion, findNewestVersion, findVersion } from '../../src/keys/key-versions.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { day, KEY, keyVersion, REVOKER, VAULT, versionName } from '../support/keys.ts';

const NOW = day(200);

function use(pinned: number | undefined, current = pinned): KeyUse {
  return {
    vaultUri: VAULT.uri,
    keyName: KEY.name,
    pinned: pinned === undefined ? undefined : versionName(pinned),
    current: current === undefined ? undefined : versionName(current),
  };
}

describe('planKeyUse', () => {
  const two = [keyVersion(1), keyVersion(2)];

  it.each([
    ['moves a pinned use to the newest version', use(1), two, versionName(2)],
    [
      'moves a pinned use off a disabled version',
      use(1),
      [keyVersion(1, { enabled: false }), keyVersion(2)],
      versionName(2),
    ],
    [
      'moves a pinned use off an expired version',
      use(1),
      [keyVersion(1, { expiresOn: day(150) }), keyVersion(2)],
      versionName(2),
    ],
    ['moves a pinned use off a version the key no longer has', use(9), two, versionName(2)],
    [
      'passes over a newer version that is disabled',
      use(1),
      [...two, keyVersion(3, { enabled: false })],
      versionName(2),
    ],
    [
      'passes over a newer version that is not active yet',
      use(1),
      [...two, keyVersion(3, { notBefore: day(201) })],
      versionName(2),
    ],
    [
      'writes a pinned use again where Azure uses an older version than it is pinned to',
      use(2, 1),
      two,
      versionName(2),
    ],
    ['writes a use that is pinned to an older version than Azure uses', use(1, 2), two, versionName(2)],
    [
      'moves a pinned use to the latest of two versions of the same second',
      use(1),
      [keyVersion(1, { createdOn: day(15) }), keyVersion(2, { createdOn: day(15), latest: true })],
      versionName(2),
    ],
    ['requests a refresh of an automatic use, and leaves it automatic', use(undefined, 1), two, ''],
    ['requests a refresh of an automatic use whose version Azure does not show', use(undefined), two, ''],
  ])('planKeyUse %s', (_, keyUse, versions, pin) => {
    expect(planKeyUse(keyUse, versions, NOW)).toMatchObject({
      write: true,
      pin,
      target: { version: versionName(2) },
    });
  });

  it.each([
    ['a pinned one is on the newest', use(2), two, 'UpToDate'],
    [
      'a pinned one is on the newest, and Azure does not tell what it uses',
      { ...use(2), current: undefined },
      two,
      'UpToDate',
    ],
    ['an automatic one is on the newest', use(undefined, 2), two, 'UpToDate'],
    [
      'Azure uses a version newer than every usable one',
      use(2, 3),
      [...two, keyVersion(3, { enabled: false })],
      'NeverBackwards',
    ],
    [
      'an automatic one lags, and the newest version is disabled',
      use(undefined, 1),
      [...two, keyVersion(3, { enabled: false })],
      'NewestVersionUnusable',
    ],
    [
      'an automatic one lags, and the newest version is not active yet',
      use(undefined, 1),
      [...two, keyVersion(3, { notBefore: day(201) })],
      'NewestVersionUnusable',
    ],
    [
      'an automatic one lags, and the newest version has expired',
      use(undefined, 1),
      [...two, keyVersion(3, { expiresOn: day(150) })],
      'NewestVersionUnusable',
    ],
    [
      'it is pinned to a version newer than every usable one',
      use(3),
      [...two, keyVersion(3, { enabled: false })],
      'NeverBackwards',
    ],
    [
      'it is pinned to a disabled version of the same second, and it is not known which of the two is older',
      use(1),
      [keyVersion(1, { createdOn: day(15), enabled: false }), keyVersion(2, { createdOn: day(15) })],
      'NeverBackwards',
    ],
    [
      'it is pinned to the latest version, which is disabled, and another one is of the same second',
      use(1),
      [keyVersion(1, { createdOn: day(15), enabled: false, latest: true }), keyVersion(2, { createdOn: day(15) })],
      'NeverBackwards',
    ],
    ['no version can be used', use(1), [keyVersion(1, { enabled: false })], 'NoUsableVersion'],
    ['the key is gone', use(1), [], 'KeyNotFound'],
  ])('planKeyUse writes nothing when %s', (_, keyUse, versions, reason) => {
    expect(planKeyUse(keyUse, versions, NOW)).toMatchObject({ write: false, reason });
  });

  it('planKeyUse writes no stale use that is exempt, unless another reason comes first', () => {
    expect(planKeyUse(use(1), two, NOW, true)).toMatchObject({ write: false, reason: 'LeftByCheck' });
    expect(planKeyUse(use(undefined, 1), two, NOW, true)).toMatchObject({ write: false, reason: 'LeftByCheck' });
    expect(planKeyUse(use(2), two, NOW, true)).toMatchObject({ write: false, reason: 'UpToDate' });
    expect(planKeyUse(use(1), [], NOW, true)).toMatchObject({ write: false, reason: 'KeyNotFound' });
  });

  it('planKeyUse writes a use again when Azure does not use the version that it is pinned to', () => {
    expect(planKeyUse(use(2, 1), two, NOW)).toMatchObject({ reason: 'PinNotInUse' });
    expect(planKeyUse(use(1, 2), two, NOW)).toMatchObject({ reason: 'StaleKeyVersion' });
  });

  it('planKeyUse moves nothing while a revocation is open, even if a usable version appeared since', () => {
    const tag = formatRevocation({
      ...REVOKER,
      revokedOn: day(3),
      version: versionName(1),
      wasEnabled: true,
    });

    const revoked = keyVersion(1, { enabled: false, tags: { [REVOCATION_TAG]: tag } });
    expect(planKeyUse(use(1), [revoked, keyVersion(4)], NOW)).toMatchObject({
      write: false,
      reason: 'RevocationOpen',
    });
  });
});

describe('invariants of planKeyUse', () => {
  const versions = fc
    .uniqueArray(
      fc.record({
        n: fc.integer({ min: 1, max: 30 }),
        enabled: fc.boolean(),
        nbf: fc.option(fc.integer({ min: 150, max: 250 }), { nil: undefined }),
        exp: fc.option(fc.integer({ min: 150, max: 250 }), { nil: undefined }),
        sameDay: fc.boolean(),
      }),
      { selector: ({ n }) => n, maxLength: 8 },
    )
    .map((list) =>
      list.map(({ n, enabled, nbf, exp, sameDay }) =>
        keyVersion(n, {
          enabled,
          ...(sameDay ? { createdOn: day(15) } : {}),
          notBefore: nbf === undefined ? undefined : day(nbf),
          expiresOn: exp === undefined ? undefined : day(exp),
        }),
      ),
    );

  const uses = fc.record({
    pinned: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    current: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
  });

  it('planKeyUse only ever moves to the newest usable version, never backwards, and keeps the mode', () => {
    fc.assert(
      fc.property(versions, uses, (list, { pinned, current }) => {
        const keyUse = use(pinned, current);
        const plan = planKeyUse(keyUse, list, NOW);
        if (plan.reason === 'UpToDate') expect(keyUse.current ?? keyUse.pinned).toBe(plan.target?.version);
        if (!plan.write) return;

        expect(plan.target).toBe(findNewestUsableVersion(list, NOW));

        for (const named of [keyUse.pinned, keyUse.current]) {
          const held = findVersion(list, named ?? '');
          if (!held || held === plan.target) continue;

          expect(compareAge(held, plan.target)).toBeLessThan(0);

          // The name of a version says nothing of its age.
          expect(held.createdOn < plan.target.createdOn || plan.target.latest).toBe(true);
        }

        // What Storage would take for an automatic one is the newest of all.
        if (pinned === undefined) expect(plan.target).toBe(findNewestVersion(list));

        expect(plan.pin).toBe(pinned === undefined ? '' : plan.target.version);
      }),
      { numRuns: 2_000 },
    );
  });

  it('planKeyUse writes nothing once the plan was applied', () => {
    fc.assert(
      fc.property(versions, uses, (list, { pinned, current }) => {
        const plan = planKeyUse(use(pinned, current), list, NOW);
        if (!plan.write) return;
        const after: KeyUse = { ...use(pinned), pinned: plan.pin || undefined, current: plan.target.version };
        expect(planKeyUse(after, list, NOW)).toMatchObject({ write: false, reason: 'UpToDate' });
      }),
      { numRuns: 1_000 },
    );
  });

  it('withKeyVersion changes only the key version of the encryption object', () => {
    const encryption = fc.record({
      keySource: fc.constant('Microsoft.Keyvault'),
      services: fc.dictionary(
        fc.constantFrom('blob', 'file', 'queue', 'table'),
        fc.record({ enabled: fc.boolean(), keyType: fc.constantFrom('Account', 'Service') }),
      ),
      requireInfrastructureEncryption: fc.option(fc.boolean(), { nil: undefined }),
      encryptionIdentity: fc.option(
        fc.record({
          encryptionUserAssignedIdentity: fc.string(),
          encryptionFederatedIdentityClientId: fc.option(fc.uuid(), { nil: undefined }),
        }),
        { nil: undefined },
      ),
      keyVaultProperties: fc.record({
        keyName: fc.string(),
        keyVaultUri: fc.webUrl(),
        keyVersion: fc.option(fc.string(), { nil: undefined }),
        currentVersionedKeyIdentifier: fc.option(fc.string(), { nil: undefined }),
      }),
    });

    fc.assert(
      fc.property(encryption, fc.string(), (before, version) => {
        const after = withKeyVersion(before, version);
        expect(after.keyVaultProperties?.keyVersion).toBe(version);
        expect({
          ...after,
          keyVaultProperties: { ...after.keyVaultProperties, keyVersion: before.keyVaultProperties.keyVersion },
        }).toEqual(before);
      }),
    );
  });
});

describe('findAccountKeyUse', () => {
  const properties = {
    keyName: 'Files-Key',
    keyVaultUri: 'https://KV-files.vault.azure.net/',
    currentVersionedKeyIdentifier: keyVersion(7).id,
  };

  it.each([
    ['absent', undefined, undefined],
    ['empty', '', undefined],
    ['a version', versionName(3).toUpperCase(), versionName(3)],
  ])('findAccountKeyUse reads a key version that is %s', (_, keyVersionField, pinned) => {
    const read = findAccountKeyUse({
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { ...properties, keyVersion: keyVersionField },
    });
    expect(read).toEqual({ vaultUri: VAULT.uri, keyName: 'Files-Key', pinned, current: versionName(7) });
    expect(isUseOfKey(read, KEY)).toBe(true);
  });

  it('findAccountKeyUse returns nothing for Microsoft-managed keys', () => {
    expect(findAccountKeyUse({ keySource: 'Microsoft.Storage' })).toBeUndefined();
  });
});

it('findScopeKeyUse returns a pinned use with a version in the key URI, and an automatic one without', () => {
  expect(findScopeKeyUse({ keyUri: keyVersion(3).id, currentKeyId: undefined })).toMatchObject({
    pinned: versionName(3),
    current: versionName(3),
  });
  expect(findScopeKeyUse({ keyUri: KEY.id, currentKeyId: keyVersion(5).id })).toMatchObject({
    pinned: undefined,
    current: versionName(5),
  });
});

describe('chooseLogLevel', () => {
  it.each([
    ['error', ['NoUsableVersion', 'KeyNotFound']],
    ['warning', ['NeverBackwards', 'RevocationOpen']],
    ['info', ['UpToDate', 'NewestVersionUnusable']],
  ] as const)('chooseLogLevel returns %s for %j', (level, reasons) => {
    expect(reasons.map(chooseLogLevel)).toEqual(reasons.map(() => level));
  });
});
