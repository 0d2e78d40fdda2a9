import type { ResourceId } from '../azure/resource-id.ts';
import type { Finding } from '../drift/report/report.ts';
import { type FleetAccount, listKeysOfAccount } from '../index/fleet-index.ts';
import { formatAccountRow, parseAccountId } from '../index/fleet-keys.ts';
import type { UseRow } from '../index/use-row.ts';
import type { AccountEffect } from '../probe/effect.ts';
import { findReported } from './last-check.ts';
import type { FleetReading, KeyReading } from './read-fleet.ts';

/** What a reading of the fleet has about one account. */
export interface AccountFacts {
  readonly account: FleetAccount;
  readonly id: ResourceId;
  /** Identifiers of the keys of the account and its scopes, without a version. */
  readonly keys: readonly string[];
  /** The readings of those keys that are in managed vaults. */
  readonly managedKeys: readonly KeyReading[];
  /** Its own use of a key; undefined if it uses none, or if the index lacks the use. */
  readonly use: UseRow | undefined;
  readonly scopeUses: readonly UseRow[];
  /** Findings of the last drift check about the account and its scopes. */
  readonly reported: readonly Finding[];
  /** Last probe after the last change of its key. */
  readonly probe: AccountEffect | undefined;
}

export function findAccountFacts(account: FleetAccount, reading: FleetReading): AccountFacts {
  const id = parseAccountId(account.account);
  const keys = listKeysOfAccount(account);
  const ownKey = account.key?.toLowerCase();
  const uses = reading.uses.get(formatAccountRow(account.account)) ?? [];
  const use = uses.find(({ scope, key }) => scope === undefined && key.toLowerCase() === ownKey);

  return {
    account,
    id,
    keys,
    managedKeys: keys.flatMap((key) => reading.keys.get(key.toLowerCase()) ?? []),
    use,
    scopeUses: uses.filter(({ scope }) => scope !== undefined),
    reported: findReported(id.id, reading),
    probe: use && reading.keys.get(use.key.toLowerCase())?.probes.get(id.id.toLowerCase()),
  };
}

/** The uses of keys by the account itself and by its scopes. */
export function listUses({ use, scopeUses }: Pick<AccountFacts, 'use' | 'scopeUses'>): readonly UseRow[] {
  return use ? [use, ...scopeUses] : scopeUses;
}
