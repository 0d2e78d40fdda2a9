import { ClientSecretCredential } from '@azure/identity';
import { beforeAll, describe, expect, it } from 'vitest';
import { deployCode } from '../../../local/azure/app-setup.ts';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../../local/azure/constants.ts';
import { ensureEvents } from '../../../src/cli/procedures/vault/events-ensure.ts';
import { createEventGrid, type EventGrid } from '../../../src/events/event-grid-client.ts';
import { type Site, texts, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const group = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-app/providers`;
const FUNCTION_APP = `${group}/Microsoft.Web/sites/func-cmk`;
const STORAGE = `${group}/Microsoft.Storage/storageAccounts/stcmkapp`;

let credential: ClientSecretCredential;
let eventGrid: EventGrid;
beforeAll(() => {
  const { world } = procedures;
  deployCode(world, FUNCTION_APP);
  const owner = world.principals.get(CLIENT_IDS.owner);
  credential = new ClientSecretCredential(world.tenantId, CLIENT_IDS.owner, owner?.secret ?? '');
  eventGrid = createEventGrid(credential, procedures.azure().cloud);
});

describe('events ensure', () => {
  const ensure =
    (site: Site, functionAppId: string | undefined = FUNCTION_APP, storageAccountId: string | undefined = STORAGE) =>
    (operation: Parameters<typeof ensureEvents>[2]) =>
      ensureEvents({ vault: site.vault.name, functionAppId, storageAccountId }, eventGrid, operation);
  const ofVault = (site: Site) =>
    [...procedures.world.eventSubscriptions.values()].filter(
      ({ topic }) => topic.toLowerCase() === site.vault.id.toLowerCase(),
    );

  it('events ensure creates one event subscription for each event function, and changes nothing the second time', async () => {
    const site = procedures.site();
    const first = await procedures.run(ensure(site));
    const second = await procedures.run(ensure(site));

    expect(texts(first, 'done')).toHaveLength(3);

    expect(
      ofVault(site)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['cmk-func-cmk-keyExpired', 'cmk-func-cmk-keyNearExpiry', 'cmk-func-cmk-keyNewVersionCreated']);

    expect(second.changed).toBe(false);
    expect(texts(second, 'found')).toContain('Microsoft.KeyVault.KeyExpired reaches keyExpired');
  });

  it('events ensure creates nothing in a dry run, and requires the app', async () => {
    const site = procedures.site();
    const report = await procedures.run(ensure(site), { dryRun: true });

    expect(texts(report, 'planned')).toHaveLength(3);
    expect(ofVault(site)).toEqual([]);

    for (const wrong of ['func-cmk', STORAGE]) {
      expect((await procedures.refusal(ensure(site, wrong))).reason).toBe('ArgumentInvalid');
    }

    const none = (operation: Parameters<typeof ensureEvents>[2]) =>
      ensureEvents(
        { vault: site.vault.name, functionAppId: undefined, storageAccountId: undefined },
        eventGrid,
        operation,
      );

    expect((await procedures.refusal(none)).nextStep).toContain('--function-app');
  });
});
