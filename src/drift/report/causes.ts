import { compareText } from '../../formats/text.ts';
import { type DriftCause, type DriftReport, type Finding, SEVERITIES, type WholeReport } from './report.ts';

/** Maximum number of resources and commands that a cause lists. */
const SAMPLE = 5;
/** Maximum number of findings per cause in the report. A larger cause lists only a sample. */
const LISTED = 20;
/** Maximum number of findings in the report. It limits the size with many causes. */
const LISTED_IN_ALL = 200;

/** Prefix of an account's id in lower case. An encryption scope is a separate resource below it. */
const ACCOUNT = /^.*\/storageaccounts\/[^/]+/;

/**
 * Groups findings into causes: one cause contains the findings that one repair resolves. Exempt findings form separate
 * causes, because they do not count.
 *
 * @param findings worst first, as in a report
 */
export function groupCauses(findings: readonly Finding[]): DriftCause[] {
  return [...Map.groupBy(findings, getCauseKey)]
    .flatMap(([id, [first, ...rest]]) => (first ? toCause(id, [first, ...rest]) : []))
    .sort(
      (a, b) =>
        rank(a) - rank(b) || b.findings - a.findings || compareText(a.reason, b.reason) || compareText(a.id, b.id),
    );
}

/** The id of a finding's cause. */
export function getCauseKey({ cause, exemption }: Pick<Finding, 'cause' | 'exemption'>): string {
  return exemption ? `${cause.id}-exempt` : cause.id;
}

function toCause(id: string, findings: readonly [Finding, ...Finding[]]): DriftCause {
  const [first] = findings;

  // The finding with the cause's own reason describes it best.
  const shown = findings.find(({ reason }) => reason === first.cause.reason) ?? first;
  const resources = new Map(findings.map(({ resource }) => [resource.toLowerCase(), resource]));

  // Commands that repair the cause itself. The repair resolves its other findings too.
  const own = findings.filter(({ reason, command }) => reason === first.cause.reason && command);
  const commands = [...new Set((own.length > 0 ? own : findings).flatMap(({ command }) => command ?? []))];
  const changedBy = findings
    .flatMap((finding) => finding.changedBy ?? [])
    .sort((a, b) => Date.parse(b.on) - Date.parse(a.on))[0];

  return {
    id,
    reason: first.cause.reason,
    severity: SEVERITIES.find((one) => findings.some(({ severity }) => severity === one)) ?? first.severity,
    about: first.cause.about,
    affected: resources.size,
    accounts: new Set([...resources.keys()].flatMap((id) => ACCOUNT.exec(id)?.[0] ?? [])).size,
    sample: [...resources.values()].slice(0, SAMPLE),
    findings: findings.length,
    is: shown.is,
    shouldBe: shown.shouldBe,
    fix: shown.fix,
    commands: commands.slice(0, SAMPLE),
    moreCommands: Math.max(0, commands.length - SAMPLE),
    canFix: findings.filter(({ canFix }) => canFix).length,
    since: findings.map(({ since }) => since).sort()[0] ?? first.since,
    exempt: first.exemption !== undefined,
    ...(changedBy ? { changedBy } : {}),
  };
}

/**
 * The report in its published form. Its size depends on the number of causes, not of findings. The store keeps the
 * omitted findings separately.
 */
export function shorten(report: WholeReport): DriftReport {
  const { unseen: _unseen, ...rest } = report;
  const counts = new Map(report.causes.map(({ id, findings }) => [id, findings]));
  const listed = new Map<string, number>();
  let inAll = 0;
  const findings = report.findings.filter((finding) => {
    const id = getCauseKey(finding);
    const most = (counts.get(id) ?? 0) > LISTED || inAll >= LISTED_IN_ALL ? SAMPLE : LISTED;
    const before = listed.get(id) ?? 0;
    if (before >= most) return false;
    listed.set(id, before + 1);
    inAll += 1;
    return true;
  });

  const ids = new Set(findings.map(({ id }) => id));
  const failed = report.fixes.filter(({ outcome }) => outcome === 'failed').slice(0, LISTED);

  return {
    ...rest,
    findings,
    fixes: [...new Set([...report.fixes.filter(({ finding }) => ids.has(finding)), ...failed])],
  };
}

function rank({ severity, exempt }: DriftCause): number {
  return exempt ? SEVERITIES.length : SEVERITIES.indexOf(severity);
}
