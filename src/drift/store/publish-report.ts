import { describeError } from '../../azure/failure.ts';
import type { Log, LogLevel, LogRecord } from '../../errors/log.ts';
import { REASONS, type Reason } from '../../errors/reasons.ts';
import type { DriftCause, WholeReport } from '../report/report.ts';
import type { DriftStorage } from './drift-storage-client.ts';

/** Maximum number of causes to log. The report contains every cause. */
const MAX_RECORDS = 500;

const LEVEL: Readonly<Record<DriftCause['severity'], LogLevel>> = {
  error: 'error',
  warning: 'warning',
  advice: 'info',
};

/**
 * Writes the report, one log record per cause, and a summary record with the metrics of the check. Alert rules use the
 * reason code of each cause. Logs a failure to write the report, and the check still counts.
 *
 * @returns why the report could not be written; undefined on success
 */
export async function publishReport(
  report: WholeReport,
  { driftStorage }: { readonly driftStorage: DriftStorage },
  log: Log,
): Promise<string | undefined> {
  const { id, counts, coverage, complete } = report;

  logCauses(report.causes, id, log);

  const failure = await driftStorage.write(report).then(
    () => undefined,
    (error: unknown) => `${REASONS.DriftReportNotWritten} ${describeError(error)}`,
  );
  if (failure) log({ level: 'error', reason: 'DriftReportNotWritten', message: failure, report: id });

  const seconds = (Date.parse(report.finishedOn) - Date.parse(report.startedOn)) / 1000;

  log({
    level: 'info',
    reason: 'DriftChecked',
    message: `${REASONS.DriftChecked} ${counts.error} errors, ${counts.warning} warnings, ${counts.advice} pieces of advice.`,
    report: id,
    by: report.by,
    complete,
    ...counts,
    accounts: coverage.accounts,
    dependents: coverage.dependents,
    keys: coverage.keys,
    fixes: report.fixes.length,
    failedFixes: report.fixes.filter(({ outcome }) => outcome === 'failed').length,
    findings: byReason(report),
    openRevocations: report.findings.filter(({ reason }) => reason === 'RevocationOpen').length,
    seconds,
  });

  return failure;
}

/** Alert rules use the reason of a cause. @param report id of the report */
export function logCauses(causes: readonly DriftCause[], report: string, log: Log): void {
  for (const cause of causes.filter(({ exempt }) => !exempt).slice(0, MAX_RECORDS)) log(recordOf(cause, report));
}

/** Number of findings by reason code, without exempt findings. */
function byReason({ findings }: WholeReport): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const { reason, exemption } of findings) {
    if (!exemption) numbers[reason] = (numbers[reason] ?? 0) + 1;
  }
  return numbers;
}

function recordOf(cause: DriftCause, report: string): LogRecord {
  const { id, reason, severity, about, affected, findings, sample, is, shouldBe, commands, since } = cause;
  const others = findings === 1 ? '' : ` The same cause affects ${affected} resources.`;

  return {
    level: LEVEL[severity],
    reason: reason as Reason,
    message: `${is} ${shouldBe}${others}`,
    ...fieldOf([...about, ...sample]),
    ...(affected === 1 ? { resource: sample[0] } : { about, sample }),
    affected,
    since,
    cause: id,
    ...(commands[0] === undefined ? {} : { command: commands[0] }),
    report,
  };
}

/** The field for queries of related records: `key`, `account` or `vault`, from the first such resource. */
function fieldOf(resources: readonly string[]): Record<string, string> {
  for (const resource of resources) {
    if (/^https:/i.test(resource)) return { key: resource.split('/').slice(0, 5).join('/') };
    if (/\/storageAccounts\//i.test(resource)) return { account: resource };
    if (/\/Microsoft\.KeyVault\//i.test(resource)) return { vault: resource };
  }
  return {};
}
