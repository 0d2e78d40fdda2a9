import { describe, expect, it } from 'vitest';
import { keyStatusOf } from '../../src/cli/read-keys.ts';
import { revokeAsOperator } from '../../src/operations/key/key-revoke.ts';
import { keyOf, type Site, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

/** On the sign-in alone: nothing of the app is known. */
const statusOf = (site: Site) => keyStatusOf(keyOf(site), {}, { azure: procedures.azure(), app: undefined });

describe('key status', () => {
  it('shows the versions, who uses which, and what is not usable', async () => {
    const site = procedures.site();
    const first = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const second = procedures.encrypted(site, 'pinned');
    const result = await statusOf(site);
    expect(result).toMatchObject({
      key: `https://${site.vault.name}.vault.azure.net/keys/files-key`,
      newestUsable: next.version,
      revocation: undefined,
      versions: [
        { version: next.version, state: 'Usable', usedBy: [second.name] },
        { version: site.version.version, state: 'Usable', usedBy: [first.name] },
      ],
    });
  });

  it('calls revoked what the open revocation disabled, and nothing that was off before', async () => {
    const site = procedures.site();
    const off = procedures.nextVersion(site, { enabled: false });
    const app = { audit: async () => ({ failed: 'none here' }), queue: { send: async () => {} } };
    await procedures.run((operation) =>
      revokeAsOperator(keyOf(site), { reason: 'test', environment: {}, app }, operation),
    );
    const result = await statusOf(site);
    expect(result.versions.map(({ version, state, revoked }) => [version, state, revoked])).toEqual([
      [off.version, 'Disabled', false],
      [site.version.version, 'Disabled', true],
    ]);
    const [id] = site.version.tags?.['cmk-revocation']?.split(' ') ?? [];
    expect(result.revocation?.id).toBe(id);
  });

  it('refuses a key that is not there', async () => {
    const site = procedures.site();
    await expect(statusOf({ ...site, key: 'nowhere' })).rejects.toMatchObject({ reason: 'KeyNotFound' });
  });
});
