import { createHash } from 'node:crypto';
import type { Check } from './check.ts';
import { exemptionOf, isOver } from './exemption.ts';
import type { DriftReport, Finding } from './report.ts';
import type { Rules } from './subjects.ts';

/** Runs a table of checks over one subject. */
export function evaluate<S>(
  checks: readonly Check<S>[],
  subject: S,
  resource: string,
  rules: Rules,
): Omit<Finding, 'since'>[] {
  return checks.flatMap((check) =>
    check.find(subject, rules).map((found) => {
      const of = found.resource ?? resource;
      const exemption = exemptionOf({ reason: check.reason, resource: of }, rules.drift.exemptions, rules.now);
      return {
        id: idOf(check.reason, of, found.part),
        reason: check.reason,
        severity: found.severity ?? check.severity,
        resource: of,
        is: found.is,
        shouldBe: found.shouldBe,
        fix: check.fix,
        canFix: found.mend !== undefined,
        ...(found.mend ? { mend: { ...found.mend } } : {}),
        ...(exemption ? { exemption: { reason: exemption.reason, until: exemption.until } } : {}),
      };
    }),
  );
}

function idOf(reason: string, resource: string, part = ''): string {
  return createHash('sha256').update(`${reason}\n${resource.toLowerCase()}\n${part}`).digest('hex').slice(0, 16);
}

/** Each with the time when a check first found it, worst first. */
export function withHistory(
  findings: readonly Omit<Finding, 'since'>[],
  previous: DriftReport | undefined,
  now: Date,
): Finding[] {
  const since = new Map((previous?.findings ?? []).map((finding) => [finding.id, finding.since]));
  const seen = new Set<string>();
  return findings
    .filter(({ id }) => !seen.has(id) && seen.add(id))
    .map((finding) => ({ ...finding, since: since.get(finding.id) ?? now.toISOString() }))
    .sort((a, b) => rank(a) - rank(b) || compare(a.reason, b.reason) || compare(a.resource, b.resource));
}

export function countFindings(findings: readonly Finding[], previous: DriftReport | undefined): DriftReport['counts'] {
  const counted = findings.filter(({ exemption }) => !exemption);
  const before = new Set((previous?.findings ?? []).map(({ id }) => id));
  const now = new Set(findings.map(({ id }) => id));
  const of = (severity: Finding['severity']): number => counted.filter((one) => one.severity === severity).length;
  return {
    error: of('error'),
    warning: of('warning'),
    advice: of('advice'),
    exempt: findings.length - counted.length,
    new: findings.filter(({ id }) => !before.has(id)).length,
    gone: [...before].filter((id) => !now.has(id)).length,
  };
}

/** Every exemption, and whether it still does anything. */
export function exemptionStates(
  findings: readonly Finding[],
  { drift, now }: Pick<Rules, 'drift' | 'now'>,
): DriftReport['exemptions'] {
  return drift.exemptions.map((exemption) => {
    const used = findings.some(
      (finding) =>
        exemptionOf({ reason: exemption.code, resource: finding.resource }, [exemption], now) &&
        finding.reason === exemption.code,
    );
    return { ...exemption, state: isOver(exemption, now) ? 'over' : used ? 'inUse' : 'unused' };
  });
}

const ORDER = ['error', 'warning', 'advice'];

function rank({ severity, exemption }: Finding): number {
  return exemption ? ORDER.length : ORDER.indexOf(severity);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
