import type { AuditFiles } from './audit-files.ts';
import { trailFiles } from './file-name.ts';
import { LINE_FEED, MOST_LINE_BYTES } from './lines.ts';
import { linesBackwards, type TrailLine } from './read-backwards.ts';
import { type AuditReceipt, type AuditRecord, parseRecord } from './record.ts';

/** Of the beginning of a file so much is read: enough for dozens of records. Bytes. */
const HEAD_BYTES = 64 * 1024;

export interface PlacedRecord {
  readonly record: AuditRecord;
  readonly file: string;
  /** As it stands in the file, without its line feed. */
  readonly line: string;
  /** Absent: there is none, or it cannot be read. */
  readonly before?: AuditReceipt;
  readonly after?: AuditReceipt;
  /** It is intact, follows the one before, and the one after follows it. */
  readonly holds: boolean;
}

/**
 * Finds a record: by its number, which finds its file in a few requests, or from the end of the trail on by its id or the
 * id of what it says happened.
 *
 * @param mostBytes after so many no more is read
 * @throws the SDK's error when the trail cannot be read
 */
export async function findRecord(
  files: AuditFiles,
  which: string,
  mostBytes: number = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
): Promise<PlacedRecord | undefined> {
  const seq = /^[1-9]\d{0,14}$/.test(which) ? Number(which) : undefined;
  const names = trailFiles(await files.list()).map(({ name }) => name);
  const file = seq === undefined ? undefined : await fileOf(files, names, seq);
  if (seq !== undefined && file === undefined) return undefined;
  const needle = Buffer.from(seq === undefined ? `"id":${JSON.stringify(which)}` : `"seq":${seq},`);
  const isIt = (record: AuditRecord): boolean =>
    seq === undefined ? record.id === which || record.entry?.id === which : record.seq === seq;
  const before = file === undefined ? undefined : { file, position: Number.POSITIVE_INFINITY };
  let found:
    | { readonly record: AuditRecord; readonly at: TrailLine; readonly after: TrailLine | undefined }
    | undefined;
  let after: TrailLine | undefined;
  let read = 0;
  for await (const { lines, bytes } of linesBackwards(files, { before })) {
    for (const line of lines) {
      if (found) return placed(found, line, files, names);
      if (file !== undefined && line.file !== file) return undefined;
      const record = line.bytes.includes(needle) ? parseRecord(line.bytes) : undefined;
      if (record && isIt(record)) found = { record, at: line, after };
      else after = line;
    }
    read += bytes;
    if (!found && (read >= mostBytes || signal?.aborted)) return undefined;
  }
  return found && placed(found, undefined, files, names);
}

async function placed(
  {
    record,
    at,
    after,
  }: { readonly record: AuditRecord; readonly at: TrailLine; readonly after: TrailLine | undefined },
  beforeLine: TrailLine | undefined,
  files: AuditFiles,
  names: readonly string[],
): Promise<PlacedRecord> {
  const before = beforeLine && readLine(beforeLine);
  const next = after ? readLine(after) : await firstBehind(files, names, at.file);
  const isBehind = before ? before.record.hash === record.prev : record.seq === 1;
  const isFollowed = after === undefined && next === undefined ? true : next?.record.prev === record.hash;
  return {
    record,
    file: at.file,
    line: at.bytes.toString(),
    ...(before ? { before: before.receipt } : {}),
    ...(next ? { after: next.receipt } : {}),
    holds: record.intact && isBehind && isFollowed,
  };
}

interface ReadLine {
  readonly record: AuditRecord;
  readonly receipt: AuditReceipt;
}

function readLine({ file, bytes }: Pick<TrailLine, 'file' | 'bytes'>): ReadLine | undefined {
  const record = parseRecord(bytes);
  return record && { record, receipt: { file, seq: record.seq, hash: record.hash } };
}

/** The first record of the file after that one. */
async function firstBehind(files: AuditFiles, names: readonly string[], name: string): Promise<ReadLine | undefined> {
  const file = names[names.indexOf(name) + 1];
  const slice = file === undefined ? undefined : await files.read(file, 0, MOST_LINE_BYTES);
  if (file === undefined || !slice) return undefined;
  const end = slice.bytes.indexOf(LINE_FEED);
  return readLine({ file, bytes: end === -1 ? slice.bytes : slice.bytes.subarray(0, end) });
}

/** The last file whose first record has no greater number. */
async function fileOf(files: AuditFiles, names: readonly string[], seq: number): Promise<string | undefined> {
  let [low, high] = [0, names.length - 1];
  let found: string | undefined;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const first = await firstSeq(files, names[middle] ?? '');
    if (first !== undefined && first <= seq) {
      found = names[middle];
      low = middle + 1;
    } else if (first === undefined) {
      // Empty or damaged: as if it were not there.
      const rest = [...names.slice(0, middle), ...names.slice(middle + 1)];
      return fileOf(files, rest, seq);
    } else high = middle - 1;
  }
  return found;
}

async function firstSeq(files: AuditFiles, name: string): Promise<number | undefined> {
  const slice = await files.read(name, 0, HEAD_BYTES);
  const match = slice && /^\{"v":1,"seq":(\d{1,15}),/m.exec(slice.bytes.toString('latin1'));
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
