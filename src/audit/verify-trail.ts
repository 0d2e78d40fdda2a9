import type { AuditFiles } from './audit-client.ts';
import { type ChainReport, ChainVerifier, type VerifyOptions } from './chain.ts';
import { compareFileNames, parseFileName } from './file-name.ts';
import { readLines } from './lines.ts';
import type { AuditEntry, AuditReceipt, AuditRecord } from './record.ts';

export interface VerifyTrailOptions extends VerifyOptions {
  /** First day to verify in UTC, `YYYY-MM-DD`; absent: the whole trail. */
  readonly from?: string;
  /** Called before the files are read, and again if they are read a second time. */
  readonly onStart?: () => void;
  /** Called with the entry of each undamaged record, and with the record. */
  readonly onEntry?: (entry: AuditEntry, record: AuditRecord) => void;
}

export interface TrailReport extends ChainReport {
  readonly files: number;
}

export interface AuditWatch {
  readonly files: AuditFiles;
  /** End of the trail at the last drift check's verification; undefined: no check has verified it. */
  readonly verifiedTo: () => Promise<AuditReceipt | undefined>;
  readonly now: () => Date;
}

/**
 * Verifies the records since `end` and the rest of that day; without `end`, the whole trail.
 *
 * @throws the SDK's error when the app cannot read the trail
 */
export function verifySince(
  files: AuditFiles,
  end: AuditReceipt | undefined,
  onEntry: (entry: AuditEntry) => void = () => {},
): Promise<TrailReport> {
  const from = end && parseFileName(end.file)?.day;
  return verifyTrail(files, { ...(from === undefined ? {} : { from }), ends: end ? [end] : [], onEntry });
}

/**
 * Reads and verifies the trail, file by file. Writers may append meanwhile, so files that they start are read too. A
 * file read before its closing looks damaged, as does its successor: both are read again.
 */
export async function verifyTrail(files: AuditFiles, options: VerifyTrailOptions = {}): Promise<TrailReport> {
  const report = await readThrough(files, options);
  return report.findings.some(({ reason }) => reason === 'FileNotClosed') ? readThrough(files, options) : report;
}

async function readThrough(files: AuditFiles, options: VerifyTrailOptions): Promise<TrailReport> {
  const { from = '' } = options;
  const verifier = new ChainVerifier({ ...options, anyStart: options.anyStart ?? from !== '' });
  const seen = new Set<string>();
  options.onStart?.();

  for (;;) {
    const fresh = (await files.list())
      .filter(({ name }) => !seen.has(name) && (parseFileName(name)?.day ?? from) >= from)
      .sort((a, b) => compareFileNames(a.name, b.name));
    for (const { name, appendable } of fresh) {
      seen.add(name);
      verifier.file(name, appendable);

      // The verifier reports a foreign file name, and the app does not read that file.
      if (!parseFileName(name)) continue;

      for await (const { bytes, ended } of readLines(files, name)) {
        const record = verifier.line(bytes, ended);
        if (record?.entry) options.onEntry?.(record.entry as AuditEntry, record);
      }
    }

    if (fresh.length > 0 && verifier.next !== undefined && !seen.has(verifier.next)) continue;
    if (verifier.next !== undefined && !seen.has(verifier.next)) verifier.absent(verifier.next);

    return { ...verifier.finish(), files: seen.size };
  }
}
