import { getLastName } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import { describeByHand } from '../../../key-users/by-hand.ts';
import { createFollowBody } from '../../../key-users/follow-body.ts';
import type { ShownUser } from '../../../key-users/follow-client.ts';
import { type FollowWrite, findKeyUserType, type KeyUserType } from '../../../key-users/key-user-types.ts';
import { readPath } from '../../../key-users/read-updates.ts';
import { listUsesOfVault } from '../../../key-users/resource-graph-query.ts';
import type { KeyUser } from '../../../key-users/user-list.ts';
import type { KeyVersion } from '../../../keys/key-versions.ts';
import { formatVaultOption } from '../../../keys/vault-options.ts';
import { formatKeyName, requireUsableVersion } from '../../../revocation/usable-key.ts';
import { type AppRecord, recordDone } from '../app-storage.ts';
import { checkRole, type KeySource } from '../key/key-source.ts';
import type { Operation } from '../operator-azure.ts';
import { createKeyIn, findVault } from '../resolve.ts';

export interface FollowOptions {
  readonly reason?: string | undefined;
  readonly ticket?: string | undefined;
  readonly audit: AppRecord['audit'];
}

/**
 * Makes a resource follow new versions of its key with one write, and proves it with a read.
 *
 * @throws {@link CmkError} before the write: a type that cannot follow, a revoked key, a key size or an identity that the
 *   service would refuse; `NotProven` after it
 */
export async function followUser(user: KeyUser, options: FollowOptions, operation: Operation): Promise<void> {
  const { azure, journal } = operation;
  const { source, newest } = await readSource(user, operation);
  const { entry, write, apiVersion } = requireFollowWrite(user, newest);
  const shown = await readShown(user, apiVersion, operation);

  if (isAutomatic(user, shown, source)) {
    journal.found(`${user.name} follows new versions already`);
    return;
  }

  await checkBefore(user, write, shown, source, operation);

  const text = `${user.name} (${entry.type}) follows new versions of ${user.key}`;
  const change = { text, action: 'user.follow', resource: user.id, from: user.version ?? user.mode, to: 'automatic' };

  if (!journal.dryRun) {
    const details = { why: options.reason, ticket: options.ticket, key: user.key, from: change.from };
    const begun = { action: 'user.follow', reason: 'FollowBegun', resource: user.id, details } as const;
    await recordDone(begun, options.audit, operation);
  }

  await journal.change(change, async () => {
    const body = createFollowBody(write, shown.properties);
    await azure.keyUsers.update(user.id, apiVersion, body, azure.sleep);

    if (isAutomatic(user, await readShown(user, apiVersion, operation), source)) return;

    throw new CmkError(
      'NotProven',
      `Azure accepted the change, but ${user.name} does not show that it follows new versions.`,
      'Run the command again; if it fails again, read the resource with `az resource show --ids` and its ARM id.',
    );
  });
}

/** @throws {@link CmkError} `Refused`, with the commands of `az` instead */
function requireFollowWrite(
  user: KeyUser,
  newest: KeyVersion,
): { readonly entry: KeyUserType; readonly write: FollowWrite; readonly apiVersion: string } {
  const entry = findKeyUserType(user.type);
  const write = entry?.follow;
  const apiVersion = write?.apiVersion ?? entry?.apiVersion;
  if (entry && write && apiVersion) return { entry, write, apiVersion };

  throw new CmkError(
    'Refused',
    `${user.name}: cmk writes no resource of the type ${entry?.type ?? user.type}.`,
    describeByHand(user, newest),
  );
}

/** The key with its vault, which has a usable newest version. */
async function readSource(
  { key }: KeyUser,
  { azure }: Operation,
): Promise<{ readonly source: KeySource; readonly newest: KeyVersion }> {
  const [vaultName = '', keyName = ''] = key.split('/');
  const vault = await findVault(vaultName, azure);
  const managed = createKeyIn(vault, keyName, azure.cloud);
  const newest = requireUsableVersion(managed, await azure.keys.listVersions(managed), undefined, azure.now());

  return { source: { vaultUri: vault.uri, keyName: managed.name, pin: undefined, vault, key: managed }, newest };
}

async function readShown({ id, name }: KeyUser, apiVersion: string, { azure }: Operation): Promise<ShownUser> {
  const shown = await azure.keyUsers.get(id, apiVersion);
  if (shown) return shown;
  throw new CmkError('NotFound', `${name} no longer exists.`, 'List the users of the key again: cmk user list');
}

function isAutomatic({ type }: KeyUser, { id, properties }: ShownUser, { key }: KeySource): boolean {
  const row = { id, name: getLastName(id), type, location: '', subscriptionId: '', properties };
  return listUsesOfVault(row, key.vault).get(key.name.toLowerCase())?.mode === 'automatic';
}

/** Checks what the service would refuse, so that the reason comes in plain words before the write. */
async function checkBefore(
  user: KeyUser,
  { ready, rsaSizes }: FollowWrite,
  shown: ShownUser,
  source: KeySource,
  operation: Operation,
): Promise<void> {
  const { azure, journal } = operation;
  const { key } = source;

  const state = ready && readPath(shown.properties, ready.path);
  if (ready && state !== undefined && state !== ready.value) {
    throw new CmkError(
      'Refused',
      `${user.name} is in the state ${String(state)}, and Azure changes its key only in the state ${ready.value}.`,
      `Wait until it is ${ready.value}, then run the command again.`,
    );
  }

  const kind = await azure.keyAdmin.describe(key).catch(() => undefined);
  if (kind?.size !== undefined && rsaSizes && !rsaSizes.includes(kind.size)) {
    throw new CmkError(
      'KeyUnsupported',
      `${formatKeyName(key)} has ${kind.size} bits, and ${user.type} accepts only ${rsaSizes.join(', ')}.`,
      `Create a key of an accepted size: cmk key ensure <name> ${formatVaultOption(key.vault)} --size ${rsaSizes[0]}`,
    );
  }

  const named = findNamedIdentity(shown);
  if (named === undefined) {
    throw new CmkError(
      'IdentityHasNoAccess',
      `${user.name} has no managed identity, so its service cannot read the key.`,
      `Attach the identity that its encryption names, then run the command again: az resource show --ids ${user.id}`,
    );
  }

  if (named.length === 0) {
    journal.note(`${user.name} has several identities: Azure checks the access of the one that its encryption names.`);
  }

  for (const { name, principalId } of named) await checkRole(principalId, name, source, operation);
}

interface NamedIdentity {
  readonly name: string;
  readonly principalId: string;
}

/** The identity that reads the key. Undefined: the resource has none. Empty: it cannot be told. */
function findNamedIdentity({ identity, properties }: ShownUser): readonly NamedIdentity[] | undefined {
  const attached = Object.entries(identity?.userAssignedIdentities ?? {}).flatMap(([id, { principalId }]) =>
    principalId ? [{ id, name: getLastName(id), principalId }] : [],
  );
  const text = JSON.stringify(properties ?? {}).toLowerCase();
  const byId = attached.filter(({ id }) => text.includes(`"${id.toLowerCase()}"`));
  if (byId.length > 0) return byId;

  const system = identity?.principalId;
  if (system && attached.length === 0) return [{ name: 'the system-assigned identity', principalId: system }];
  if (!system && attached.length === 1) return attached;
  return system || attached.length > 0 ? [] : undefined;
}
