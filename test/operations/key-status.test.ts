import { describe, expect, it } from 'vitest';
import { keyStatusOf } from '../../src/cli/key-status.ts';
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
});
