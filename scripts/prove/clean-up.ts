import { z } from 'zod';
import { describeFailure, readUnless, readUnlessMissing } from '../../src/azure/failure.ts';
import type { createJsonSender } from '../../src/azure/json-sender.ts';
import type { ResourceId } from '../../src/azure/resource-id.ts';
import type { Azure } from '../../src/cli/procedures/operator-azure.ts';
import { getAccounts, type Site } from './site.ts';

/** Azure Resource Manager, with the operator's sign-in. */
export interface Arm {
  readonly azure: Pick<Azure, 'cloud' | 'sleep' | 'now'>;
  readonly send: ReturnType<typeof createJsonSender>;
}

const VERSIONS = {
  groups: '2021-04-01',
  roles: '2022-04-01',
  accounts: '2023-05-01',
  vaults: '2023-07-01',
  identities: '2023-01-31',
} as const;

/** Longest wait until a resource is gone, in milliseconds. An empty group takes Azure a minute. */
const GONE_MS = 300_000;
const PAUSE_MS = 2_000;

const ROLES = z.object({ value: z.array(z.object({ id: z.string(), properties: z.object({ scope: z.string() }) })) });
const LOCATED = z.object({ location: z.string() });
const DELETED_VAULT = z.object({ properties: z.object({ scheduledPurgeDate: z.string() }) });

/** Creates the run's own resource group, or reads where the given one is. Returns its location. */
export async function ensureGroup(site: Site, location: string | undefined, arm: Arm): Promise<string> {
  const path = formatGroupPath(site);
  if (!site.isOwnGroup) return LOCATED.parse(await send(arm, 'GET', path, VERSIONS.groups)).location;

  const body = { location: location ?? 'westeurope', tags: { 'cmk-prove': site.runId } };

  return LOCATED.parse(await send(arm, 'PUT', path, VERSIONS.groups, body)).location;
}

/**
 * Deletes what a run made, as far as it exists. Can be repeated. Deletes nothing else: every name has the id of the run.
 *
 * @returns when Azure purges the vault, which stays soft-deleted until then; undefined if there was none
 * @throws Azure's first error, after it has tried to delete everything
 */
export async function cleanUp(site: Site, arm: Arm): Promise<string | undefined> {
  const { vault, identity } = site;
  const errors: unknown[] = [];
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      errors.push(error);
      return undefined;
    }
  };

  // First, because an assignment outlives the resource at which it was made.
  for (const { id } of [...getAccounts(site), vault]) await attempt(() => removeRoles(id, arm));

  for (const { id } of getAccounts(site)) await attempt(() => remove(id, VERSIONS.accounts, arm));
  await attempt(() => remove(identity.id, VERSIONS.identities, arm));
  const purgedOn = await attempt(() => removeVault(vault, arm));
  if (site.isOwnGroup) await attempt(() => remove(formatGroupPath(site), VERSIONS.groups, arm));

  if (errors.length > 0) throw errors[0];

  return purgedOn;
}

function formatGroupPath({ subscription, resourceGroup }: Site): string {
  return `/subscriptions/${subscription}/resourceGroups/${resourceGroup}`;
}

/** Removes the role assignments at a resource and below it. */
async function removeRoles(id: string, arm: Arm): Promise<void> {
  const path = `${id}/providers/Microsoft.Authorization/roleAssignments`;
  const answer = await readUnlessMissing(() => send(arm, 'GET', path, VERSIONS.roles));
  if (answer === undefined) return;

  const own = ROLES.parse(answer).value.filter(({ properties: { scope } }) =>
    `${scope}/`.toLowerCase().startsWith(`${id}/`.toLowerCase()),
  );
  for (const role of own) await readUnlessMissing(() => send(arm, 'DELETE', role.id, VERSIONS.roles));
}

/** Deletes a resource and waits until it is gone. Another write of it may have to end first. */
async function remove(id: string, version: string, arm: Arm): Promise<void> {
  const { azure } = arm;
  const endMs = azure.now().getTime() + GONE_MS;

  while (await isThere(id, version, arm)) {
    if (azure.now().getTime() > endMs) throw new Error(`${id} is still there ${GONE_MS / 1_000} s after its deletion.`);

    await readUnlessMissing(() => readUnless('conflict', () => send(arm, 'DELETE', id, version)));
    if (!(await isThere(id, version, arm))) return;

    await azure.sleep(PAUSE_MS);
  }
}

async function isThere(id: string, version: string, arm: Arm): Promise<boolean> {
  return (await readUnlessMissing(() => send(arm, 'GET', id, version))) !== undefined;
}

async function removeVault({ id, name, subscriptionId }: ResourceId, arm: Arm): Promise<string | undefined> {
  const vault = await readUnlessMissing(() => send(arm, 'GET', id, VERSIONS.vaults));
  await remove(id, VERSIONS.vaults, arm);
  if (vault === undefined) return undefined;

  const { location } = LOCATED.parse(vault);
  const path = `/subscriptions/${subscriptionId}/providers/Microsoft.KeyVault/locations/${location}/deletedVaults/${name}`;
  const deleted = await readUnlessMissing(() => send(arm, 'GET', path, VERSIONS.vaults));

  return deleted === undefined ? undefined : DELETED_VAULT.parse(deleted).properties.scheduledPurgeDate;
}

/** Answers of a deletion that has begun, or that had nothing to delete: the sender takes only documents as answers. */
const NO_DOCUMENT: ReadonlySet<number | undefined> = new Set([202, 204]);

async function send(arm: Arm, method: 'GET' | 'PUT' | 'DELETE', path: string, version: string, body?: object) {
  const { cloud } = arm.azure;
  try {
    const url = cloud.resourceManager + path;
    return await arm.send({ method, url, query: { 'api-version': version }, ...(body ? { body } : {}) });
  } catch (error) {
    if (NO_DOCUMENT.has(describeFailure(error).status)) return {};
    throw error;
  }
}
