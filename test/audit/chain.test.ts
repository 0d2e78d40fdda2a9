import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChainVerifier } from '../../src/audit/chain.ts';
import { type ChainEnd, formatRecord, parseRecord } from '../../src/audit/record.ts';
import { brief, entry, type MadeFile, makeChain, verify } from './chains.ts';

const A = '2026-11-24.jsonl';
const B = '2026-11-25.jsonl';
const C = '2026-11-26.jsonl';

function edit(files: readonly MadeFile[], file: number, change: (lines: string[]) => void): MadeFile[] {
  return files.map((made, index) => {
    if (index !== file) return made;
    const lines = [...made.lines];
    change(lines);
    return { ...made, lines };
  });
}

/** A record that a writer of the file has planted. */
function numbered(seq: number): string {
  const before = { seq: seq - 1, hash: '0'.repeat(64) };
  return formatRecord(before, { entry: entry(1) }, { id: 'forged', time: new Date(0) }).line.slice(0, -1);
}

describe('a record', () => {
  it('A record carries its own hash and that of the record before it', () => {
    const { files } = makeChain([2]);
    const [first, second] = (files[0]?.lines ?? []).map((line) => parseRecord(Buffer.from(line)));
    expect(first).toMatchObject({ seq: 1, prev: '0'.repeat(64), entry: entry(1), intact: true });
    expect(second).toMatchObject({ seq: 2, prev: first?.hash, intact: true });
  });

  it('A record holds any entry in one line', () => {
    const end: ChainEnd = { seq: 7, hash: 'a'.repeat(64) };

    // A schema of zod drops this name.
    const name = fc.string().filter((text) => text !== '__proto__');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.dictionary(name, fc.jsonValue()), (resource, details) => {
        const given = { action: 'key.revoke', reason: 'Revoked', resource, details };
        const { line } = formatRecord(end, { entry: given }, { id: 'x', time: new Date(0) });
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const record = parseRecord(Buffer.from(line.slice(0, -1)));
        expect(record).toMatchObject({ seq: 8, prev: end.hash, intact: true });
        expect(record?.entry).toEqual(JSON.parse(JSON.stringify(given)));
      }),
    );
  });
});

