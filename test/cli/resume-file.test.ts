import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { checkWritable, openResumeFile } from '../../src/cli/bulk/resume-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'cmk-resume-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, 'accounts.csv.pin.resume');
const [first, second, third] = ['st1', 'st2', 'st3'].map((account) => ({ account, options: {} })) as [Row, Row, Row];
type Row = { account: string; options: object & Record<string, unknown> };
let now: Date;
const open = () => openResumeFile(path, 'account pin', () => now);
const done = () => [first, second, third].filter(open().has).map(({ account }) => account);

beforeEach(() => {
  rmSync(path, { force: true });
  now = new Date('2026-11-25T10:00:00Z');
});

describe('the resume file', () => {
  it('has what was done, in the next run too, and goes when everything is', () => {
    const run = open();
    expect(run.isThere()).toBe(false);
    run.add(first);
    run.add(second);
    expect(done()).toEqual(['st1', 'st2']);
    run.remove();
    expect(existsSync(path)).toBe(false);
  });

  it('loses nothing behind a line that is half written', () => {
    open().add(first);
    appendFileSync(path, '{"done":"0123');
    open().add(second);
    open().add(third);
    expect(done()).toEqual(['st1', 'st2', 'st3']);
  });

  it('says nothing of what was done more than a day ago: a key may have been rotated since', () => {
    open().add(first);
    now = new Date('2026-11-26T09:59:00Z');
    open().add(second);
    expect(done()).toEqual(['st1', 'st2']);
    now = new Date('2026-11-26T10:00:00Z');
    expect(done()).toEqual(['st2']);
  });

  it('is refused beforehand where it cannot be written, and stops nothing when that is found out later', () => {
    const gone = join(folder, 'gone', 'x.resume');
    expect(() => checkWritable(gone)).toThrow(/could not be written into .*x\.resume/);
    expect(() => checkWritable(path)).not.toThrow();
    const run = openResumeFile(gone, 'account pin');
    run.add(first);
    expect(run.trouble).toContain('ENOENT');
    expect(run.has(first)).toBe(true);
  });

  it('is nothing else', () => {
    writeFileSync(path, 'account,vault\nst1,kv\n');
    expect(open).toThrow(/is no file of an earlier run/);
    expect(readFileSync(path, 'utf8')).toContain('account,vault');
    expect(() => openResumeFile(folder, 'account pin')).toThrow(/cannot be read/);
  });
});
