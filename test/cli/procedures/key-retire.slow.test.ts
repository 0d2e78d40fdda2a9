import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID, WORKSPACE_ID } from '../../../local/azure/constants.ts';
import type { Vault, World } from '../../../local/azure/world.ts';
import type { AuditEntry } from '../../../src/audit/record.ts';
import { openAppRecord } from '../../../src/cli/procedures/app-storage.ts';
import { type KeyRetireOptions, retireVersions, unretireVersion } from '../../../src/cli/procedures/key/key-retire.ts';
import type { Azure, Operation } from '../../../src/cli/procedures/operator-azure.ts';
import { revokeKey } from '../../../src/revocation/revoke.ts';
import { auditEntries } from '../../support/audit-lines.ts';
import { useAzurite } from '../../support/azurite.ts';
import { keyOf, type Site, texts, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const azurite = useAzurite();
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Without the app's storage in the environment by default. */
const retire =
  (site: Site, options: Partial<KeyRetireOptions> = {}) =>
  (operation: Operation) => {
    const environment = options.environment ?? {};
    const app = openAppRecord(environment, () => {
      throw new Error('A connection string needs no credential.');
    });
    const defaults = { proof: 'person', workspace: undefined } as const;
    return retireVersions(keyOf(site), { ...defaults, app, ...options, environment }, operation);
  };

/** A key with an old and a new version and an account on the new one, two days later. */
function movedOn(prepare: (vault: Vault) => void = () => {}) {
  const site = procedures.site();
  prepare(site.vault);
  const newer = procedures.nextVersion(site);
  const account = procedures.encrypted(site, 'pinned');
  procedures.local.clock.advance(2 * DAY);
  return { site, old: site.version, newer, account };
}

/** Sends the audit log of a vault to a workspace. */
function logTo(world: World, { id: scope }: Vault, customerId: string): void {
  const workspaceId = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-log/providers/Microsoft.OperationalInsights/workspaces/log`;
  world.workspaces.set(customerId, { id: workspaceId, customerId });
  const id = `${scope}/providers/Microsoft.Insights/diagnosticSettings/audit`;
  const properties = { workspaceId, logs: [{ categoryGroup: 'audit', enabled: true }] };
  world.extensions.set(id.toLowerCase(), { id, type: 'Microsoft.Insights/diagnosticSettings', scope, properties });
}

describe('key retire', () => {
  it('key retire disables unused versions, keeps the rest with a reason, and changes nothing the second time', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site, 'pinned');
    const unused = procedures.nextVersion(site);
    const newest = procedures.nextVersion(site);

    procedures.local.clock.advance(25 * HOUR);

    const first = await procedures.run(retire(site));
    expect(first.result.retired).toEqual([unused.version]);
    expect([site.version, unused, newest].map(({ enabled }) => enabled)).toEqual([true, false, true]);
    expect(unused.tags?.['cmk-retired']).toContain(newest.version);
    expect(texts(first, 'done')).toEqual([`version ${unused.version} of ${site.vault.name}/${site.key} disabled`]);

    const found = texts(first, 'found').join('\n');
    expect(found).toContain(`version ${site.version.version} stays: It is used by ${account.name}.`);
    expect(found).toContain(`version ${newest.version} stays: No newer version is usable.`);

    const second = await procedures.run(retire(site));
    expect(second.changed).toBe(false);
  });

  it('key retire disables nothing until a person confirms what cannot be read, and names it', async () => {
    const { site, old } = movedOn();
    const refusal = await procedures.refusal(retire(site, { proof: 'log' }));
    expect(refusal).toMatchObject({
      reason: 'RetirementUnproven',
      message: expect.stringMatching(new RegExp(`^No readable resource uses ${old.version} .*Unknown uses may exist`)),
      nextStep: expect.stringContaining(`--version ${old.version} --without-evidence`),
    });
    expect(old.enabled).toBe(true);
  });

  it('key retire disables nothing by the log alone, because the app may know users that this sign-in cannot read', async () => {
    const { site, old } = movedOn((vault) => logTo(procedures.world, vault, WORKSPACE_ID));

    procedures.local.clock.advance(DAY);

    const report = await procedures.run(retire(site, { proof: 'log', workspace: WORKSPACE_ID }));

    expect(old.enabled).toBe(true);
    expect(texts(report, 'planned')).toEqual([`version ${old.version} of ${site.vault.name}/${site.key} disabled`]);

    const [note] = texts(report, 'note');
    expect(note).toMatch(/may repair RetirableVersion/);
    expect(note).toContain(`--version ${old.version} --without-evidence`);
  });

  it('key retire rejects a version and a key that do not exist', async () => {
    const { site } = movedOn();
    expect((await procedures.refusal(retire(site, { version: '0'.repeat(32) }))).reason).toBe('UnknownVersion');
    expect((await procedures.refusal(retire({ ...site, key: 'nowhere' }))).reason).toBe('KeyNotFound');
  });
});

describe('the trail of key retire', () => {
  const environment = () => ({ AzureWebJobsStorage: azurite.connectionString });

  const trail = () => auditEntries(azurite.connectionString);

  it('key retire leaves the same tag and audit record as the app, with the evidence and the operator', async () => {
    const { site, old, newer, account } = movedOn();
    const said = { why: 'Moved on', ticket: 'CHG-1' };
    const report = await procedures.run(retire(site, { environment: environment(), ...said }));

    expect(report.result).toMatchObject({ retired: [old.version], audit: 'written' });

    const { objectId } = await procedures.azure().operator();
    const id = (version: string) => `https://${site.vault.name}.vault.azure.net/keys/${site.key}/${version}`;

    expect(await trail()).toContainEqual({
      action: 'key.retire',
      reason: 'VersionRetired',
      resource: `https://${site.vault.name}.vault.azure.net/keys/${site.key}`,
      caller: expect.objectContaining({ objectId, appId: 'cmk' }),
      correlationId: expect.any(String),
      details: {
        version: id(old.version),
        successor: id(newer.version),
        enabled: false,
        dependents: [{ who: account.id, versions: [newer.version] }],
        by: 'cmk',
        proof: 'person',
        ...said,
      },
    });
  });
});

