import type { Account } from '../../../accounts/account.ts';
import type { AuditFiles } from '../../../audit/audit-client.ts';
import type { RecordAudit } from '../../../audit/audit-trail.ts';
import { abortAfter } from '../../../azure/deadline.ts';
import { describeError } from '../../../azure/failure.ts';
import { getLastName } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import { REFUSALS } from '../../../errors/refusals.ts';
import { formatCount, formatFirst } from '../../../formats/text.ts';
import type { StandingAccess } from '../../../identities/key-grants.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { formatVaultOption } from '../../../keys/vault-options.ts';
import { probe } from '../../../probe/probe.ts';
import { findProbeTarget } from '../../../probe/probe-targets.ts';
import { listAuditWarnings, NOT_AUDITED } from '../../../revocation/record-revocation.ts';
import { REASON_OPTION } from '../../../revocation/restore-command.ts';
import { newId } from '../../../revocation/revocation.ts';
import { formatKeyName } from '../../../revocation/usable-key.ts';
import { planRoles, type RolePlan } from '../../../role-revocation/plan-roles.ts';
import { findRestorable, listRestored, restoreRoles } from '../../../role-revocation/restore-roles.ts';
import { findOpenByRoles, type RevokedRoles, revokeRoles } from '../../../role-revocation/revoke-roles.ts';
import type { Environment } from '../../../settings/settings.ts';
import { describeGrantChange } from '../account/account-break-glass.ts';
import { createCallBy } from '../app-storage.ts';
import { readOnlySettings } from '../key/blast-radius-of.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { createKeyIn, findVault } from '../resolve.ts';

/** Deadlines for finding the users of the key, and for the probe of all accounts, in milliseconds. */
const USERS_MS = 30_000;
const PROBE_MS = 20_000;
/** Number of names shown at most. */
const SHOWN = 20;

/** The plan of a revocation, with the key in its vault's spelling and the text for the confirmation. */
export interface KeyRolePlan extends RolePlan {
  readonly key: ManagedKey;
  readonly text: string;
}

/**
 * Reads what a revocation of a key by roles removes, and notes what else loses access and what stands.
 *
 * @throws {@link CmkError} `VaultNotFound`, `RolesNotRevocable`: nothing was changed
 */
export async function planKeyRoles(
  named: ManagedKey,
  environment: Environment,
  { azure, journal }: Operation,
): Promise<KeyRolePlan> {
  const key = await resolveKey(named, azure);
  const settings = readOnlySettings(azure, environment);
  const plan = await planRoles(key, { ...azure, settings }, USERS_MS);
  if (plan.removable.length === 0 && plan.standing.length > 0) throw createRolesNotRevocable(key, plan.standing);

  const lines = describeRolePlan(key, plan);
  for (const line of lines) journal.note(line);

  return { ...plan, key, text: lines.join('\n') };
}

/** A key by name has no ARM id of its vault, which role assignments need. */
async function resolveKey({ vault, name }: ManagedKey, azure: Azure): Promise<ManagedKey> {
  return createKeyIn(await findVault(vault.id === '' ? vault.uri : vault.id, azure), name, azure.cloud);
}

function createRolesNotRevocable(key: ManagedKey, standing: readonly StandingAccess[]): CmkError {
  return new CmkError(
    'RolesNotRevocable',
    `${formatKeyName(key)} is reached ${standing.map(({ how }) => how).join(', and ')}. Nothing was changed.`,
    standing.map(({ remedy }) => remedy).join('\n'),
  );
}

