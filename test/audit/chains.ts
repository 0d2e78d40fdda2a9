import { type ChainReport, ChainVerifier, type VerifyOptions } from '../../src/audit/chain.ts';
import {
  type AuditEntry,
  CHAIN_START,
  type ChainEnd,
  formatRecord,
  type RecordContent,
} from '../../src/audit/record.ts';

const TIME = new Date('2026-11-24T03:00:00Z');

export interface MadeFile {
  readonly name: string;
  /** Lines without line feeds. */
  readonly lines: readonly string[];
}

export function entry(n: number): AuditEntry {
  return {
    action: 'key.revoke',
    reason: 'Revoked',
    resource: 'kv-files/files-key',
    details: { n, note: 'Straße 東 \u2028' },
  };
}

/** A right chain of `sizes[i]` entries in file i; every file but the last is closed. */
export function makeChain(sizes: readonly number[], first = 24): { files: MadeFile[]; ends: ChainEnd[] } {
  let end: ChainEnd = CHAIN_START;
  const ends: ChainEnd[] = [];
  const write = (content: RecordContent) => {
    const record = formatRecord(end, content, { id: `id-${end.seq + 1}`, time: TIME });
    end = record.end;
    ends.push(end);
    return record.line.slice(0, -1);
  };

  const name = (index: number) => `2026-11-${first + index}.jsonl`;
  const files = sizes.map((size, index) => {
    const lines = Array.from({ length: size }, () => write({ entry: entry(end.seq + 1) }));
    if (index < sizes.length - 1) lines.push(write({ next: name(index + 1) }));
    return { name: name(index), lines };
  });

  return { files, ends };
}

/** Verifies files given as text or lines, as if they were all that there is. */
export function verify(
  files: readonly MadeFile[],
  options: VerifyOptions = {},
  encoding: 'utf8' | 'latin1' = 'utf8',
): ChainReport {
  const verifier = new ChainVerifier(options);

  for (const { name, lines } of files) {
    verifier.file(name);
    for (const line of lines) verifier.line(Buffer.from(line, encoding));
  }

  const { next } = verifier;
  if (next !== undefined && !files.some(({ name }) => name === next)) verifier.absent(next);

  return verifier.finish();
}

/** `file:line reason` of each finding, to compare with. */
export function brief(report: ChainReport): string[] {
  return report.findings.map(({ file, line, reason }) => `${file}${line === undefined ? '' : `:${line}`} ${reason}`);
}