describe('key unretire', () => {
  const app = openAppRecord({}, () => {
    throw new Error('A connection string needs no credential.');
  });
  const rollBack = (site: Site, version: string) => (operation: Operation) =>
    unretireVersion(keyOf(site), { version, app }, operation);

  it('key unretire enables a retired version once, and tags it as kept by the operator', async () => {
    const { site, old } = movedOn();

    await procedures.run(retire(site));

    expect(old).toMatchObject({ enabled: false, tags: { 'cmk-retired': expect.not.stringContaining('unsettled') } });

    const dry = await procedures.run(rollBack(site, old.version), { dryRun: true });
    expect([texts(dry, 'planned'), old.enabled]).toEqual([[`version ${old.version} enabled`], false]);

    const report = await procedures.run(rollBack(site, old.version));
    expect(report.result).toMatchObject({ enabled: true, audit: expect.stringContaining('no setting names') });

    const { objectId } = await procedures.azure().operator();
    expect(old).toMatchObject({ enabled: true, tags: { 'cmk-kept': expect.stringContaining(objectId) } });
    expect(old.tags).not.toHaveProperty('cmk-retired');
    expect((await procedures.run(rollBack(site, old.version))).changed).toBe(false);
  });

  it('key unretire confirms and records the change although the answer is lost', async () => {
    const { site, old } = movedOn();

    await procedures.run(retire(site));

    const azure = procedures.azure();
    const lossy: Azure = {
      ...azure,
      keys: {
        ...azure.keys,
        updateVersion: async (...args) => {
          await azure.keys.updateVersion(...args);
          throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
        },
      },
    };

    const entries: AuditEntry[] = [];
    const audit = async (entry: AuditEntry) => {
      entries.push(entry);
      return { failed: 'nowhere' };
    };
    const said = { why: 'Still needed', ticket: 'CHG-2' };
    const asked = { version: old.version, app: { audit }, ...said };
    const report = await procedures.run((operation) => unretireVersion(keyOf(site), asked, operation), {
      azure: lossy,
    });

    expect(report).toMatchObject({ changed: true, result: { enabled: true } });
    expect(old.enabled).toBe(true);
    expect(entries).toMatchObject([{ action: 'key.unretire', details: { enabled: true, by: 'cmk', ...said } }]);
  });

  it('key unretire changes no version that the operator or a revocation disabled', async () => {
    const { site, old } = movedOn();

    old.enabled = false;

    expect(await procedures.refusal(rollBack(site, old.version))).toMatchObject({ reason: 'ArgumentInvalid' });
    expect(await procedures.refusal(rollBack(site, '0'.repeat(32)))).toMatchObject({ reason: 'UnknownVersion' });

    old.enabled = true;
    await procedures.run(retire(site));

    const { objectId: revokedBy } = await procedures.azure().operator();

    await revokeKey(keyOf(site), { id: 'rev-2', revokedBy }, procedures.azure());

    expect(await procedures.refusal(rollBack(site, old.version))).toMatchObject({ reason: 'RevocationOpen' });
    expect(old.enabled).toBe(false);
  });
});
