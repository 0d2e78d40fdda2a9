import { describe, expect, it } from 'vitest';
import { addAccount, addOtherResource } from '../../../local/azure/fleet.ts';
import type { StorageAccount } from '../../../local/azure/world.ts';
import { ensureDrill } from '../../../src/cli/procedures/drill/drill-ensure.ts';
import { runDrill } from '../../../src/cli/procedures/drill/drill-run.ts';
import { DRILL_TAG } from '../../../src/cli/procedures/drill/drill-target.ts';
import type { Operation } from '../../../src/cli/procedures/operator-azure.ts';
import { MemoryTrail } from '../../support/memory-trail.ts';
import { keyOf, type Site, texts, unique, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const trail = new MemoryTrail(() => procedures.local.clock.now());
const app = { audit: trail.audit, queue: { send: async () => {} } };

/** The app's settings in the operator's environment. */
function environmentOf({ vault }: Site): Record<string, string> {
  return { CMK_VAULTS: vault.id, AzureWebJobsStorage: 'UseDevelopmentStorage=true' };
}

function running(site: Site, environment: Record<string, string> = environmentOf(site)) {
  return (operation: Operation) =>
    runDrill(keyOf(site), { reason: 'A test', waitSeconds: 5, app }, { ...operation, environment });
}

function ensuring(
  site: Site,
  change: { account?: string; key?: string } = {},
  environment: Record<string, string> = environmentOf(site),
) {
  const { account = unique('stdrill'), key = 'drill-key' } = change;
  const options = { account, identity: unique('id-'), resourceGroup: site.group.name, location: 'westeurope' };
  return (operation: Operation) =>
    ensureDrill(keyOf({ vault: site.vault, key }), options, { ...operation, environment });
}

/** A key with an account of its own, both tagged for drills. */
function drillSite(): { readonly site: Site; readonly account: StorageAccount } {
  const site = procedures.site();
  const account = procedures.encrypted(site, 'pinned');
  site.version.tags = { [DRILL_TAG]: account.id };
  account.tags[DRILL_TAG] = keyOf(site).id;
  return { site, account };
}

describe('drill ensure', () => {
  it('drill ensure makes a key, an account and a share that name each other, and changes nothing when run again', async () => {
    const site = procedures.site();
    const account = unique('stdrill');
    const ensure = ensuring(site, { account });

    const planned = await procedures.writes(() => procedures.run(ensure, { dryRun: true }));
    expect(planned).toEqual([]);

    const made = await procedures.run(ensure);
    const { result } = made;
    const [version] = site.vault.keys.get('drill-key')?.versions ?? [];
    const created = [...procedures.world.storageAccounts.values()].find(({ name }) => name === account);
    expect(version?.tags).toEqual({ [DRILL_TAG]: result.account });
    expect(created?.tags).toEqual({ [DRILL_TAG]: result.key });
    expect([...(created?.fileShares.keys() ?? [])]).toEqual(['drill']);
    expect(created?.encryption.keyvaultproperties).toMatchObject({
      keyname: 'drill-key',
      keyversion: version?.version,
    });

    const again = await procedures.run(ensure);
    expect(texts(again, 'done')).toEqual([]);

    const drill = await procedures.run(
      (operation) =>
        runDrill(
          keyOf({ vault: site.vault, key: 'drill-key' }),
          { reason: 'A test', waitSeconds: 5, app },
          { ...operation, environment: environmentOf(site) },
        ),
      { dryRun: true },
    );
    expect(texts(drill, 'planned')).toEqual([
      expect.stringContaining('rotated'),
      expect.stringContaining('revoked'),
      expect.stringContaining('restored'),
    ]);
  });

  it.each<[string, string, (site: Site) => Parameters<typeof ensuring>[1]]>([
    ['a key that exists without the tag', 'NotForDrills', ({ key }) => ({ key })],
    ['an account that exists without the tag', 'NotForDrills', ({ account }) => ({ account: account.name })],
  ])('drill ensure rejects %s, and changes nothing', async (_, reason, choose) => {
    const site = procedures.site();
    const writes = await procedures.writes(async () => {
      expect((await procedures.refusal(ensuring(site, choose(site)))).reason).toBe(reason);
    });
    expect(writes).toEqual([]);
  });

  it('drill ensure rejects a vault that the app does not manage', async () => {
    const site = procedures.site();
    const elsewhere = environmentOf(procedures.site());

    for (const environment of [elsewhere, {}]) {
      const refusal = await procedures.refusal(ensuring(site, {}, environment));
      expect(refusal.reason).toBe('VaultNotManaged');
    }
  });
});

/** Ways to make a drill's key a wrong target. */
const WRONG_TARGETS: readonly [
  what: string,
  reason: string,
  spoil: (site: Site, account: StorageAccount) => unknown,
][] = [
  ['a key without the tag', 'NotForDrills', ({ version }) => Object.assign(version, { tags: {} })],
  [
    'a key whose tag names no account',
    'NotForDrills',
    ({ version }) => Object.assign(version, { tags: { [DRILL_TAG]: 'yes' } }),
  ],
  [
    'a key whose tag names an account that does not exist',
    'NotForDrills',
    ({ version }, { id }) => Object.assign(version, { tags: { [DRILL_TAG]: `${id}x` } }),
  ],
  ['an account without the tag', 'NotForDrills', (_, account) => Object.assign(account, { tags: {} })],
  [
    'an account whose tag names another key',
    'NotForDrills',
    ({ vault }, { tags }) => Object.assign(tags, { [DRILL_TAG]: keyOf({ vault, key: 'other-key' }).id }),
  ],
  [
    'an account that does not use the key',
    'NotForDrills',
    (_, { encryption }) => Object.assign(encryption, { keySource: 'Microsoft.Storage' }),
  ],
  ['a key that another account uses', 'DrillKeyInUse', (site) => procedures.encrypted(site)],
  [
    'a key that an encryption scope of another account uses',
    'DrillKeyInUse',
    ({ group, vault, key, identity }) =>
      addAccount(procedures.world, group, {
        name: unique('st'),
        identity,
        scopes: [{ name: 'scope1', key: { vault, keyName: key, mode: 'automatic' } }],
      }),
  ],
  [
    'a key that a resource of another service uses',
    'DrillKeyInUse',
    (site) =>
      addOtherResource(procedures.world, site.group, 'Microsoft.ContainerRegistry/registries', unique('cr'), {
        encryption: { keyVaultProperties: { keyIdentifier: keyOf(site).id } },
      }),
  ],
];

describe('drill run', () => {
  it.each(WRONG_TARGETS)('drill run rejects %s, in a dry run too, and changes nothing', async (_, reason, spoil) => {
    const { site, account } = drillSite();
    spoil(site, account);

    const writes = await procedures.writes(async () => {
      for (const dryRun of [false, true]) {
        expect((await procedures.refusal(running(site), { dryRun })).reason).toBe(reason);
      }
    });

    expect(writes).toEqual([]);
  });

  it('drill run rejects a vault that the app does not manage', async () => {
    const { site } = drillSite();
    const environment = environmentOf(procedures.site());
    expect((await procedures.refusal(running(site, environment))).reason).toBe('VaultNotManaged');
  });

  it('drill run rejects a key whose users are not all known', async () => {
    const { site } = drillSite();
    procedures.local.faults.add([
      { match: { path: '/providers/Microsoft.ResourceGraph/resources' }, answer: { status: 403 } },
    ]);
    expect((await procedures.refusal(running(site))).reason).toBe('DependentsUnknown');

    procedures.local.faults.clear();
    expect((await procedures.refusal(running(site, { CMK_VAULTS: site.vault.id }))).reason).toBe('DependentsUnknown');
  });
});