/** What loses access, and what a revocation by roles does not reach; one sentence each. */
export function describeRolePlan(
  key: ManagedKey,
  { accounts, removable, others, standing, unread }: Omit<RolePlan, 'userIds'>,
): string[] {
  const names = accounts.map(({ name }) => name);
  const groups = removable.filter(({ principalType }) => principalType === 'Group');

  return [
    `${formatCount(removable.length, 'role assignment')} will be removed; ${formatCount(accounts.length, 'storage account')} on ${formatKeyName(key)} will lose access${names.length > 0 ? `: ${formatFirst(names, SHOWN)}` : ''}.`,
    ...(others.length > 0 ? [`Other resources on the vault lose access too: ${formatFirst(others, SHOWN)}.`] : []),
    ...(groups.length > 0 ? [`${formatCount(groups.length, 'role')} of a group: every member loses access.`] : []),
    ...standing.map(({ how, remedy }) => `NOT removed: the key is reached ${how}. ${remedy}`),
    ...unread.map((why) => `The users of the key are not completely known (${why}).`),
  ];
}

interface ByRoles {
  readonly reason: string;
  readonly ticket: string | undefined;
  readonly audit: RecordAudit;
}

/**
 * Removes the roles of a plan. A repeat continues an open revocation under its id.
 *
 * @param by.trail undefined: no setting names the storage of the app
 * @returns `complete`: a new read shows no role that reaches the key, and every user of the key is known
 */
export async function revokeKeyByRoles(
  { key, ...plan }: KeyRolePlan,
  { reason: why, ticket, audit, trail }: ByRoles & { readonly trail: AuditFiles | undefined },
  operation: Operation,
) {
  const { azure, journal } = operation;
  const changes = plan.removable.map((grant) => describeGrantChange(grant, 'remove'));
  const about = { key: key.id, path: 'roles' as const, others: plan.others };

  if (journal.dryRun) {
    for (const change of changes) journal.planned(change);
    return { ...about, complete: false, revocation: undefined, removed: plan.removable, ...NOT_AUDITED };
  }

  const open = await findOpen(key, trail, operation);
  if (plan.removable.length === 0) journal.found(`no role at ${formatKeyName(key)} or its vault is left to remove`);

  const call = { ...createCallBy(await azure.operator()), why, ticket };
  const result = await revokeRoles(key, plan, open, call, { ...azure, audit, newId });

  for (const grant of result.removed) journal.done(describeGrantChange(grant, 'remove'));
  noteLeft(key, result, operation);
  await noteProbe(plan.accounts, operation);

  const restoreIt = formatRestoreByRoles(key, result.revocation);
  journal.note(`To restore exactly these roles, a second person runs: ${restoreIt}`);

  const { complete, revocation, removed } = result;

  return { ...about, complete, revocation, removed, audit: result.audit };
}

async function findOpen(key: ManagedKey, trail: AuditFiles | undefined, { journal }: Operation) {
  if (!trail) return undefined;
  try {
    return await findOpenByRoles(trail, key);
  } catch (error) {
    journal.note(`The audit trail cannot be read, so this revocation gets an id of its own: ${describeError(error)}`);
    return undefined;
  }
}

function noteLeft(
  key: ManagedKey,
  { failed, left, unrecorded, complete, audit }: RevokedRoles,
  { journal }: Operation,
): void {
  for (const { grant, why } of failed) {
    journal.note(`${describeGrantChange(grant, 'remove').text}: NOT done. ${why}`);
  }

  for (const { how, remedy } of left?.standing ?? []) journal.note(`The key is still reached ${how}. ${remedy}`);

  if (!left) journal.note(`It is unknown what still reaches ${formatKeyName(key)}: its roles cannot be read again.`);
  if (left && left.removable.length > 0) journal.note('Roles are still there. Run the same command again.');
  if (!complete) journal.note(`${formatKeyName(key)} is NOT completely revoked.`);
  if (unrecorded.length > 0) {
    journal.note(`A restore finds no record of these. Keep them to assign them by hand: ${JSON.stringify(unrecorded)}`);
  }

  for (const warning of listAuditWarnings({ audit })) journal.note(warning);
  journal.note(
    'Nothing keeps the roles away: any new assignment gives access again. After a failback, revoke the key.',
  );
}

