import { setTimeout as sleep } from 'node:timers/promises';
import { AuthorizationManagementClient, type RoleAssignment } from '@azure/arm-authorization';
import { EventGridManagementClient } from '@azure/arm-eventgrid';
import { KeyVaultManagementClient } from '@azure/arm-keyvault';
import type { Encryption } from '@azure/arm-storage';
import { SUBSCRIPTION_ID, TENANT_ID } from '../local/azure/constants.ts';
import type { DriftChange, DriftReport, Finding } from '../src/drift/report/report.ts';
import type { TourContext } from './context.ts';
import { expectThat } from './expect.ts';
import { short } from './moves.ts';
import type { TourStep } from './step.ts';

const VAULT = `subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-records`;
/** What only a person can put right: which key an account should have, who may use it, and where other services are held. */
const FOR_A_PERSON = ['NotCustomerManaged', 'IdentityWithoutRole', 'MissingPermission', 'Unreadable', 'NearExpiry'];
const DAY_MS = 24 * 3600 * 1000;
/** The API limits how often a caller may ask. */
const BETWEEN_CALLS_MS = 500;

/** What the second step did, for the last one to undo. */
const before: { roles: RoleAssignment[]; encryption: Encryption | undefined } = { roles: [], encryption: undefined };

/** Drift: made behind the app's back with the plain SDK, named, fixed where it may be. */
export const driftSteps: readonly TourStep[] = [
  {
    title:
      'An administrator pins stfiles01 back: the event of that change is checked, the caller named, the account repaired',
    async run(context) {
      const known = new Set((await check(context)).changes.map(({ id }) => id));
      const started = Date.now();
      const old = await pinBack(context);

      const change = await context.until('the change of stfiles01 in the drift report', 30, async () => {
        await sleep(BETWEEN_CALLS_MS);
        const { body } = await context.api<DriftReport>('operator', 'GET', '/drift');
        const isOfIt = ({ id, resource, found }: DriftChange) =>
          !known.has(id) && found.length > 0 && resource.endsWith('/stfiles01');
        return body.changes?.find(isOfIt);
      });

      await context.until('stfiles01 to be back on the newest version', 30, async () => {
        const { encryption } = await context.storage().storageAccounts.getProperties('rg-files', 'stfiles01');
        const { properties } = await context.keys('kv-files').getKey('files-key');
        return encryption?.keyVaultProperties?.keyVersion === properties.version ? true : undefined;
      });

      const seconds = (Date.now() - started) / 1_000;
      const owner = context.variable('AZURE_CLIENT_ID');
      expectThat(change.client === owner, `The client ${owner} changed it, and the report names ${change.client}.`);
      screenChange(context, change);

      return `pinned to ${short(old)} and back on the newest version within ${seconds.toFixed(1)} s, without a drift check`;
    },
  },
  {
    title: 'An administrator puts starchive02 on Microsoft-managed keys, deletes and recovers kv-records',
    async run(context) {
      const { storageAccounts } = context.storage();
      before.encryption = (await storageAccounts.getProperties('rg-archive', 'starchive02')).encryption;
      await storageAccounts.update('rg-archive', 'starchive02', { tags: { 'cmk-key': 'kv-files/archive-key' } });
      await storageAccounts.update('rg-archive', 'starchive02', { encryption: { keySource: 'Microsoft.Storage' } });

      const roles = new AuthorizationManagementClient(context.credential, SUBSCRIPTION_ID);
      for await (const assignment of roles.roleAssignments.listForScope(VAULT)) {
        if (assignment.scope?.toLowerCase().startsWith(`/${VAULT}`.toLowerCase())) before.roles.push(assignment);
      }
      const { vaults } = new KeyVaultManagementClient(context.credential, SUBSCRIPTION_ID);
      const { location } = await vaults.get('rg-keys', 'kv-records');
      await vaults.delete('rg-keys', 'kv-records');
      await vaults.createOrUpdate('rg-keys', 'kv-records', {
        location: location ?? 'westeurope',
        properties: { tenantId: TENANT_ID, sku: { family: 'A', name: 'standard' }, createMode: 'recover' },
      });
      const lost = 3 - (await eventSubscriptions(context));
      expectThat(lost === 3, `kv-records lost ${lost} event subscriptions, not 3.`);
      return 'kv-records is back without its event subscriptions and role assignments';
    },
  },
  {
    title: 'The drift check names each of it, and fixes what it may',
    async run(context) {
      const report = await check(context);
      expectFound(report, 'NotCustomerManaged', 'starchive02');
      expectFound(report, 'EventSubscriptionMissing', 'kv-records');
      for (const name of ['strecords01', 'strecords02']) expectFound(report, 'IdentityWithoutRole', name);
      show(context, report);
      const failed = report.fixes.filter(({ outcome }) => outcome === 'failed');
      expectThat(failed.length === 0, `Not fixed: ${failed.map(({ detail }) => detail).join(' ')}`);
      const made = await eventSubscriptions(context);
      expectThat(made === 3, `kv-records has ${made} event subscriptions, not 3.`);
      return `${report.counts.error} errors; kv-records has its 3 event subscriptions`;
    },
  },
  {
    title: 'A second check is clean but for what needs a person',
    async run(context) {
      // What the last one put to work may take a moment.
      const report = await context.until('a check with nothing left to fix', 20, async () => {
        const next = await check(context);
        return next.fixes.length === 0 ? next : undefined;
      });
      const rest = errorsOf(report);
      const unexpected = rest.filter(({ reason }) => !FOR_A_PERSON.includes(reason));
      expectThat(unexpected.length === 0, `Still there: ${unexpected.map(({ reason }) => reason).join(', ')}.`);
      expectFound(report, 'NotCustomerManaged', 'starchive02');
      expectFound(report, 'NearExpiry', 'archive-key');
      return `left for a person: ${[...new Set(rest.map(({ reason }) => reason))].join(', ')}`;
    },
  },
  {
    title:
      'A person gives the roles and the key back, and extends the expiry that would stop virtual machines: no errors',
    async run(context) {
      const { roleAssignments } = new AuthorizationManagementClient(context.credential, SUBSCRIPTION_ID);
      for (const { scope = '', name = '', roleDefinitionId = '', principalId = '' } of before.roles) {
        await roleAssignments.create(scope.slice(1), name, { roleDefinitionId, principalId });
      }

      await context.storage().storageAccounts.update('rg-archive', 'starchive02', {
        ...(before.encryption ? { encryption: before.encryption } : {}),
      });

      // A disk encryption set is held at an older version of archive-key, which nears its expiry.
      const inVault = context.keys('kv-files');
      const expiresOn = new Date(Date.now() + 365 * DAY_MS);
      for await (const { version = '' } of inVault.listPropertiesOfKeyVersions('archive-key')) {
        await inVault.updateKeyProperties('archive-key', version, { expiresOn });
      }

      const report = await context.until('a check without errors', 20, async () => {
        const next = await check(context);
        return errorsOf(next).length === 0 ? next : undefined;
      });

      const { accounts, keys, vaults } = report.coverage;
      return `no errors in ${vaults} vaults, ${keys} keys and ${accounts} accounts; ${report.counts.advice} pieces of advice`;
    },
  },
];

