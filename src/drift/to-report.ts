import { known } from '../azure/read-or-why.ts';
import { causesOf } from './causes.ts';
import { countFindings } from './checks/evaluate.ts';
import type { Rules } from './checks/subjects.ts';
import type { DriftRun } from './drift-run.ts';
import type { Evaluated } from './evaluate-all.ts';
import type { Gathered } from './gather/gather.ts';
import { nextRound } from './gather/scopes-due.ts';
import type { Coverage, DriftReport, WholeReport } from './report.ts';

/** What a check found and did, as it is published. */
export function toReport(
  run: DriftRun,
  rules: Rules,
  gathered: Gathered,
  { findings, unseen, complete }: Evaluated,
  done: Pick<DriftReport, 'fixes'>,
  finishedOn: Date,
): WholeReport {
  return {
    version: 2,
    id: run.id,
    startedOn: rules.now.toISOString(),
    finishedOn: finishedOn.toISOString(),
    by: run.by,
    ...(run.caller ? { caller: run.caller } : {}),
    complete,
    counts: countFindings(findings, unseen, gathered.previous),
    coverage: coverageOf(gathered),
    trailEnd: trailEndOf(gathered),
    causes: causesOf(findings),
    findings: [...findings],
    unseen: [...unseen],
    untoldAccess: gathered.vaults.flatMap(({ roles }) => roles.untold),
    ...done,
    changes: gathered.previous?.changes ?? [],
    ...(gathered.previous?.changeSeconds ? { changeSeconds: gathered.previous.changeSeconds } : {}),
  };
}

/** While something is wrong with the trail, each check reports what is wrong since the last one that found it right. */
function trailEndOf({ trail, previous }: Gathered): DriftReport['trailEnd'] {
  const read = trail && known(trail);
  return read && read.findings.length === 0 ? read.last : previous?.trailEnd;
}

function coverageOf({ previous, vaults, keys, subscriptions }: Gathered): Coverage {
  return {
    vaults: vaults.length,
    keys: keys.length,
    accounts: subscriptions.reduce((sum, { accounts }) => sum + accounts, 0),
    dependents: subscriptions.reduce((sum, { dependents }) => sum + dependents, 0),
    subscriptions: subscriptions.map(({ id, accounts, scopesLookedAt, complete }) => ({
      ...{ id, accounts, scopesLookedAt, complete },
    })),
    round: nextRound(previous),
  };
}
