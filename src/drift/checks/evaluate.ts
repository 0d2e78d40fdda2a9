import { NO_COMMAND, type ShellCommand, WHY_NO_COMMAND } from '../../azure/shell-command.ts';
import { DAY_MS } from '../../formats/spans.ts';
import { compareText } from '../../formats/text.ts';
import { findExemption } from '../../settings/exemption.ts';
import { createCauseId, createFindingId, FAILED_READS } from '../report/finding-ids.ts';
import { type DriftReport, type Finding, type ReportBefore, SEVERITIES, type Unseen } from '../report/report.ts';
import type { Check, Found } from './check.ts';
import type { Rules } from './subjects.ts';

/** Time after which an unverified finding is forgotten, even if not every read succeeded since. Milliseconds. */
const UNSEEN_MS = 7 * DAY_MS;

/** Runs a list of checks on one subject. */
export function evaluate<S>(
  checks: readonly Check<S>[],
  subject: S,
  resource: string,
  rules: Rules,
): Omit<Finding, 'since'>[] {
  return checks.flatMap((check) =>
    findingsOf(check, subject, rules).map((found) => {
      const of = found.resource ?? resource;
      const cause = { reason: found.cause?.reason ?? check.reason, about: [...(found.cause?.about ?? [of])] };
      const exemption = findExemption({ reason: check.reason, resource: of }, rules.drift.exemptions, rules.now);

      return {
        id: createFindingId(check.reason, of, found.part),
        reason: check.reason,
        severity: found.severity ?? check.severity,
        resource: of,
        is: found.is,
        shouldBe: found.shouldBe ?? check.ensures,
        ...repairing(found.fix ?? check.fix, found.command),
        cause: { id: createCauseId(cause.reason, cause.about), ...cause },
        canFix: found.action !== undefined,
        ...(found.action ? { action: { ...found.action } } : {}),
        ...(exemption ? { exemption: { reason: exemption.reason, until: exemption.until } } : {}),
      };
    }),
  );
}

function findingsOf<S>({ find }: Check<S>, subject: S, rules: Rules): readonly Found[] {
  const found = find(subject, rules);
  if (found === undefined) return [];

  return 'is' in found ? [found] : found;
}

function repairing(fix: string, command: ShellCommand | undefined): Pick<Finding, 'fix' | 'command'> {
  if (command === NO_COMMAND) return { fix: `${fix} ${WHY_NO_COMMAND}` };
  return { fix, ...(command ? { command } : {}) };
}

/**
 * Adds to each finding the time when a check first found it. Sorted worst first. A transient read failure is a warning.
 * It becomes an error if the previous check failed on it too.
 */
export function withHistory(
  findings: readonly Omit<Finding, 'since'>[],
  previous: ReportBefore | undefined,
  now: Date,
): Finding[] {
  const since = new Map([...(previous?.unseen ?? []), ...(previous?.findings ?? [])].map((one) => [one.id, one.since]));
  const changedBy = new Map(previous?.findings.map((one) => [one.id, one.changedBy]));
  const unread = new Set(previous?.findings.filter(({ reason }) => reason === 'Unreadable').map(({ id }) => id));

  return firstOfEachId(findings)
    .map((finding) => ({
      ...finding,
      severity: finding.severity === 'warning' && unread.has(finding.id) ? 'error' : finding.severity,
      since: since.get(finding.id) ?? now.toISOString(),
      ...(changedBy.get(finding.id) ? { changedBy: changedBy.get(finding.id) } : {}),
    }))
    .sort(compareFindings);
}

function firstOfEachId<T extends { readonly id: string }>(findings: readonly T[]): T[] {
  const first = new Map<string, T>();
  for (const finding of findings) {
    if (!first.has(finding.id)) first.set(finding.id, finding);
  }
  return [...first.values()];
}

/** Worst first, exempt findings last. */
export function compareFindings(a: Finding, b: Finding): number {
  return rank(a) - rank(b) || compareText(a.reason, b.reason) || compareText(a.resource, b.resource);
}

/**
 * Findings of earlier checks that this check neither found nor disproved, because some reads failed. Without them,
 * findings that a throttled subscription hides would count as resolved, and as new in the next check.
 */
export function findUnseenFindings(
  findings: readonly Finding[],
  previous: ReportBefore | undefined,
  complete: boolean,
  now: Date,
): Unseen[] {
  if (complete || !previous) return [];

  const found = new Set(findings.map(({ id }) => id));

  // Findings about failed reads are not carried over.
  const seen = previous.findings
    .filter(({ reason }) => !FAILED_READS.has(reason))
    .map(({ id, since }) => ({ id, since, lastSeen: previous.startedOn }));

  return [...seen, ...previous.unseen].filter(
    ({ id, lastSeen }) => !found.has(id) && now.getTime() - Date.parse(lastSeen) <= UNSEEN_MS,
  );
}

/** Counts findings by severity, exempt findings apart, and compares them with the previous check. */
export function countFindings(
  findings: readonly Finding[],
  unseen: readonly Unseen[],
  previous: Pick<ReportBefore, 'findings' | 'unseen'> | undefined,
): DriftReport['counts'] {
  const known = new Set([...(previous?.findings ?? []), ...(previous?.unseen ?? [])].map(({ id }) => id));
  const now = new Set([...findings, ...unseen].map(({ id }) => id));
  const counted = findings.filter(({ exemption }) => !exemption);
  const of = (severity: Finding['severity']): number => counted.filter((one) => one.severity === severity).length;

  return {
    error: of('error'),
    warning: of('warning'),
    advice: of('advice'),
    exempt: findings.length - counted.length,
    new: findings.filter(({ id }) => !known.has(id)).length,
    gone: [...known].filter((id) => !now.has(id)).length,
    unseen: unseen.length,
  };
}

function rank({ severity, exemption }: Finding): number {
  return exemption ? SEVERITIES.length : SEVERITIES.indexOf(severity);
}
