import { CmkError } from '../errors.ts';
import { ENCRYPTION_USER } from '../identities/key-roles.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { changeRekey, type RekeyAct, startRekey } from '../orders/order-rekey.ts';
import type { Rekey, StandingOrders } from '../orders/standing-orders.ts';
import { REASONS } from '../reasons.ts';
import { checkRekey } from '../rekey/check-rekey.ts';
import type { RekeyCheck } from '../rekey/rekey-problems.ts';
import { type RekeyStatus, rekeyStatus, requireRollback } from '../rekey/rekey-status.ts';
import { count } from '../text.ts';
import type { Vault } from '../vaults/vault-client.ts';
import { type AppOrders, callBy, NO_LOG } from './app-storage.ts';
import { ensureRole } from './identity/role-ensure.ts';
import type { Operation } from './operator-azure.ts';
import { findVault, keyIn } from './resolve.ts';

const DONE: Readonly<Record<RekeyAct, string>> = {
  pause: 'paused',
  resume: 'resumed',
  rollBack: 'taken back',
  end: 'ended as it is',
};

/** The re-key of that id; without one, all that there were, newest first. */
export async function rekeyStatuses(id: string | undefined, app: AppOrders): Promise<readonly RekeyStatus[]> {
  const orders = await app.orderStore.read();
  const rekeys = id === undefined ? orders.rekeys.toReversed() : [found(orders, id)];
  const all: RekeyStatus[] = [];
  for (const rekey of rekeys) all.push(await rekeyStatus(rekey, orders, app));
  return all;
}

/** Pauses, resumes, takes back or ends a re-key, as the app's API does. */
export async function changeRekeyAsOperator(
  { id, act, why }: { readonly id: string; readonly act: RekeyAct; readonly why: string },
  app: AppOrders,
  { azure, journal }: Operation,
): Promise<RekeyStatus> {
  let order = found(await app.orderStore.read(), id);
  if (act === 'rollBack') await requireRollback(order, app);
  const change = { text: `re-key ${id}: ${DONE[act]}`, action: 'key.rekey', resource: order.from } as const;
  if (journal.dryRun) journal.planned(change);
  else {
    order = await changeRekey(id, act, why, callBy(await azure.operator()), app, NO_LOG);
    // The use-case has written it into the audit trail.
    journal.done(change);
  }
  return rekeyStatus(order, await app.orderStore.read(), app);
}

function found({ rekeys }: StandingOrders, id: string): Rekey {
  const order = rekeys.find((rekey) => rekey.id === id);
  if (order) return order;
  throw new CmkError('RekeyNotFound', REASONS.RekeyNotFound, 'See those there are: cmk rekey list');
}

interface RekeyStartOptions {
  /** `<vault>/<key>`. */
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly ticket: string | undefined;
  readonly maxFailures: number;
  /** Whether identities that lack their role on the new key are given it. */
  readonly grant: boolean;
  /** ARM ids of the vaults that the app manages, as far as the environment says. */
  readonly managed: readonly string[];
  readonly app: AppOrders;
}

interface RekeyStarted {
  readonly check: RekeyCheck;
  readonly order: Rekey | undefined;
}

/**
 * Starts a re-key on the operator's own sign-in, by the same code as the app's API: checked, written into the app's storage,
 * and carried out by the app. Roles are given here, where a person asks for it, and never by the app.
 */
export async function startRekeyAsOperator(options: RekeyStartOptions, operation: Operation): Promise<RekeyStarted> {
  const { azure, journal } = operation;
  const { app, reason, ticket, maxFailures } = options;
  const [from, to] = [await find(options.from, operation), await find(options.to, operation)];
  const notManaged = [options.from, options.to].find((one) => isKnownUnmanaged(one, options.managed));
  if (notManaged) {
    throw new CmkError(
      'KeyNotManaged',
      `${notManaged}: ${REASONS.KeyNotManaged}`,
      'Add its vault to CMK_VAULTS of the app first.',
    );
  }
  const searched = async () => app.subscriptions ?? (await azure.subscriptions.list());
  const checking = () => checkRekey(from.key, to.key, { ...app, ...azure, keyCatalog: azure.keyAdmin, searched });
  let check = await checking();
  if (options.grant && check.withoutRole.length > 0) {
    for (const principalId of check.withoutRole) {
      const grantee = { principalId, principalType: 'ServicePrincipal', name: principalId } as const;
      await ensureRole(ENCRYPTION_USER, grantee, to.vault, to.key.name, operation);
    }
    if (!journal.dryRun) check = await checking();
  }
  for (const { detail, fix } of check.problems) journal.note(`${detail} ${fix}`);
  for (const warning of check.warnings) journal.note(warning);
  if (check.problems.length > 0) return { check, order: undefined };
  const many = `${count(check.accounts, 'account')} ${check.accounts === 1 ? 'is' : 'are'}`;
  const text = `${many} to move from ${options.from} to ${options.to}`;
  const change = { text, action: 'key.rekey', resource: from.key.id, from: from.key.id, to: to.key.id } as const;
  if (journal.dryRun) {
    journal.planned(change);
    return { check, order: undefined };
  }
  const call = callBy(await azure.operator());
  const request = { from: from.key.id, to: to.key.id, reason, ticket, maxFailures };
  const order = await startRekey(request, call, app, NO_LOG);
  // The use-case has written it into the audit trail.
  journal.done(change);
  return { check, order };
}

/** Where the environment does not say, the app finds out: then the order waits (`VaultNotManaged`). */
function isKnownUnmanaged(key: string, managed: readonly string[]): boolean {
  const [vault = ''] = key.split('/');
  return managed.length > 0 && !managed.some((id) => id.split('/').at(-1)?.toLowerCase() === vault.toLowerCase());
}

async function find(text: string, { azure }: Operation): Promise<{ readonly key: ManagedKey; readonly vault: Vault }> {
  const [vaultName = '', name = '', ...rest] = text.split('/');
  if (!vaultName || !name || rest.length > 0) {
    throw new CmkError('ArgumentInvalid', `"${text}" names no key.`, 'Write it as <vault>/<key>.');
  }
  const vault = await findVault(vaultName, azure);
  return { key: keyIn(vault, name, azure.cloud), vault };
}
