import type { UseRow } from '../index/use-row.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { formatCauseLabel } from '../keys/resource-label.ts';
import { getVersionInUse } from '../keys/version-in-use.ts';
import { type AccountFacts, listUses } from './account-facts.ts';
import type { AccountView } from './fleet-schemas.ts';
import type { Health } from './health.ts';
import { getLastTry } from './rotation-progress.ts';

/**
 * Shows an account with its health, as the API answers.
 *
 * @param lastChecked start of the last drift check that covered the account
 * @param listings time of the last list of each subscription
 */
export function toAccountView(
  facts: AccountFacts,
  health: Health,
  lastChecked: Date | undefined,
  listings: ReadonlyMap<string, Date>,
): AccountView {
  const { account, id, use, scopeUses, probe, reported } = facts;

  return {
    name: id.name,
    id: id.id,
    subscription: id.subscriptionId,
    resourceGroup: id.resourceGroup,
    region: account.location,
    tags: { ...account.tags },
    ...showKey(account.key),
    ...showVersion(use),
    scopes: account.scopesReadOn === undefined ? undefined : scopeUses.length,
    health: showHealth(health),
    probe: probe && { state: probe.state, since: probe.since, checkedOn: probe.checkedOn },
    lastRead: findLastRead(facts, listings),
    lastChecked: lastChecked?.toISOString(),
    pinned: use?.pinned,
    current: use?.current,
    identity: use?.identity,
    lastTry: use && getLastTry(use),
    scopeUses: scopeUses.map((one) => ({
      scope: one.scope ?? '',
      ...showKey(one.key),
      ...showVersion(one),
      lastTry: getLastTry(one),
    })),
    findings: [...reported],
  };
}

/** When the index last read the account, in ISO 8601. */
function findLastRead(facts: AccountFacts, listings: ReadonlyMap<string, Date>): string {
  const { writtenOn } = facts.account;
  const listedOn = listings.get(facts.id.subscriptionId)?.toISOString() ?? '';

  return [writtenOn, listedOn, ...listUses(facts).map(({ readOn }) => readOn)].sort().at(-1) ?? writtenOn;
}

function showHealth({ state, cause, since }: Health): AccountView['health'] {
  return { state, cause: cause && { ...cause, about: [...cause.about], label: formatCauseLabel(cause) }, since };
}

function showKey(key: string | undefined): Pick<AccountView, 'key' | 'vault'> {
  const parsed = key === undefined ? undefined : parseKeyIdentifier(key);
  return parsed ? { key, vault: parsed.vaultName } : {};
}

function showVersion(use: UseRow | undefined): Pick<AccountView, 'version' | 'mode'> {
  return use ? { mode: use.mode, version: getVersionInUse(use) } : {};
}
