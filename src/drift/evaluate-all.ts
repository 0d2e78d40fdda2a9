import { known } from '../azure/read-or-why.ts';
import { wantedSubscriptions, wantedWatch } from '../events/subscription.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import { APP_CHECKS } from './checks/app-checks.ts';
import { KEY_CHECKS } from './checks/checks.ts';
import { evaluate, unseenFindings, withHistory } from './checks/evaluate.ts';
import type { Rules } from './checks/subjects.ts';
import { VAULT_CHECKS } from './checks/vault-checks.ts';
import type { Gathered } from './gather/gather.ts';
import type { GatheredVault } from './gather/gather-vaults.ts';
import type { Finding, Unseen } from './report.ts';

/** What is, compared with what should be. */
export interface Evaluated {
  readonly findings: readonly Finding[];
  /** Findings of earlier checks that this one could not look for. */
  readonly unseen: readonly Unseen[];
  /** Everything could be read. */
  readonly complete: boolean;
}

export function rulesOf({ drift, clientId }: Settings, now: Date, contests: Rules['contests'] = []): Rules {
  const { functionAppId, storageAccountId, watchChanges } = drift;
  const destination = functionAppId === undefined ? undefined : { functionAppId, storageAccountId };
  return {
    ...{ now, drift, contests },
    wantedSubscriptions: destination && wantedSubscriptions(destination),
    wantedWatch: destination && watchChanges ? wantedWatch(destination, clientId) : undefined,
  };
}

/** Runs every check over what was gathered; those of the accounts were run while they were listed. */
export function evaluateAll(gathered: Gathered, rules: Rules): Evaluated {
  const { previous, vaults, keys, subscriptions, poison, legacyOrders, legacyApprovals, trail, watches, unread } =
    gathered;
  const { drift, now } = rules;
  const app = {
    name: drift.functionAppId ?? 'cmk-autopilot',
    lockedOutBy: subscriptions.flatMap((one) => one.lockedOutBy),
    sharedZones: drift.sharedZones,
    poison,
    legacyOrders,
    legacyApprovals,
    trail: known(trail)?.findings ?? [],
    watches,
    settingsProblems: drift.problems,
    unread,
  };
  const found = [
    ...subscriptions.flatMap((one) => one.findings),
    ...keys.flatMap((key) => evaluate(KEY_CHECKS, key, key.key.id, rules)),
    ...evaluateVaults(vaults, (vault) => keys.some(({ key, usage }) => key.vault === vault && usage.used), rules),
    ...evaluate(APP_CHECKS, app, app.name, rules),
  ];
  const findings = withHistory(found, previous, now);
  const complete = unread.every(({ beside }) => beside);
  return { findings, unseen: unseenFindings(findings, previous, complete, now), complete };
}

/** @param isUsed whether anything was seen to use a key of the vault */
export function evaluateVaults(
  vaults: readonly GatheredVault[],
  isUsed: (vault: ManagedVault) => boolean,
  rules: Rules,
): Omit<Finding, 'since'>[] {
  return vaults.flatMap(({ subject }) =>
    evaluate(VAULT_CHECKS, { ...subject, used: isUsed(subject.vault) }, subject.vault.id, rules),
  );
}
