import { parseResourceId, splitScope } from '../azure/resource-id.ts';
import { type FleetFilter, type HealthFilter, matchesFilter } from '../fleet/fleet-filter.ts';
import { causeLabel } from '../fleet/fleet-summary.ts';
import { findingState } from '../fleet/health.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { causesOf } from './causes.ts';
import { countFindings } from './checks/evaluate.ts';
import type { Finding, WholeReport } from './report.ts';

/** Selects findings. */
type FindingFilter = Omit<FleetFilter, 'vault' | 'tag'> & HealthFilter;

/** The report reduced to the filtered findings, with their causes and numbers. */
export function filterReport(report: WholeReport, filter: FindingFilter): WholeReport {
  if (Object.values(filter).every((values) => values === undefined || values.length === 0)) return report;
  const findings = report.findings.filter((finding) => matches(finding, filter));
  const ids = new Set(findings.map(({ id }) => id));
  const fixes = report.fixes.filter(({ finding }) => ids.has(finding));
  const { error, warning, advice, exempt } = countFindings(findings, [], undefined);
  const counts = { ...report.counts, error, warning, advice, exempt };
  return { ...report, findings, fixes, counts, causes: causesOf(findings) };
}

/** A finding matches a key if the key has the finding or needs the repair. */
function matches(finding: Finding, { health = [], cause = [], ...place }: FindingFilter): boolean {
  const { resource, cause: behind } = finding;
  const id = parseResourceId(splitScope(resource).account);
  const keys = [resource, ...behind.about].map(keyOf).filter((key) => key !== undefined);
  const where = { subscription: id?.subscriptionId ?? '', resourceGroup: id?.resourceGroup ?? '', tags: {} };
  const isThere = [...keys, undefined].some((key) => matchesFilter({ ...where, key }, place));
  const state = findingState(finding)?.toLowerCase();
  const names = [behind.id, behind.reason, finding.reason, causeLabel(behind)].map((name) => name.toLowerCase());
  return (
    isThere &&
    (health.length === 0 || health.some((wanted) => wanted.toLowerCase() === state)) &&
    (cause.length === 0 || cause.some((wanted) => names.includes(wanted.toLowerCase())))
  );
}

/** The key of a version. */
function keyOf(id: string): string | undefined {
  const key = parseKeyIdentifier(id);
  return key && formatKeyIdentifier(key);
}
