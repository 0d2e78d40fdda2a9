import { known } from '../azure/read-or-why.ts';
import { summarizeFleet } from '../fleet/fleet-summary.ts';
import { causesOf } from './causes.ts';
import { countFindings, exemptionStates } from './checks/evaluate.ts';
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
    health: healthIn(gathered),
    coverage: coverageOf(gathered, rules),
    trailEnd: trailEndOf(gathered),
    autofix: [...rules.drift.autofix],
    causes: causesOf(findings, done.fixes),
    findings: [...findings],
    unseen: [...unseen],
    untoldAccess: gathered.vaults.flatMap(({ roles }) => roles.untold),
    ...done,
    changes: gathered.previous?.changes ?? [],
    ...(gathered.previous?.changeSeconds ? { changeSeconds: gathered.previous.changeSeconds } : {}),
    pauses: [],
    exemptions: exemptionStates(findings, complete, rules),
  };
}

/** While something is wrong with the trail, each check tells what is wrong since the last one that found it right. */
function trailEndOf({ trail, previous }: Gathered): DriftReport['trailEnd'] {
  const read = trail && known(trail);
  return read && read.findings.length === 0 ? read.last : previous?.trailEnd;
}

function healthIn({ subscriptions }: Gathered): DriftReport['health'] {
  const { causes, states, ...rest } = summarizeFleet(subscriptions.flatMap(({ result }) => result.health));
  return { ...rest, states: { ...states }, causes: causes.map((cause) => ({ ...cause, about: [...cause.about] })) };
}

function coverageOf({ previous, vaults, keys, subscriptions }: Gathered, rules: Rules): Coverage {
  const results = subscriptions.map(({ result }) => result);
  return {
    vaults: vaults.length,
    keys: keys.length,
    accounts: results.reduce((sum, { accounts }) => sum + accounts, 0),
    dependents: results.reduce((sum, { dependents }) => sum + dependents, 0),
    subscriptions: subscriptions.map(({ result, resumed }) => ({
      id: result.id,
      accounts: result.accounts,
      scopesLookedAt: result.scopesLookedAt,
      complete: result.complete,
      resumed,
    })),
    eventSubscriptions: rules.wantedSubscriptions !== undefined,
    round: nextRound(previous),
  };
}
