import { timeBoxed } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { regionCell } from '../azure/limiter.ts';
import type { FileShares } from '../dependents/file-shares-client.ts';
import type { Account } from '../fleet/account.ts';
import { Allowances } from '../http/rates.ts';
import { checkKeyAccess } from '../identities/check-key-access.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AccountShares } from './account-schemas.ts';

export type AccountSharesServices = Parameters<typeof checkKeyAccess>[2] & {
  readonly shares: FileShares;
};

/** Both are read side by side, and neither is waited for longer. Milliseconds. */
const LOOK_MS = 15_000;
/** Of a subscription and region, by all callers of an instance: most of what Azure allows is left to the work of the app. */
export const SHARE_LISTS = { burst: 10, perSecond: 1 / 15 };
const allowances = new Allowances(SHARE_LISTS);

/**
 * The file shares of an account, and whether its identity may use its key now. Lists are the scarcest budget of the Storage
 * resource provider, so that this is for whoever asks, and not for a look again and again. Never throws.
 *
 * @param key of the account itself; undefined: it uses none of a managed vault
 */
export function accountShares(
  account: Account,
  key: ManagedKey | undefined,
  services: AccountSharesServices,
): Promise<AccountShares> {
  const warnings: string[] = [];
  const list = async (signal: AbortSignal): Promise<AccountShares['shares']> => {
    const waitMs = allowances.take(regionCell(account), performance.now());
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      warnings.push(`The file shares were not listed: Azure allows few lists in a region. Ask again in ${seconds} s.`);
      return undefined;
    }
    const shares: NonNullable<AccountShares['shares']> = [];
    try {
      for await (const share of services.shares.list(account, signal)) shares.push(share);
      return shares;
    } catch (error) {
      warnings.push(`The file shares could not be listed: ${describe(describeFailure(error))}`);
      return undefined;
    }
  };
  return timeBoxed(async (signal) => {
    const [shares, [access]] = await Promise.all([
      list(signal),
      key ? checkKeyAccess([account], key, services, signal) : [],
    ]);
    const { ready, reason, missing } = access ?? {};
    return {
      ...(shares ? { shares } : {}),
      ...(ready === undefined || !missing ? {} : { access: { ready, reason, missing: [...missing] } }),
      warnings,
    };
  }, LOOK_MS);
}
