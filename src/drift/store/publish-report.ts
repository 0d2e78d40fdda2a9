import { describe, describeFailure } from '../../azure/failure.ts';
import type { Log, LogLevel } from '../../log.ts';
import { REASONS, type Reason } from '../../reasons.ts';
import type { DriftReport, Finding } from '../report.ts';
import type { DriftStorage } from './drift-storage-client.ts';

/** Findings that are logged one by one at most; the report has them all. */
const MAX_RECORDS = 500;

const LEVEL: Readonly<Record<Finding['severity'], LogLevel>> = { error: 'error', warning: 'warning', advice: 'info' };

/**
 * Writes the report, one record for each finding (alert rules go by its reason code), and one that sums up: its numbers
 * are the check's metrics. When the report cannot be written, the log says so, and the check counts all the same.
 *
 * @returns why the report could not be written; undefined when it was
 */
export async function publishReport(
  report: DriftReport,
  { driftStorage }: { readonly driftStorage: DriftStorage },
  log: Log,
): Promise<string | undefined> {
  const { id, findings, counts, coverage, complete } = report;
  for (const finding of findings.filter(({ exemption }) => !exemption).slice(0, MAX_RECORDS)) {
    const { reason, severity, resource, is, shouldBe, since } = finding;
    const message = `${is} ${shouldBe}`;
    const about = fieldOf(resource);
    log({
      level: LEVEL[severity],
      reason: reason as Reason,
      message,
      ...about,
      resource,
      since,
      finding: finding.id,
      report: id,
    });
  }
  const failure = await write(report, driftStorage);
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
    seconds,
  });
  return failure;
}

async function write(report: DriftReport, driftStorage: DriftStorage): Promise<string | undefined> {
  try {
    await driftStorage.write(report);
  } catch (error) {
    return `${REASONS.DriftReportNotWritten} ${describe(describeFailure(error))}`;
  }
  // What stays put aside is taken up once more by the next check of the timer, which says so.
  await driftStorage.finished().catch(() => {});
  return undefined;
}

/** The field by which records about the same thing are found: `key`, `account` or `vault`. */
function fieldOf(resource: string): Record<string, string> {
  if (/^https:/i.test(resource)) return { key: resource.split('/').slice(0, 5).join('/') };
  if (/\/storageAccounts\//i.test(resource)) return { account: resource };
  if (/\/Microsoft\.KeyVault\//i.test(resource)) return { vault: resource };
  return {};
}