describe('verification of a chain', () => {
  it.each([[[1]], [[5]], [[3, 2]], [[1, 1, 4]], [[2, 0]]])(
    'Verification finds nothing wrong in an intact chain of files with %j records',
    (sizes) => {
      const { files, ends } = makeChain(sizes);
      const report = verify(files, { receipts: ends });
      expect(brief(report)).toEqual([]);
      expect(report.records).toBe(ends.length);
      expect(report.last).toMatchObject(ends.at(-1) ?? {});
    },
  );

  it('Verification finds nothing wrong where there is no file', () => {
    expect(verify([])).toEqual({ findings: [], records: 0, last: undefined });
  });

  it.each<[string, (lines: string[]) => void, string[]]>([
    ['a changed line', (l) => l.splice(1, 1, (l[1] ?? '').replace('Revoked', 'Revokes')), [`${A}:2 LineChanged`]],
    ['a line that is cut off', (l) => l.splice(1, 1, (l[1] ?? '').slice(0, 50)), [`${A}:2 LineUnreadable`]],
    ['an emptied line', (l) => l.splice(1, 1, ''), [`${A}:2 LineUnreadable`]],
    ['a line put in', (l) => l.splice(1, 0, '{"note":"hello"}'), [`${A}:2 LineUnreadable`]],
    ['a missing line', (l) => l.splice(1, 1), [`${A}:2 LineMissing`]],
    ['three missing lines', (l) => l.splice(1, 3), [`${A}:2 LineMissing`]],
    ['a missing first line', (l) => l.splice(0, 1), [`${A}:1 StartMissing`]],
    [
      'a changed line, and one that is missing further on',
      (l) => l.splice(1, 3, (l[1] ?? '').replace('Revoked', 'Revokes'), l[2] ?? ''),
      [`${A}:2 LineChanged`, `${A}:4 LineMissing`],
    ],
    [
      'a missing start behind a line put in',
      (l) => l.splice(0, 3, '{}'),
      [`${A}:1 LineUnreadable`, `${A}:2 StartMissing`],
    ],
    ['two lines swapped', (l) => l.splice(1, 2, l[2] ?? '', l[1] ?? ''), [`${A}:2 LineMissing`, `${A}:3 LineMoved`]],
    ['a line moved to the end', (l) => l.splice(3, 0, ...l.splice(0, 1)), [`${A}:1 StartMissing`, `${A}:4 LineMoved`]],
    ['a line twice', (l) => l.splice(2, 0, l[1] ?? ''), [`${A}:3 LineRepeated`]],
    ['no closing record', (l) => l.splice(5, 1), [`${A} FileNotClosed`, `${B}:1 LineMissing`]],
    [
      'a number that leaves none for those that follow',
      (l) => l.splice(1, 0, numbered(2e12)),
      [`${A}:2 LineUnreadable`],
    ],
  ])('Verification reports %s once, with its place', (_, change, findings) => {
    const { files } = makeChain([5, 2]);
    expect(brief(verify(edit(files, 0, change)))).toEqual(findings);
  });

  it('Verification reports a line that was rewritten together with its own hash', () => {
    const { files } = makeChain([4]);
    const forged = edit(files, 0, (lines) => {
      const old = parseRecord(Buffer.from(lines[1] ?? ''));
      if (!old) return expect.unreachable();
      const before = { seq: 1, hash: old.prev };
      const time = new Date(old.time);
      lines[1] = formatRecord(
        before,
        { entry: { ...entry(2), reason: 'Forged' } },
        { id: old.id, time },
      ).line.trimEnd();
    });

    expect(brief(verify(forged))).toEqual([`${A}:3 ChainBroken`]);
  });

  it.each<[string, (line: Buffer) => Buffer]>([
    [
      'a byte that is not UTF-8 in place of a replacement character',
      (line) => swap(line, '\ufffd', Buffer.from([0xff])),
    ],
    ['a byte order mark', (line) => Buffer.concat([Buffer.from('\ufeff'), line])],
    ['a carriage return', (line) => Buffer.concat([line, Buffer.from('\r')])],
    ['a space where JSON does not mind', (line) => swap(line, '"entry":', Buffer.from('"entry": '))],
    ['the same member twice', (line) => swap(line, '"v":1', Buffer.from('"v":1,"v":1'))],
  ])('Verification reports %s, which reading as text or JSON would hide', (_, change) => {
    const { line } = formatRecord(
      { seq: 0, hash: '0'.repeat(64) },
      { entry: { ...entry(1), resource: 'a\ufffdb' } },
      { id: 'x', time: new Date(0) },
    );
    const bytes = Buffer.from(line.trimEnd());
    expect(parseRecord(bytes)?.intact).toBe(true);
    expect(parseRecord(change(bytes))?.intact ?? false).toBe(false);
  });

  it('Verification reports one record that stands under two numbers', () => {
    const { files, ends } = makeChain([2]);
    const twice = edit(files, 0, (lines) => {
      const end = ends.at(-1);
      if (!end) return expect.unreachable();
      lines.push(formatRecord(end, { entry: entry(2) }, { id: 'id-2', time: new Date(0) }).line.trimEnd());
    });
    expect(brief(verify(twice))).toEqual([`${A}:3 LineRepeated`]);
  });

  it.each<[string, (files: MadeFile[]) => MadeFile[], string[]]>([
    ['a missing file in the middle', (f) => f.filter((_, i) => i !== 1), [`${A} FileMissing`, `${C}:1 LineMissing`]],
    ['a missing first file', (f) => f.slice(1), [`${B}:1 StartMissing`]],
    ['a missing last file', (f) => f.slice(0, 2), [`${B} FileMissing`]],
    ['an emptied file', (f) => edit(f, 1, (l) => l.splice(0)), [`${A} FileMissing`, `${C}:1 LineMissing`]],
    ['a file with another name', (f) => [...f, { name: 'notes.txt', lines: [] }], ['notes.txt FileUnknown']],
    [
      'a record behind the closing one',
      (f) => edit(f, 0, (l) => l.push(f[1]?.lines[0] ?? '')),
      [`${A}:4 LineAfterClose`, `${B}:1 LineRepeated`],
    ],
  ])('Verification of the files reports %s', (_, change, findings) => {
    expect(brief(verify(change(makeChain([2, 2, 2]).files)))).toEqual(findings);
  });

  it('Verification accepts a chain whose older files were deleted by the retention rule', () => {
    const { files, ends } = makeChain([2, 2, 2]);
    expect(brief(verify(files.slice(1), { anyStart: true, receipts: ends }))).toEqual([]);
    const cut = edit(files.slice(1), 1, (lines) => lines.splice(1));
    expect(brief(verify(cut, { anyStart: true, receipts: ends }))).toEqual([`${C} ReceiptMissing`]);
  });

  it('Verification reports a last line that was cut off right behind its record', () => {
    const verifier = new ChainVerifier();
    verifier.file(A);
    verifier.line(Buffer.from(makeChain([1]).files[0]?.lines[0] ?? ''), false);
    expect(brief(verifier.finish())).toEqual([`${A}:1 LineUnreadable`]);
  });

  it('Verification reports a cut-off or rewritten end by a receipt from the log', () => {
    const { files, ends } = makeChain([4]);
    const cut = edit(files, 0, (lines) => lines.splice(2));

    expect(brief(verify(cut))).toEqual([]);
    expect(brief(verify(cut, { receipts: ends.slice(-1) }))).toEqual([`${A} ReceiptMissing`]);

    const before = ends[1];
    if (!before) return expect.unreachable();

    let end = before;
    const renewed = edit(cut, 0, (lines) => {
      for (const n of [3, 4]) {
        const record = formatRecord(end, { entry: entry(n + 10) }, { id: `new-${n}`, time: new Date(0) });
        end = record.end;
        lines.push(record.line.trimEnd());
      }
    });

    expect(brief(verify(renewed))).toEqual([]);
    expect(brief(verify(renewed, { receipts: ends.slice(-1) }))).toEqual([`${A}:4 ReceiptDiffers`]);
  });
});

