import type { ChangedBy, ResourceChange } from '../../events/resource-event.ts';
import { percentile } from '../../time/percentile.ts';
import { causesOf } from '../causes.ts';
import { ACCOUNT_CHECKS, KEY_USER_CHECKS, REVOCATION_CHECKS } from '../checks/checks.ts';
import { compareFindings, countSeverities } from '../checks/evaluate.ts';
import type { Rules } from '../checks/subjects.ts';
import { VAULT_CHECKS } from '../checks/vault-checks.ts';
import { isFixed } from '../fixes.ts';
import type { DriftChange, Finding, WholeReport } from '../report.ts';
import { type Focus, resourceOf } from './focus.ts';
import type { FocusResult } from './gather-focus.ts';

/** Maximum number of changes in a report. */
const LISTED = 50;
/** Maximum number of new and of resolved findings per change. */
const NAMED = 20;

const reasonsOf = (checks: readonly { readonly reason: string }[]): ReadonlySet<string> =>
  new Set(checks.map(({ reason }) => reason));
const OF_ACCOUNTS = reasonsOf(ACCOUNT_CHECKS);
const OF_VAULTS = reasonsOf(VAULT_CHECKS);
const OF_KEYS = reasonsOf(REVOCATION_CHECKS);
const OF_KEY_USERS = reasonsOf(KEY_USER_CHECKS);

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
  const now = rules.now.toISOString();
  const isAbout = ({ reason, resource }: Pick<Finding, 'reason' | 'resource'>): boolean =>
    (OF_ACCOUNTS.has(reason) && focus.accounts.has(resourceOf(resource))) ||
    (OF_VAULTS.has(reason) && focus.vaults.has(resourceOf(resource))) ||
    (OF_KEYS.has(reason) && focus.keys.has(resourceOf(resource))) ||
    (OF_KEY_USERS.has(reason) && focus.keyUsers.has(resourceOf(resource)));
  const before = new Map(report.findings.map((finding) => [finding.id, finding]));
  const found = new Map(result.found.filter(isAbout).map((finding) => [finding.id, finding]));
  const since = new Map(report.unseen.map((one) => [one.id, one.since]));
  const fresh = [...found.values()].map((finding): Finding => {
    const known = before.get(finding.id);
    const changedBy = known ? known.changedBy : changeOf(finding, changes, focus)?.changedBy;
    return {
      ...finding,
      since: known?.since ?? since.get(finding.id) ?? now,
      ...(changedBy ? { changedBy } : {}),
    };
  });
  const kept = report.findings.filter(
    (finding) => !found.has(finding.id) && (!isAbout(finding) || result.unread.length > 0),
  );
  const gone = report.findings.filter((finding) => !found.has(finding.id) && !kept.includes(finding));
  const added = fresh.filter(({ id }) => !before.has(id));
  const findings = [...kept, ...fresh].sort(compareFindings);
  const effective = changes
    .map((change) => toChange(change, now, added, gone, { changes, focus, autofix }))
    .filter((change) => change.found.length + change.gone.length > 0)
    .sort((a, b) => Date.parse(b.on) - Date.parse(a.on));
  const listed = withChanges(report.changes, effective);
  const unseen = report.unseen.filter(({ id }) => !found.has(id));
  const { counts } = report;
  return {
    report: {
      ...report,
      findings,
      unseen,
      causes: causesOf(findings),
      counts: {
        ...counts,
        ...countSeverities(findings),
        new: counts.new + added.filter(({ id }) => !since.has(id)).length,
        gone: counts.gone + gone.length,
        unseen: unseen.length,
      },
      changes: listed,
      ...(listed.length > 0 ? { changeSeconds: secondsOf(listed) } : {}),
    },
    changes: effective,
    added,
  };
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
  const about = resourceOf(resource);
  const isOwn = ({ at }: ResourceChange): number => Number(resourceOf(at) === about);
  const width = ({ id }: ResourceChange): number => resourcesOf.get(id)?.size ?? 0;
  const on = ({ changedBy }: ResourceChange): number => Date.parse(changedBy.on);
  return changes
    .filter(({ id }) => resourcesOf.get(id)?.has(about))
    .sort((a, b) => isOwn(b) - isOwn(a) || width(a) - width(b) || on(b) - on(a))[0];
}

function toChange(
  change: ResourceChange,
  foundOn: string,
  added: readonly Finding[],
  gone: readonly Finding[],
  { changes, focus, autofix }: Pick<MergeInput, 'changes' | 'focus' | 'autofix'>,
): DriftChange {
  const ofIt = (findings: readonly Finding[]) =>
    findings.filter((finding) => changeOf(finding, changes, focus)?.id === change.id);
  const nameOf = ({ id, reason, resource }: Finding) => ({ id, reason, resource });
  const made = ofIt(added);
  return {
    ...change.changedBy,
    ...{ id: change.id, foundOn, fixed: made.some((finding) => isFixed(finding, autofix)) },
    found: made.slice(0, NAMED).map(nameOf),
    gone: ofIt(gone).slice(0, NAMED).map(nameOf),
  };
}

/** Lists a change only once, even if it is checked again after a repair. */
function withChanges(listed: readonly DriftChange[], effective: readonly DriftChange[]): DriftChange[] {
  const byId = new Map(effective.map((change) => [change.id, change]));
  const known = listed.map((one) => {
    const again = byId.get(one.id);
    byId.delete(one.id);
    if (!again) return one;
    const [found, gone] = [
      [...one.found, ...again.found].slice(0, NAMED),
      [...one.gone, ...again.gone].slice(0, NAMED),
    ];
    return { ...one, found, gone, fixed: one.fixed || again.fixed };
  });
  return [...byId.values(), ...known].slice(0, LISTED);
}

function secondsOf(changes: readonly DriftChange[]): NonNullable<WholeReport['changeSeconds']> {
  const seconds = changes.map(secondsTo);
  const [p50 = 0, p95 = 0] = [percentile(seconds, 50), percentile(seconds, 95)];
  return { p50, p95, changes: changes.length };
}

/** Seconds from a change to its findings. */
export function secondsTo({ on, foundOn }: Pick<DriftChange, 'on' | 'foundOn'>): number {
  return Math.max(0, Date.parse(foundOn) - Date.parse(on)) / 1_000;
}

/** Marks findings and changes whose author the activity log confirms. */
export function withConfirmed(report: WholeReport, isConfirmed: (changedBy: ChangedBy) => boolean): WholeReport {
  const confirm = <T extends ChangedBy>(one: T): T => (isConfirmed(one) ? { ...one, confirmed: true } : one);
  return {
    ...report,
    findings: report.findings.map((one) => (one.changedBy ? { ...one, changedBy: confirm(one.changedBy) } : one)),
    changes: report.changes.map(confirm),
  };
}
