import type { ResourceChange } from '../../events/resource-event.ts';
import { computePercentile } from '../../formats/percentile.ts';
import { isFixed } from '../apply/fixes.ts';
import { compareFindings, countFindings, withHistory } from '../checks/evaluate.ts';
import type { Rules } from '../checks/subjects.ts';
import { groupCauses } from '../report/causes.ts';
import type { DriftChange, Finding, WholeReport } from '../report/report.ts';
import { type Focus, findContainingResource, isAbout } from './focus.ts';
import type { FocusResult } from './gather-focus.ts';

/** Maximum number of changes in a report. */
const LISTED = 50;
/** Maximum number of new and of resolved findings per change. */
const NAMED = 20;

interface MergeInput {
  readonly focus: Focus;
  readonly result: Pick<FocusResult, 'found' | 'unread'>;
  readonly changes: readonly ResourceChange[];
  readonly rules: Rules;
  /** Reason codes that the app repairs automatically. */
  readonly autofix: readonly string[];
}

export interface Merged {
  readonly report: WholeReport;
  /** Changes that caused or resolved a finding, newest first. */
  readonly changes: readonly DriftChange[];
  readonly added: readonly Finding[];
}

/**
 * Replaces a report's findings on a few subjects. After a failed read, existing findings stay. Idempotent.
 */
export function mergeResult(report: WholeReport, { focus, result, changes: all, rules, autofix }: MergeInput): Merged {
  // Findings on a revoked key already name the author.
  const changes = all.filter(({ concern }) => concern !== 'key');
  const before = new Set(report.findings.map(({ id }) => id));
  const fresh = withHistory(result.found, report, rules.now).map((finding): Finding => {
    const changedBy = before.has(finding.id) ? undefined : changeOf(finding, changes, focus)?.changedBy;
    return changedBy ? { ...finding, changedBy } : finding;
  });
  const found = new Set(fresh.map(({ id }) => id));
  const others = report.findings.filter(({ id }) => !found.has(id));
  const gone = result.unread.length > 0 ? [] : others.filter((finding) => isAbout(focus, finding));
  const kept = others.filter((finding) => !gone.includes(finding));
  const added = fresh.filter(({ id }) => !before.has(id));
  const findings = [...kept, ...fresh].sort(compareFindings);
  const causeOf = (finding: Finding) => changeOf(finding, changes, focus)?.id;
  const foundBy = Map.groupBy(added, causeOf);
  const goneBy = Map.groupBy(gone, causeOf);
  const effective = changes
    .flatMap(({ id, changedBy }): DriftChange[] => {
      const made = foundBy.get(id) ?? [];
      const ended = goneBy.get(id) ?? [];
      if (made.length + ended.length === 0) return [];
      const fixed = made.some((finding) => isFixed(finding, autofix));
      const foundOn = rules.now.toISOString();
      return [{ ...changedBy, id, foundOn, fixed, found: named(made), gone: named(ended) }];
    })
    .sort((a, b) => Date.parse(b.on) - Date.parse(a.on));

  const unseen = report.unseen.filter(({ id }) => !found.has(id));
  const counts = countFindings(findings, unseen, report);
  const sinceCheck = { new: report.counts.new + counts.new, gone: report.counts.gone + counts.gone };
  const listed = withSeconds(withChanges(report.changes, effective));
  const merged = { findings, unseen, causes: groupCauses(findings), counts: { ...counts, ...sinceCheck } };

  return { report: { ...report, ...merged, ...listed }, changes: effective, added };
}

/**
 * The change that caused or resolved a finding. Prefers a change of the resource itself, then the change with the
 * fewest subjects, then the latest.
 */
function changeOf(
  { resource }: Pick<Finding, 'resource'>,
  changes: readonly ResourceChange[],
  { resourcesOf }: Focus,
): ResourceChange | undefined {
  const about = findContainingResource(resource);
  const isOwn = ({ at }: ResourceChange): number => Number(findContainingResource(at) === about);
  const width = ({ id }: ResourceChange): number => resourcesOf.get(id)?.size ?? 0;
  const on = ({ changedBy }: ResourceChange): number => Date.parse(changedBy.on);

  return changes
    .filter(({ id }) => resourcesOf.get(id)?.has(about))
    .sort((a, b) => isOwn(b) - isOwn(a) || width(a) - width(b) || on(b) - on(a))[0];
}

function named(findings: readonly Finding[]): DriftChange['found'] {
  return findings.slice(0, NAMED).map(({ id, reason, resource }) => ({ id, reason, resource }));
}

/** Lists a change only once, even if it is checked again after a repair. */
function withChanges(listed: readonly DriftChange[], effective: readonly DriftChange[]): DriftChange[] {
  const byId = new Map(effective.map((change) => [change.id, change]));
  const known = listed.map((one) => {
    const again = byId.get(one.id);
    byId.delete(one.id);
    if (!again) return one;
    const found = [...one.found, ...again.found].slice(0, NAMED);
    const gone = [...one.gone, ...again.gone].slice(0, NAMED);
    return { ...one, found, gone, fixed: one.fixed || again.fixed };
  });

  return [...byId.values(), ...known].slice(0, LISTED);
}

/** Adds to changes the time that the app needs to find their effects (median and 95th percentile, in seconds). */
export function withSeconds(changes: readonly DriftChange[]): Pick<WholeReport, 'changes' | 'changeSeconds'> {
  const seconds = changes.map(countSecondsTo);
  const p50 = computePercentile(seconds, 50) ?? 0;
  const p95 = computePercentile(seconds, 95) ?? 0;
  return {
    changes: [...changes],
    ...(changes.length > 0 ? { changeSeconds: { p50, p95, changes: changes.length } } : {}),
  };
}

/** Seconds from a change to its findings. */
export function countSecondsTo({ on, foundOn }: Pick<DriftChange, 'on' | 'foundOn'>): number {
  return Math.max(0, Date.parse(foundOn) - Date.parse(on)) / 1_000;
}
