import pMap from 'p-map';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { ACCOUNT_TYPE, parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import type { Resources } from '../azure/resources-client.ts';
import { CmkError } from '../errors.ts';
import { HttpProblem } from '../http/problem.ts';
import { type Revocable, type RevocableServices, readRevocable } from '../identities/revocable.ts';
import { REASONS } from '../reasons.ts';
import type { RevokedPart } from '../revocation/account-record.ts';
import type { Settings } from '../settings/settings.ts';

const ACCOUNT_NAME = /^[0-9a-z]{3,24}$/i;
const SUBSCRIPTIONS_AT_ONCE = 8;

export interface AccountLookServices extends RevocableServices {
  readonly settings: Pick<Settings, 'subscriptions' | 'vaults'>;
  readonly subscriptions: Pick<Subscriptions, 'list'>;
  readonly resources: Resources;
}

/** The subscriptions that are looked after. */
export function inReachOf({
  settings,
  subscriptions,
}: Pick<AccountLookServices, 'settings' | 'subscriptions'>): () => Promise<readonly string[]> {
  return async () => settings.subscriptions ?? (await subscriptions.list());
}

/**
 * The account that a call names, found by Azure Resource Manager alone. Names of accounts are one in the world: whichever
 * subscription shows it first, the others are not waited for.
 *
 * @throws {@link HttpProblem} 404; 502 when it is in none that could be read, and not all could
 */
export async function accountOfCall(name: string | undefined, services: AccountLookServices): Promise<ResourceId> {
  if (!ACCOUNT_NAME.test(name ?? '')) throw noSuchAccount();
  const named = name?.toLowerCase() ?? '';
  return orUnreadable(async () => firstOf(await inReachOf(services)(), named, services.resources));
}

function firstOf(subscriptions: readonly string[], name: string, resources: Resources): Promise<ResourceId> {
  return new Promise((resolve, reject) => {
    let isFound = false;
    const errors: unknown[] = [];
    const lookIn = async (subscription: string): Promise<void> => {
      if (isFound) return;
      try {
        const found = await resources.find(subscription, ACCOUNT_TYPE, name);
        const [id] = found.flatMap((one) => parseResourceId(one) ?? []);
        if (!id) return;
        isFound = true;
        resolve(id);
      } catch (error) {
        errors.push(error);
      }
    };
    void pMap(subscriptions, lookIn, { concurrency: SUBSCRIPTIONS_AT_ONCE }).then(() =>
      reject(errors[0] ?? noSuchAccount()),
    );
  });
}

/** A part of it, on a managed key. @throws {@link HttpProblem} 404, 502 */
export async function revocableOfCall(
  id: ResourceId,
  part: RevokedPart,
  services: AccountLookServices,
): Promise<Revocable> {
  const { vaults } = services.settings;
  const revocable = await orUnreadable(() => readRevocable(id, part, (use) => vaults.keyOf(use), services));
  if (!revocable) throw noSuchAccount();
  return revocable;
}

/** The one answer about accounts that are not there, and about those that are on no managed key. */
export function noSuchAccount(): HttpProblem {
  return new HttpProblem(
    404,
    'AccountNotManaged',
    REASONS.AccountNotManaged,
    'Check the names of account and scope; its key has to be in one of CMK_VAULTS.',
  );
}

/** @throws {@link HttpProblem} 502 when Azure cannot be read; what the app itself refuses is thrown on */
export async function orUnreadable<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CmkError || error instanceof HttpProblem) throw error;
    const failure = describeFailure(error);
    throw new HttpProblem(
      502,
      failure.kind === 'forbidden' ? 'MissingPermission' : 'ServiceUnavailable',
      `Azure Resource Manager did not show the account, or what gives it access: ${describe(failure)} Nothing was changed.`,
      failure.kind === 'forbidden'
        ? "Give the app's identity its roles on account and vault again (see docs/deploy.md); meanwhile use `cmk account revoke` with your own sign-in."
        : 'Repeat the call; if it stays, use `cmk account revoke` with your own sign-in.',
      { cause: error },
    );
  }
}