/** Says once what the file services show now: how long Storage keeps an unwrapped key is not documented. */
async function noteProbe(accounts: readonly Account[], { azure, journal }: Operation): Promise<void> {
  const lists = { settings: { probeBlobs: false }, shares: azure.shares, containers: azure.containers };
  const seen = accounts.slice(0, SHOWN);
  const targets = await abortAfter(
    (signal) => Promise.all(seen.map((account) => findProbeTarget(account, lists, signal))),
    PROBE_MS,
  );

  for (const { account, state, why } of await probe(targets, azure, PROBE_MS)) {
    const name = getLastName(account);
    if (state === 'blocked') journal.found(`${name} refuses (${why})`);
    else journal.note(state === 'open' ? `${name} still serves` : `It is unknown whether ${name} serves: ${why}`);
  }

  if (accounts.length > 0) {
    journal.note(
      'A removed role stays effective for up to ten minutes; Azure does not document how long Storage keeps using an unwrapped key.',
    );
  }
}

function formatRestoreByRoles({ name, vault }: ManagedKey, revocation: string): string {
  return `cmk key restore ${name} ${formatVaultOption(vault)} --path roles --revocation ${revocation} ${REASON_OPTION}`;
}

interface RestoreByRoles extends ByRoles {
  readonly revocation: string;
  readonly dualControl: boolean;
  readonly trail: AuditFiles;
}

/**
 * Assigns the roles again that the named revocation removed.
 *
 * @throws {@link CmkError} `SecondPersonNeeded`, `OtherRevocation`, `VaultNotFound`: nothing was changed
 */
export async function restoreKeyByRoles(
  named: ManagedKey,
  { reason: why, ticket, revocation, dualControl, trail, audit }: RestoreByRoles,
  { azure, journal }: Operation,
) {
  const key = await resolveKey(named, azure);
  const operator = await azure.operator();
  const request = { revocation, restoredBy: operator.objectId, dualControl };
  const restorable = await findRestorable(trail, key, request);
  const about = { key: key.id, path: 'roles' as const, revocation };

  if ('refused' in restorable) {
    const isDone = restorable.refused === 'AlreadyRestored';
    if (!isDone && restorable.refused !== 'NothingToRestore') throw refuseRestore(key, restorable, revocation);
    journal.found(isDone ? `revocation ${revocation} is restored already` : 'no such revocation by roles is recorded');
    return { ...about, complete: true, restored: [], ...NOT_AUDITED };
  }

  const { found } = restorable;

  if (journal.dryRun) {
    const restored = listRestored(key, found.removes);
    for (const grant of restored) journal.planned(describeGrantChange(grant, 'restore'));
    return { ...about, complete: false, restored, ...NOT_AUDITED };
  }

  const call = { ...createCallBy(operator), why, ticket };
  const { complete, restored, missing, audit: audited } = await restoreRoles(key, found, call, { ...azure, audit });

  for (const grant of restored) journal.done(describeGrantChange(grant, 'restore'));
  for (const { grant, why: reason } of missing) {
    journal.note(`${describeGrantChange(grant, 'restore').text}: NOT done. ${reason} Run the same command again.`);
  }

  for (const warning of listAuditWarnings({ audit: audited })) journal.note(warning);
  journal.note('A new role assignment takes effect within ten minutes; Storage retries automatically.');

  return { ...about, complete, restored, audit: audited };
}

function refuseRestore(
  key: ManagedKey,
  restorable: { readonly refused: string; readonly open?: { readonly id: string } },
  revocation: string,
): CmkError {
  if (!restorable.open) {
    const command = formatRestoreByRoles(key, revocation);
    return new CmkError(
      'SecondPersonNeeded',
      REFUSALS.SecondPersonNeeded.sentence,
      `Ask a second person to run it: ${command}`,
    );
  }

  return new CmkError(
    'OtherRevocation',
    `${REFUSALS.OtherRevocation.sentence} It is ${restorable.open.id}.`,
    `To restore that revocation: ${formatRestoreByRoles(key, restorable.open.id)}`,
  );
}
