import { type ResourceId, splitScope } from '../azure/resource-id.ts';
import type { listFormerUses } from '../drift/report/managed-accounts.ts';
import type { DriftReport, Finding } from '../drift/report/report.ts';

/** What the newest drift check reported. It may be an hour old, and is shown where it still holds. */
export interface LastCheck {
  readonly report: DriftReport | undefined;
  /** Its findings by account, vault, key or identity, in lower case. */
  readonly findings: ReadonlyMap<string, readonly Finding[]>;
  /** Time and key of the drift check's last read of an account, by the account's name. */
  readonly lastSeen: ReturnType<typeof listFormerUses>;
}

/** Groups findings by resource. Findings on an encryption scope belong to its account. */
export function groupFindings(findings: readonly Finding[]): LastCheck['findings'] {
  return Map.groupBy(findings, ({ resource }) => splitScope(resource).account.toLowerCase());
}

/** Findings of the last check on a resource. Findings on an account include its scopes. */
export function findReported(resource: string, { findings }: Pick<LastCheck, 'findings'>): readonly Finding[] {
  return findings.get(resource.toLowerCase()) ?? [];
}

/**
 * Returns the start of the last drift check that found the account with its current key, and whether the newest report
 * has all findings about the account.
 *
 * @param key the account's own key
 * @param reported findings of the newest report about the account
 */
export function checkCoverage(
  { name, subscriptionId }: Pick<ResourceId, 'name' | 'subscriptionId'>,
  key: string | undefined,
  reported: readonly Finding[],
  { report, lastSeen }: Pick<LastCheck, 'report' | 'lastSeen'>,
): { readonly lastChecked: Date | undefined; readonly counts: boolean } {
  if (!report) return { lastChecked: undefined, counts: false };

  const startedOn = new Date(report.startedOn);
  if (reported.length > 0) return { lastChecked: startedOn, counts: true };

  const isCovered = report.coverage.subscriptions.some(
    ({ id, complete }) => complete && id.toLowerCase() === subscriptionId,
  );

  // `lastSeen` has only accounts that use a key themselves.
  if (key === undefined) return { lastChecked: isCovered ? startedOn : undefined, counts: isCovered };

  const seen = lastSeen.get(name.toLowerCase());
  if (seen?.key.toLowerCase() !== key.toLowerCase()) return { lastChecked: undefined, counts: false };

  return { lastChecked: seen.lastSeen, counts: isCovered || seen.lastSeen >= startedOn };
}
