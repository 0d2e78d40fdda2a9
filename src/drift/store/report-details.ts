import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { DRIFT_DETAILS, type DriftDetails } from '../report/report.ts';

// Format of a report's details in the store: JSON Lines, gzip, Base64. A line has entries of one list, so that the JSON
// of ten thousand findings is never in memory at once.

/** Maximum number of entries per line. */
const MOST_ENTRIES = 100;

const LISTS = ['findings', 'fixes', 'unseen'] as const;
const LINE = DRIFT_DETAILS.partial();

/** Some entries of a report's details. */
type DetailsLine = Partial<DriftDetails>;

/** Compressed, because findings repeat texts: ten thousand findings of one cause need some hundred kilobytes. */
export async function compressDetails(details: DriftDetails): Promise<string> {
  let packed = Buffer.alloc(0);
  await pipeline(
    () => formatLines(details),
    createGzip(),
    async (gzip) => {
      packed = await buffer(gzip);
    },
  );
  return packed.toString('base64');
}

/** An empty list has a line too, which shows that the details are whole. */
function* formatLines(details: DriftDetails): Iterable<string> {
  for (const list of LISTS) {
    for (let from = 0; from === 0 || from < details[list].length; from += MOST_ENTRIES) {
      yield `${JSON.stringify({ [list]: details[list].slice(from, from + MOST_ENTRIES) })}\n`;
    }
  }
}

/** Yields the entries line by line. Throws the errors of gzip, JSON and the schema for a damaged blob. */
export async function* readPackedDetails(packed: string): AsyncIterable<DetailsLine> {
  const lacking = new Set<string>(LISTS);
  for await (const text of linesOf(Readable.from([Buffer.from(packed, 'base64')]).pipe(createGunzip()))) {
    const line = LINE.parse(JSON.parse(text));
    for (const list of Object.keys(line)) lacking.delete(list);
    yield line;
  }
  if (lacking.size > 0) throw new Error(`The details of the report lack ${[...lacking].join(', ')}.`);
}

async function* linesOf(stream: Readable): AsyncIterable<string> {
  let rest = '';

  for await (const chunk of stream.setEncoding('utf8')) {
    const [first = '', ...others] = String(chunk).split('\n');
    rest += first;

    for (const other of others) {
      yield rest;
      rest = other;
    }
  }

  // A last line that was cut off is not dropped: it fails to parse.
  if (rest !== '') yield rest;
}

export async function joinDetails(lines: AsyncIterable<DetailsLine>): Promise<DriftDetails> {
  const whole: DriftDetails = { findings: [], fixes: [], unseen: [] };
  for await (const { findings = [], fixes = [], unseen = [] } of lines) {
    whole.findings.push(...findings);
    whole.fixes.push(...fixes);
    whole.unseen.push(...unseen);
  }
  return whole;
}
