import { describe, expect, it } from 'vitest';
import { addKeyVersion } from '../../local/azure/fleet.ts';
import { rotateKey } from '../../src/rotation/rotate-key.ts';
import { keyOf, texts, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();
const HOUR = 3_600;

describe('key rotate', () => {
  it('key rotate creates a version with tags and lifetime of the one before, and none again within the hour', async () => {
    const nowSeconds = procedures.local.clock.nowSeconds();
    const site = procedures.site({ key: { tags: { owner: 'files' }, exp: nowSeconds + 100 * 86_400 } });

    procedures.local.clock.advance(2 * HOUR * 1000);

    const first = await procedures.run((operation) => rotateKey(keyOf(site), HOUR, operation));
    const second = await procedures.run((operation) => rotateKey(keyOf(site), HOUR, operation));

    const versions = site.vault.keys.get(site.key)?.versions ?? [];
    expect(versions).toHaveLength(2);
    expect(versions[1]?.tags).toEqual({ owner: 'files' });
    expect((versions[1]?.exp ?? 0) - (versions[1]?.created ?? 0)).toBe((site.version.exp ?? 0) - site.version.created);
    expect(texts(first, 'done')).toEqual([`key ${site.vault.name}/files-key rotated`]);
    expect(first.result).toEqual({ from: site.version.version, to: versions[1]?.version });
    expect(second.changed).toBe(false);
    expect(texts(second, 'note')[0]).toContain('--if-older-than');
  });

  it('key rotate creates a version when any age is accepted, also where a clock dates the newest one ahead', async () => {
    const site = procedures.site();
    const rotate = procedures.run((operation) => {
      const now = () => new Date(operation.azure.now().getTime() - HOUR * 1000);
      return rotateKey(keyOf(site), 0, { ...operation, azure: { ...operation.azure, now } });
    });
    expect((await rotate).changed).toBe(true);
    expect(site.vault.keys.get(site.key)?.versions).toHaveLength(2);
  });

  it('key rotate completes a rotation that was interrupted, when it is run again', async () => {
    const nowSeconds = procedures.local.clock.nowSeconds();
    const site = procedures.site({ key: { tags: { owner: 'files' }, exp: nowSeconds + 100 * 86_400 } });

    procedures.local.clock.advance(2 * HOUR * 1000);

    const match = { method: 'PATCH', path: `/keys/${site.key}/`, host: `${site.vault.name}.*` };

    procedures.local.faults.add([{ match, answer: { status: 403, body: { error: { code: 'Forbidden' } } } }]);

    await expect(procedures.run((operation) => rotateKey(keyOf(site), HOUR, operation))).rejects.toMatchObject({
      reason: 'RotationIncomplete',
      message: expect.stringMatching(/rotated to [0-9a-f]{32}.*403 Forbidden/),
    });

    procedures.local.faults.clear();

    const again = await procedures.run((operation) => rotateKey(keyOf(site), HOUR, operation));
    const versions = site.vault.keys.get(site.key)?.versions ?? [];

    expect(versions).toMatchObject([{}, { tags: { owner: 'files' } }]);
    expect((versions[1]?.exp ?? 0) - (versions[1]?.created ?? 0)).toBe((site.version.exp ?? 0) - site.version.created);
    expect(texts(again, 'done')).toEqual([
      expect.stringContaining('updated with the tags and the lifetime of the previous version'),
    ]);
    expect((await procedures.run((operation) => rotateKey(keyOf(site), HOUR, operation))).changed).toBe(false);
  });

  it.each([
    ['has made a version', { resetAfter: true }, 2],
    ['shows none within a minute', { reset: true }, 1],
  ])(
    'key rotate sends one request when the answer is lost, and reads whether Key Vault %s',
    async (_, effect, count) => {
      const site = procedures.site({ key: { exp: procedures.local.clock.nowSeconds() + 100 * 86_400 } });
      const azure = procedures.azure();

      // The first request of a client is answered with where to sign in: the fault would hit that one.
      addKeyVersion(procedures.world, site.vault, 'other-key');
      await azure.keys.rotate(keyOf({ ...site, key: 'other-key' }));

      const match = { method: 'POST', path: `/keys/${site.key}/rotate`, host: `${site.vault.name}.*` };

      procedures.local.faults.add([{ match, ...effect }]);

      const since = procedures.local.requests.last;
      const run = procedures.run((operation) => rotateKey(keyOf(site), 0, operation), { azure });
      if (count === 2) expect((await run).result).toMatchObject({ from: site.version.version });
      else await expect(run).rejects.toMatchObject({ reason: 'RotationUnknown' });

      const asked = procedures.local.requests.since(since).filter(({ path }) => path.includes('/rotate?'));
      expect(asked).toHaveLength(1);

      const versions = site.vault.keys.get(site.key)?.versions ?? [];
      expect(versions).toHaveLength(count);
      expect(versions.every(({ exp }) => exp !== undefined)).toBe(true);
    },
  );

  it('key rotate rejects a disabled key whose tags show no revocation, and says where to look', async () => {
    const site = procedures.site({ key: { enabled: false } });
    const refused = await procedures.refusal((operation) => rotateKey(keyOf(site), 0, operation));
    expect(refused).toMatchObject({ reason: 'KeyDisabled', message: expect.stringMatching(/tags show no revocation/) });
    expect(refused.nextStep).toContain(`cmk audit list --key ${site.vault.name}/${site.key}`);
    expect(refused.nextStep).not.toContain('change-key');
  });

  it('key rotate rejects a key that does not exist', async () => {
    const site = procedures.site();
    const nowhere = keyOf({ ...site, key: 'nowhere' });
    expect((await procedures.refusal((operation) => rotateKey(nowhere, 0, operation))).reason).toBe('KeyNotFound');
  });

  it('key rotate rotates an expired key, however young its version is: that makes it usable again', async () => {
    const site = procedures.site({ key: { exp: 1_600_000_000 } });
    procedures.local.clock.advance(1_000);
    const report = await procedures.run((operation) => rotateKey(keyOf(site), HOUR, operation));
    expect(report.changed).toBe(true);
  });
});