async function check(context: TourContext): Promise<DriftReport> {
  const { status, body } = await context.api<DriftReport>('operator', 'POST', '/drift');
  if (status === 202) {
    return context.until('the drift report', 60, async () => {
      const later = await context.api<DriftReport>('operator', 'GET', `/drift/${body.id}`);
      return later.status === 200 ? (later.body as DriftReport) : undefined;
    });
  }
  expectThat(status === 200, `The drift check was answered with ${status} ${body.reason}.`);
  return body as DriftReport;
}

function errorsOf({ findings }: DriftReport): Finding[] {
  return findings.filter(({ severity, exemption }) => severity === 'error' && !exemption);
}

function finds({ findings }: DriftReport, reason: string, name: string): boolean {
  return findings.some((finding) => finding.reason === reason && finding.resource.includes(name));
}

function expectFound(report: DriftReport, reason: string, name: string): void {
  expectThat(finds(report, reason, name), `The check did not find ${reason} of ${name}.`);
}

function screenChange({ screen }: TourContext, { on, foundOn, objectId, client, found }: DriftChange): void {
  const seconds = Math.max(0, Date.parse(foundOn) - Date.parse(on)) / 1_000;
  const reasons = found.map(({ reason }) => reason).join(', ');
  screen.line(`    ${reasons}: found after ${seconds.toFixed(1)} s, made by ${objectId} with the client ${client}`);
}

function show({ screen }: TourContext, report: DriftReport): void {
  const fixed = new Map(report.fixes.map(({ finding, detail }) => [finding, detail]));
  for (const { id, reason, resource, is } of errorsOf(report)) {
    const name = resource.split('/').at(-1) ?? resource;
    screen.line(
      `    ${reason.padEnd(24)} ${name.padEnd(12)} ${fixed.get(id) ?? (is.length > 80 ? `${is.slice(0, 80)}…` : is)}`,
    );
  }
}

/** Pins stfiles01 to an older version. @returns that version */
export async function pinBack(context: TourContext): Promise<string> {
  const { storageAccounts } = context.storage();
  const { encryption } = await storageAccounts.getProperties('rg-files', 'stfiles01');
  const { properties } = await context.keys('kv-files').getKey('files-key');
  const old = await oldVersion(context, properties.version ?? '');
  await storageAccounts.update('rg-files', 'stfiles01', {
    encryption: { ...encryption, keyVaultProperties: { ...encryption?.keyVaultProperties, keyVersion: old } },
  });
  return old;
}

/** An enabled version of files-key other than the newest. */
async function oldVersion(context: TourContext, current: string): Promise<string> {
  for await (const { version, enabled } of context.keys('kv-files').listPropertiesOfKeyVersions('files-key')) {
    if (enabled && version && version !== current) return version;
  }
  throw new Error('files-key has no older version that is enabled.');
}

async function eventSubscriptions(context: TourContext): Promise<number> {
  const client = new EventGridManagementClient(context.credential, SUBSCRIPTION_ID);
  let count = 0;
  for await (const _ of client.eventSubscriptions.listByResource(
    'rg-keys',
    'Microsoft.KeyVault',
    'vaults',
    'kv-records',
  )) {
    count += 1;
  }
  return count;
}
