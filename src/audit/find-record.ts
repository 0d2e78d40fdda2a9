import type { AuditFiles } from './audit-client.ts';
import { filterTrailFiles } from './file-name.ts';
import { readLinesBackwards } from './lines.ts';
import { parseRecord } from './record.ts';

/** Bytes to read from the start of a file: enough for dozens of records. */
const HEAD_BYTES = 64 * 1024;

/**
 * Finds a record by its number, id or event id. A number needs a few requests to find the file; an id is searched from
 * the end of the trail backwards. `line` is its text without the line feed.
 *
 * @param mostBytes most bytes to read
 * @throws the SDK's error when the app cannot read the trail
 */
export async function findRecord(
  files: AuditFiles,
  which: string,
  mostBytes: number = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
) {
  const seq = /^[1-9]\d{0,14}$/.test(which) ? Number(which) : undefined;
  const only = seq === undefined ? undefined : await fileOf(files, seq);
  if (seq !== undefined && only === undefined) return undefined;

  const needle = Buffer.from(seq === undefined ? `"id":${JSON.stringify(which)}` : `"seq":${seq},`);
  let read = 0;

  for await (const { lines, slice } of readLinesBackwards(files, (file) => file === (only ?? file))) {
    for (const { file, bytes: line } of lines) {
      const record = line.includes(needle) ? parseRecord(line) : undefined;
      const isIt = seq === undefined ? record?.id === which || record?.entry?.id === which : record?.seq === seq;
      if (record && isIt) return { record, file, line: line.toString() };
    }

    read += slice.bytes.length;
    if (read >= mostBytes || signal?.aborted) return undefined;
  }

  return undefined;
}

/** Last file whose first record has a number of at most `seq`; skips empty and damaged files. */
async function fileOf(files: AuditFiles, seq: number): Promise<string | undefined> {
  const names = filterTrailFiles(await files.list()).map(({ name }) => name);
  let found: string | undefined;

  while (names.length > 0) {
    const middle = Math.floor(names.length / 2);
    const first = await firstSeq(files, names[middle] ?? '');
    if (first === undefined) names.splice(middle, 1);
    else if (first <= seq) [found] = names.splice(0, middle + 1).slice(-1);
    else names.splice(middle);
  }

  return found;
}

async function firstSeq(files: AuditFiles, name: string): Promise<number | undefined> {
  const slice = await files.read(name, 0, HEAD_BYTES);
  const match = slice && /^\{"v":1,"seq":(\d{1,15}),/m.exec(slice.bytes.toString('latin1'));
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
