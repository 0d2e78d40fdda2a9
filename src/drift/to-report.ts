import { causesOf } from './causes.ts';
import { withSeconds } from './changes/merge.ts';
import { APP_CHECKS } from './checks/app-checks.ts';
import { KEY_CHECKS } from './checks/checks.ts';
import { countFindings, evaluate, unseenFindings, withHistory } from './checks/evaluate.ts';
import type { Rules } from './checks/subjects.ts';
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
      subscriptions: subscriptions.map(({ id: of, accounts, scopesLookedAt, unread }) => {
        return { id: of, accounts, scopesLookedAt, complete: unread.every(({ beside }) => beside) };
      }),
      round: nextRound(previous),
    },
    // While the trail is broken, each check reports the errors since its last successful verification.
    trailEnd: trail?.findings.length === 0 ? trail.last : previous?.trailEnd,
    ...{ causes: causesOf(findings), findings, unseen },
    ...withSeconds(previous?.changes ?? []),
  };
}

/** The checks of accounts ran while the accounts were listed. */
function foundIn({ vaults, keys, subscriptions, app }: Gathered, rules: Rules): Omit<Finding, 'since'>[] {
  const used = new Set(keys.filter(({ usage }) => usage.used).map(({ key }) => key.vault));
  return [
    ...subscriptions.flatMap((one) => one.findings),
    ...keys.flatMap((key) => evaluate(KEY_CHECKS, key, key.key.id, rules)),
    ...vaults.flatMap(({ subject: { vault, ...read } }) =>
      evaluate(VAULT_CHECKS, { vault, ...read, used: used.has(vault) }, vault.id, rules),
    ),
    ...evaluate(APP_CHECKS, app, app.name, rules),
  ];
}
