import { beforeAll, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { prove } from '../../scripts/prove/prove.ts';
import { createSite, type Site } from '../../scripts/prove/site.ts';
import { createJsonSender } from '../../src/azure/json-sender.ts';
import { LIMITS } from '../../src/azure/limits.ts';
import { Output } from '../../src/cli/terminal/output.ts';
import { createServices } from '../../src/services.ts';
import { unique, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

beforeAll(() => {
  // Makes the subscription.
  procedures.group();
});

/** Runs a proof; `interruptAt` ends it, like Ctrl-C, when its output first has that text. */
async function run(site: Site, interruptAt?: string) {
  const azure = procedures.azure();
  const credential = procedures.credential();
  const controller = new AbortController();
  let shown = '';
  const sink = {
    write: (text: string) => {
      shown += text;
      if (interruptAt !== undefined && shown.includes(interruptAt)) controller.abort(new Error('Ctrl-C'));
    },
  };
  const options = {
    location: 'westeurope',
    waitSeconds: 60,
    signal: controller.signal,
    services: (environment: Parameters<typeof createServices>[0]) => createServices(environment, credential, () => {}),
  };
  const arm = { azure, send: createJsonSender(credential, azure.cloud.resourceManagerScope, LIMITS.commandLine) };
  const proved = await prove(site, options, { arm, azure, output: new Output('lines', sink, sink, {}) });
  return { ...proved, shown };
}

function newSite(resourceGroup?: string): Site {
  return createSite(unique(''), SUBSCRIPTION_ID, resourceGroup);
}

/** Ids of what the local Azure has of a run; soft-deleted vaults are not counted. */
function leftOf({ runId }: Site): string[] {
  const { storageAccounts, vaults, identities, resourceGroups, roleAssignments } = procedures.world;
  const resources = [storageAccounts, vaults, identities, resourceGroups].flatMap((map) => [...map.values()]);
  const ids = [...resources.map(({ id }) => id), ...[...roleAssignments.values()].map(({ scope }) => scope)];
  return ids.filter((id) => id.includes(runId));
}

describe('npm run prove', () => {
  it('prove passes every step on the local Azure, finds no difference, and leaves only a soft-deleted vault', async () => {
    const site = newSite();
    const { rows, shown, ...numbers } = await run(site);

    expect(rows.filter(({ passed, differs }) => !passed || differs.length > 0)).toEqual([]);
    expect(numbers).toEqual({ passed: 20, failed: 0, isComplete: true });
    expect(leftOf(site)).toEqual([]);
    expect(procedures.world.deletedVaults.has(site.vault.name)).toBe(true);
    expect(shown).toMatch(/nothing is left but the soft-deleted vault kv-prove-\w+: .* on \d{4}-\d\d-\d\d/);
  });

  it('prove names each behaviour that the local Azure does not have by its setting', async () => {
    const site = newSite();
    const slower = { rolePropagationMs: 5_000, fileServiceDelayMs: 5_000, refreshAutomaticOnPatch: false };
    Object.assign(procedures.world.settings, slower);
    const { rows } = await run(site);

    const seen = rows.flatMap(({ differs }) => differs.map((text) => text.split(':')[0]));
    expect(new Set(seen)).toEqual(new Set(Object.keys(slower)));
  });

  it.each(['create a vault:', 'create three accounts:', 'revoke a key:'])(
    'prove deletes what it made when it is interrupted after "%s"',
    async (step) => {
      const site = newSite();
      const { isComplete, failed, shown } = await run(site, step);

      expect({ isComplete, failed, left: leftOf(site) }).toEqual({ isComplete: false, failed: 0, left: [] });
      expect(shown).toContain('Interrupted');
    },
  );

  it('prove ends its wait for a role when it is interrupted, and deletes what it made', async () => {
    const site = newSite();
    procedures.world.settings.rolePropagationMs = 3_600_000;
    const { isComplete } = await run(site, 'waiting for the role');

    expect({ isComplete, left: leftOf(site) }).toEqual({ isComplete: false, left: [] });
  });

  it('prove keeps a resource group that it was given, and everything in it', async () => {
    const site = procedures.site();
    const mine = newSite(site.group.name);
    const { isComplete } = await run(mine, 'create two keys:');

    expect({ isComplete, left: leftOf(mine) }).toEqual({ isComplete: false, left: [] });
    expect(procedures.world.resourceGroups.has(site.group.id.toLowerCase())).toBe(true);
    expect(procedures.world.vaults.has(site.vault.name)).toBe(true);
  });
});