describe('changes of an intact chain', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 });

  /** A chain, and one of its lines. */
  const place = sizes.chain((counts) => {
    const { files, ends } = makeChain(counts);
    const lines = files.flatMap((file, at) => file.lines.map((_, line) => ({ at, line })));
    return fc.record({ files: fc.constant(files), ends: fc.constant(ends), where: fc.constantFrom(...lines) });
  });

  const options = { numRuns: 1_000 };

  it('Verification finds the change of any byte of any line', () => {
    fc.assert(
      fc.property(place, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ files, where }, position, flip) => {
        const damaged = files.map(({ name, lines }, at) => ({
          name,
          bytes: lines.map((text, line) => {
            const bytes = Buffer.from(text);
            const index = position % bytes.length;
            if (at === where.at && line === where.line) bytes[index] = (bytes[index] ?? 0) ^ flip;
            return bytes;
          }),
        }));

        // Latin-1 keeps each byte; a line feed that came up makes two lines, as it would in the file.
        const remade = damaged.map(({ name, bytes }) => ({
          name,
          lines: bytes.map((line) => line.toString('latin1')),
        }));
        expect(verifyBytes(remade)).not.toEqual([]);
      }),
      options,
    );
  });
});

function swap(line: Buffer, text: string, by: Buffer): Buffer {
  const at = line.indexOf(text);
  return Buffer.concat([line.subarray(0, at), by, line.subarray(at + Buffer.byteLength(text))]);
}

/** As {@link verify}, for lines whose characters are bytes. */
function verifyBytes(files: readonly MadeFile[]): string[] {
  const texts = files.map(({ name, lines }) => ({ name, lines: lines.flatMap((line) => line.split('\n')) }));
  return brief(verify(texts, {}, 'latin1'));
}
