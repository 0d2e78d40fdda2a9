import type { Finding } from '../../drift/report.ts';
import type { Account } from '../account.ts';
import type { FleetReading } from './read-fleet.ts';

interface LookedAt {
  /** Start of the last check that saw the account with the key that it has now; undefined: none has. */
  readonly lastChecked: Date | undefined;
  /** Whether its findings are in the newest report: what that check could not look for is not among them. */
  readonly counts: boolean;
}

/** @param findings of the newest report, about the account */
export function lookedAt(
  account: Account,
  key: string | undefined,
  findings: readonly Finding[],
  { report, lastSeen }: Pick<FleetReading, 'report' | 'lastSeen'>,
): LookedAt {
  if (!report) return { lastChecked: undefined, counts: false };
  const startedOn = new Date(report.startedOn);
  if (findings.length > 0) return { lastChecked: startedOn, counts: true };
  const isCovered = report.coverage.subscriptions.some(
    ({ id, complete }) => complete && id.toLowerCase() === account.subscriptionId,
  );
  // Which accounts use a key is remembered of those that do themselves.
  if (key === undefined) return { lastChecked: isCovered ? startedOn : undefined, counts: isCovered };
  const seen = lastSeen.get(account.name.toLowerCase());
  if (seen?.key !== key.toLowerCase()) return { lastChecked: undefined, counts: false };
  return { lastChecked: seen.on, counts: isCovered || seen.on >= startedOn };
}
