import { describe, expect, it } from 'vitest';
import type { AuditFiles } from '../../src/audit/audit-files.ts';
import { findHead, freeName, mayFollow } from '../../src/audit/head.ts';
import { CHAIN_START, type ChainEnd, formatRecord } from '../../src/audit/record.ts';
import { entry } from './trails.ts';

const TODAY = '2026-11-26';

/** More files than a local storage makes in a test's time; `asked` counts what is read of them. */
function files(texts: ReadonlyMap<string, string>) {
  let asked = 0;
  const port: Pick<AuditFiles, 'list' | 'read'> = {
    list: async () => [...texts].map(([name, text]) => ({ name, size: text.length, appendable: true })),
    async read(name, from, to) {
      asked += 1;
      const all = Buffer.from(texts.get(name) ?? '');
      return { bytes: all.subarray(from, to), size: all.length, blocks: 1 };
    },
  };
  return { find: () => findHead(port as AuditFiles, TODAY), asked: () => asked };
}

/** A file of the chain with one record, closed in favour of the next one. */
function closed(end: ChainEnd, next?: string): { readonly text: string; readonly end: ChainEnd } {
  const about = { id: 'x', time: new Date(0) };
  const first = formatRecord(end, { entry: entry('one') }, about);
  if (next === undefined) return { text: first.line, end: first.end };
  const last = formatRecord(first.end, { next }, about);
  return { text: first.line + last.line, end: last.end };
}

function chain(): { readonly texts: Map<string, string>; readonly seq: number } {
  const first = closed(CHAIN_START, '2026-11-25.jsonl');
  const second = closed(first.end, `${TODAY}.jsonl`);
  const third = closed(second.end);
  const texts = new Map([
    ['2026-11-24.jsonl', first.text],
    ['2026-11-25.jsonl', second.text],
    [`${TODAY}.jsonl`, third.text],
  ]);
  return { texts, seq: third.end.seq };
}

describe('the end of the chain is found', () => {
  const HIGH: ChainEnd = { seq: 1_000, hash: 'a'.repeat(64) };

  it.each<[string, (name: string) => string]>([
    ['rubbish', () => '{"note":"hello"}\n'],
    ['a chain of its own', () => closed(HIGH).text],
    ['what leads to itself', (name) => closed(HIGH, name).text],
    ['what leads back', () => closed(HIGH, `${TODAY}.jsonl`).text],
  ])('past hundreds of files of %s', async (_, textOf) => {
    const { texts, seq } = chain();
    for (let n = 1; n <= 900; n += 1) texts.set(`${TODAY}.${n}.jsonl`, textOf(`${TODAY}.${n}.jsonl`));
    const { find, asked } = files(texts);
    expect(await find()).toMatchObject({ file: `${TODAY}.jsonl`, seq });
    // Two for each: where it ends, and where it begins.
    expect(asked()).toBeLessThan(2_000);
  });

  it('past thousands of them that each begin with a record', async () => {
    const { texts, seq } = chain();
    for (let n = 1; n <= 3_000; n += 1) texts.set(`${TODAY}.${n}.jsonl`, closed(HIGH).text);
    expect(await files(texts).find()).toMatchObject({ file: `${TODAY}.jsonl`, seq });
  });

  // Where they stand is believed then: verification points at each of them, and the trail goes on.
  it('within some thousand reads, whatever there is of files that hold no record', async () => {
    const { texts } = chain();
    for (let n = 1; n <= 3_000; n += 1) texts.set(`${TODAY}.${n}.jsonl`, '{"note":"hello"}\n');
    const { find, asked } = files(texts);
    await find();
    expect(asked()).toBeLessThan(1_100);
  });
});

it.each([
  ['2026-11-26.1.jsonl', true],
  // A writer's clock may be ahead.
  ['2026-11-27.jsonl', true],
  ['2026-11-28.jsonl', false],
  ['2026-11-26.jsonl', false],
  ['2026-11-25.jsonl', false],
  ['2026-11-26.99999.jsonl', true],
  ['2026-11-26.100000.jsonl', false],
  ['elsewhere.jsonl', false],
])('the chain may go on from today in %s: %s', (next, may) => {
  expect(mayFollow(next, '2026-11-26.jsonl', TODAY)).toBe(may);
});

it('a new file has a name under which nobody has put anything, or something that cannot be appended to', () => {
  const there = (part: number, size: number, appendable = true) => ({
    ...{ name: part === 0 ? `${TODAY}.jsonl` : `${TODAY}.${part}.jsonl`, size, appendable },
  });
  const listed = [there(0, 7), there(1, 0, false), there(2, 0)];
  expect(freeName(listed, `${TODAY}.jsonl`, TODAY)).toBe(`${TODAY}.2.jsonl`);
});
