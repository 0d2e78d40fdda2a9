import { setImmediate } from 'node:timers/promises';
import { compareText } from '../formats/text.ts';
import type { FleetAccount } from '../index/fleet-index.ts';
import { type AccountFacts, findAccountFacts, listUses } from './account-facts.ts';
import { toAccountView } from './account-view.ts';
import type { AccountView } from './fleet-schemas.ts';
import { determineHealth, type HealthEvidence } from './health.ts';
import { checkCoverage } from './last-check.ts';
import { findLiveFindings } from './live-findings.ts';
import type { FleetReading } from './read-fleet.ts';
import { listReportedFindings } from './reported-findings.ts';

/** An account with its health, as the API shows it. */
export interface EvaluatedAccount {
  readonly view: AccountView;
  /** Identifiers of the keys of the account and its scopes, without a version. */
  readonly keys: readonly string[];
}

/** Accounts between two yields to the event loop, so the evaluation does not delay a revocation. */
const AT_ONCE = 200;

/** Evaluates the health of each account. @returns accounts sorted by name */
export async function evaluateFleet(reading: FleetReading): Promise<EvaluatedAccount[]> {
  const evaluated: EvaluatedAccount[] = [];

  for (const [n, account] of reading.accounts.entries()) {
    if (n % AT_ONCE === 0) await setImmediate();
    evaluated.push(evaluateAccount(account, reading));
  }

  return evaluated.sort((a, b) => compareText(getSortKey(a), getSortKey(b)));
}

/** Sort key of lists, and start position of a page. */
export function getSortKey({ view }: Pick<EvaluatedAccount, 'view'>): string {
  return `${view.name.toLowerCase()}|${view.subscription}`;
}

/** What is wrong now comes before what the last check reported, so that it is shown of two findings of one kind. */
function evaluateAccount(account: FleetAccount, reading: FleetReading): EvaluatedAccount {
  const facts = findAccountFacts(account, reading);
  const findings = [...findLiveFindings(facts, reading), ...listReportedFindings(facts, reading)];
  const { lastChecked, counts } = checkCoverage(facts.id, account.key, facts.reported, reading);

  const evidence: HealthEvidence = {
    encryptedBy: findEncryption(facts),
    findings,
    checkedOn: counts && areUsesKnown(facts) ? lastChecked : undefined,
    probe: facts.probe,
  };

  const health = determineHealth(evidence, reading.readOn);

  return { view: toAccountView(facts, health, lastChecked, reading.listings), keys: facts.keys };
}

function findEncryption({ keys, managedKeys }: AccountFacts): HealthEvidence['encryptedBy'] {
  if (keys.length === 0) return 'microsoft';
  return managedKeys.length > 0 ? 'managedVault' : 'otherVault';
}

/** Whether the index has a use of each managed key: a check does not cover a use that the index lacks. */
function areUsesKnown(facts: AccountFacts): boolean {
  const used = new Set(listUses(facts).map(({ key }) => key.toLowerCase()));
  return facts.managedKeys.every(({ key }) => used.has(key.id.toLowerCase()));
}
