import type { ManagedVault } from '../keys/managed-vaults.ts';
import { causesOf } from './causes.ts';
import { APP_CHECKS } from './checks/app-checks.ts';
import { KEY_CHECKS } from './checks/checks.ts';
import { countFindings, evaluate, unseenFindings, withHistory } from './checks/evaluate.ts';
import type { Rules, VaultSubject } from './checks/subjects.ts';
import { VAULT_CHECKS } from './checks/vault-checks.ts';
import type { DriftRun } from './drift-run.ts';
import type { Gathered } from './gather/gather.ts';
import { nextRound } from './gather/scopes-due.ts';
import type { Finding, WholeReport } from './report.ts';

/** Runs every check on the gathered state. Fixes and end time are added later. */
export function toReport(
  { id, by, caller }: DriftRun,
  rules: Rules,
  gathered: Gathered,
): Omit<WholeReport, 'fixes' | 'finishedOn'> {
  const { previous, vaults, keys, subscriptions, app, trail } = gathered;
  const findings = withHistory(foundIn(gathered, rules), previous, rules.now);
  const complete = app.unread.every(({ beside }) => beside);
  const unseen = unseenFindings(findings, previous, complete, rules.now);
  return {
    ...{ version: 2, id, startedOn: rules.now.toISOString(), by, ...(caller ? { caller } : {}), complete },
    counts: countFindings(findings, unseen, previous),
    coverage: {
      vaults: vaults.length,
      keys: keys.length,
      accounts: subscriptions.reduce((sum, { accounts }) => sum + accounts, 0),
      dependents: subscriptions.reduce((sum, { dependents }) => sum + dependents, 0),
      subscriptions: subscriptions.map(({ id: of, accounts, scopesLookedAt, complete: isWhole }) => {
        return { id: of, accounts, scopesLookedAt, complete: isWhole };
      }),
      round: nextRound(previous),
    },
    // While the trail is broken, each check reports the errors since its last successful verification.
    trailEnd: trail?.findings.length === 0 ? trail.last : previous?.trailEnd,
    ...{ causes: causesOf(findings), findings, unseen },
    changes: previous?.changes ?? [],
    ...(previous?.changeSeconds ? { changeSeconds: previous.changeSeconds } : {}),
  };
}

/** The checks of accounts ran while the accounts were listed. */
function foundIn({ vaults, keys, subscriptions, app }: Gathered, rules: Rules): Omit<Finding, 'since'>[] {
  const isUsed = new Set(keys.filter(({ usage }) => usage.used).map(({ key }) => key.vault));
  return [
    ...subscriptions.flatMap((one) => one.findings),
    ...keys.flatMap((key) => evaluate(KEY_CHECKS, key, key.key.id, rules)),
    ...evaluateVaults(
      vaults.map(({ subject }) => subject),
      (vault) => isUsed.has(vault),
      rules,
    ),
    ...evaluate(APP_CHECKS, app, app.name, rules),
  ];
}

/** @param isUsed whether a check found a user of a key in the vault */
export function evaluateVaults(
  vaults: readonly VaultSubject[],
  isUsed: (vault: ManagedVault) => boolean,
  rules: Rules,
): Omit<Finding, 'since'>[] {
  return vaults.flatMap((subject) =>
    evaluate(VAULT_CHECKS, { ...subject, used: isUsed(subject.vault) }, subject.vault.id, rules),
  );
}
