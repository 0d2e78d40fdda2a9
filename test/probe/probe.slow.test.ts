import { ClientSecretCredential } from '@azure/identity';
import { beforeEach, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addPrincipal } from '../../local/azure/fleet.ts';
import { createDataLists } from '../../src/probe/data-services-client.ts';
import { type ProbeTarget, probe } from '../../src/probe/probe.ts';
import { sampleServices } from '../support/app-services.ts';
import { PUBLIC } from '../support/keys.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });
beforeEach(() => {
  local.azure.faults.clear();
  setEnabled('files-key', true);
});

function setEnabled(keyName: string, enabled: boolean): void {
  const versions = local.azure.world.vaults.get('kv-files')?.keys.get(keyName)?.versions ?? [];
  for (const version of versions) Object.assign(version, { enabled, enabledChangedMs: local.azure.clock.nowMs() });
}

const target = (name: string, ...shares: string[]): ProbeTarget => ({
  account: `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/${name}`,
  service: 'file',
  places: shares.length > 0 ? shares : ['share1'],
});

async function statesOf(targets: ProbeTarget[], ms = 20_000): Promise<string[]> {
  const results = await probe(targets, sampleServices(), ms);
  return results.map(({ state, why }) => (why ? `${state}: ${why}` : state));
}

describe('the probe', () => {
  it('The probe sees accounts serve, be blocked by a disabled key, and serve again', async () => {
    const targets = [target('stfiles01'), target('stfiles07'), target('starchive01')];
    expect(await statesOf(targets)).toEqual(['open', 'open', 'open']);
    setEnabled('files-key', false);
    const blocked = 'blocked: KeyVaultEncryptionKeyNotFound';
    expect(await statesOf(targets)).toEqual([blocked, blocked, 'open']);
    setEnabled('files-key', true);
    expect(await statesOf(targets)).toEqual(['open', 'open', 'open']);
  });

  it('The probe lists one entry of a share, once, with the intent header that tokens require', async () => {
    const since = local.azure.requests.last;
    local.azure.faults.add([{ match: { host: 'stfiles01.file.core.windows.net' }, answer: { status: 503 } }]);
    expect(await statesOf([target('stfiles01')])).toEqual([expect.stringMatching(/^unknown: 503/)]);
    const asked = local.azure.requests.since(since).filter(({ host }) => host.startsWith('stfiles01'));
    expect(asked).toHaveLength(1);
    expect(asked[0]?.path).toMatch(/^\/share1\/?\?.*maxresults=1/);
  });

  it.each<[sentence: string, target: ProbeTarget, why: RegExp]>([
    ['has no share', { ...target('stfiles01'), places: [] }, /no file share/],
    ['has lost the share', target('stfiles01', 'gone'), /ShareNotFound/],
    ['is gone', target('stnowhere01'), /./],
  ])('The probe has no result for an account that %s, with the reason', async (_, asked, why) => {
    const [answer] = await probe([asked], sampleServices(), 20_000);
    expect(answer).toMatchObject({ state: 'unknown', why: expect.stringMatching(why) });
  });

  it('The probe has no result without the right to list files, and names the role', async () => {
    const stranger = addPrincipal(local.azure.world, { displayName: 'stranger' });
    const credential = new ClientSecretCredential(local.azure.world.tenantId, stranger.clientId, stranger.secret);
    const all = sampleServices();
    const services = { ...all, dataLists: { ...all.dataLists, file: createDataLists(credential, PUBLIC).file } };
    const [answer] = await probe([target('stfiles01')], services, 20_000);
    expect(answer).toMatchObject({
      state: 'unknown',
      why: expect.stringContaining('Storage File Data Privileged Reader'),
    });
  });

  it('The probe keeps the results that it has when time is up, in the order of the targets', async () => {
    local.azure.faults.add([{ match: { host: 'stfiles02.file.core.windows.net' }, hang: true }]);
    const states = await statesOf([target('stfiles02'), target('stfiles01')], 1_500);
    expect(states).toEqual([expect.stringMatching(/^unknown: The read exceeded its deadline/), 'open']);
  });
});
