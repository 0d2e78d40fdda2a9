import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Output } from '../../src/cli/output.ts';

/** What a terminal of so many columns is shown. */
function terminal(show: (output: Output) => void, environment: Record<string, string> = {}, columns = 80): string {
  let text = '';
  const sink = { write: (more: string) => (text += more), isTTY: true, columns };
  show(new Output('terminal', sink, sink, environment));
  return text;
}
const COLUMNS = ['ACCOUNT', 'KEY', 'STATE'].map((title, at) => [title, (row: Row) => row[at]] as const);
type Row = readonly (string | undefined)[];
const ROWS: readonly Row[] = [
  ['stfiles01', 'kv-files/files-key', 'It is pinned to an older version than the newest one.'],
  ['st2', 'kv-records/records-key', undefined],
];

describe('colours', () => {
  const shown = (environment: Record<string, string>) =>
    terminal((output) => output.entry({ kind: 'done', text: 'key made' }), environment);

  it.each([
    ['TERM', {}, true],
    ['NO_COLOR set', { NO_COLOR: '1' }, false],
    ['NO_COLOR empty, which counts as absent', { NO_COLOR: '' }, true],
    ['a terminal that cannot', { TERM: 'dumb' }, false],
  ])('%s', (_, environment, coloured) => {
    const text = shown(environment);
    expect(text !== stripVTControlCharacters(text)).toBe(coloured);
    expect(stripVTControlCharacters(text)).toBe('+ key made\n');
  });

  it('are no part of the line that is waited in, where NO_COLOR is set', () => {
    const text = terminal((output) => output.entry({ kind: 'waiting', text: 'key made' }), { NO_COLOR: '1' });
    expect(text).toBe('… key made');
  });

  it('are missing with the erased line in a terminal that can erase none', () => {
    const text = terminal(
      (output) => {
        output.entry({ kind: 'waiting', text: 'key made' });
        output.entry({ kind: 'done', text: 'key made' });
      },
      { TERM: 'dumb' },
    );
    expect(text).toBe('+ key made\n');
  });
});

describe('what others wrote, in a tag or a name', () => {
  const evil = 'a\u001b]0;owned\u0007\u001b[2J\u009b1A\u202ecba\u2066\u200b\ufeff\r\n\tb';
  const harmless = String.raw`a\u001b]0;owned\u0007\u001b[2J\u009b1A\u202ecba\u2066\u200b\ufeff\u000d\u000a\u0009b`;
  const check = { check: 'the key', state: 'failed', detail: evil, fix: evil } as const;
  const error = { reason: 'Unexpected', message: evil, nextStep: 'Stop.' } as unknown as Parameters<Output['error']>[0];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  const acted = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

  it.each<[string, (output: Output) => void]>([
    ['an entry', (output) => output.entry({ kind: 'done', text: evil })],
    ['a wait', (output) => output.entry({ kind: 'waiting', text: `for ${evil}` })],
    ['a check', (output) => output.checks([check])],
    ['a table', (output) => output.list(COLUMNS, [[evil, evil, evil]])],
    ['a text', (output) => output.text(evil)],
    ['a document', (output) => output.json({ tag: evil, name: evil })],
    ['an error', (output) => output.error(error)],
  ])('never acts on a terminal: %s', (_, show) => {
    for (const format of ['terminal', 'lines', 'json'] as const) {
      let text = '';
      const sink = { write: (more: string) => (text += more) };
      show(new Output(format, sink, sink, { NO_COLOR: '1' }));
      expect(text).not.toMatch(acted);
    }
  });

  it('is shown for what it is, on one line of its own', () => {
    expect(terminal((output) => output.entry({ kind: 'done', text: evil }), { NO_COLOR: '1' })).toBe(`+ ${harmless}\n`);
    expect(terminal((output) => output.list([['TAG', () => evil]], [{}]), { NO_COLOR: '1' }, 200)).toBe(
      `TAG\n${harmless}\n`,
    );
  });

  it('means the same in a document', () => {
    let text = '';
    const sink = { write: (more: string) => (text += more) };
    new Output('json', sink, sink, {}).json({ tag: evil });
    expect(JSON.parse(text)).toEqual({ tag: evil });
  });

  it('leaves letters of every script alone', () => {
    const fine = 'rg-données リソース группа العربية 😀';
    expect(terminal((output) => output.text(fine), { NO_COLOR: '1' })).toBe(`${fine}\n`);
  });
});

describe('a table', () => {
  const shown = (columns: number) =>
    terminal((output) => output.list(COLUMNS, ROWS), { NO_COLOR: '1' }, columns)
      .trimEnd()
      .split('\n');
  const NAMES = ['ACCOUNT    KEY', 'stfiles01  kv-files/files-key', 'st2        kv-records/records-key'];

  it('has one line for each row where they fit; else cuts the widest columns, and never wraps', () => {
    const rows = (state: string) => [
      'ACCOUNT    KEY                     STATE',
      `stfiles01  kv-files/files-key      ${state}`,
      'st2        kv-records/records-key  -',
    ];
    expect(shown(90)).toEqual(rows('It is pinned to an older version than the newest one.'));
    expect(shown(60)).toEqual(rows('It is pinned to an older…'));
  });

  it('leaves out the last columns where cutting is not enough, says which, and keeps the first', () => {
    expect(shown(40)).toEqual([...NAMES, '(STATE: --wide)']);
    expect(shown(7)).toEqual(['ACCOUNT', 'stfile…', 'st2', '(KEY, STATE: --wide)']);
  });

  it('has all of it with --wide, however narrow', () => {
    let text = '';
    const sink = { write: (more: string) => (text += more), isTTY: true, columns: 20 };
    new Output('terminal', sink, sink, { NO_COLOR: '1' }, { wide: true }).list(COLUMNS, ROWS);
    expect(text).toContain('stfiles01  kv-files/files-key      It is pinned to an older version than the newest one.');
  });
});

describe('progress', () => {
  const show = (isTTY: boolean, quiet = false) => {
    let text = '';
    const sink = { write: (more: string) => (text += more), isTTY, columns: 80 };
    const output = new Output(isTTY ? 'terminal' : 'lines', sink, sink, { NO_COLOR: '1' }, { quiet });
    for (const done of [0, 5, 10]) {
      output.entry({ kind: 'waiting', text: `stfiles0${done}`, progress: { done, total: 20 } });
      const until = performance.now() + 20;
      while (performance.now() < until);
    }
    return text;
  };

  it('is a bar in a terminal, with how much, how fast and how long still', () => {
    expect(show(true)).toMatch(
      /\[\.{20}\] 0\/20 {2}stfiles00.*\[#{10}\.{10}\] 10\/20, \d+\/s, \d+s left {2}stfiles010$/s,
    );
  });

  it('is one plain line in a pipe, and then none for ten seconds', () => {
    expect(show(false)).toBe('progress (0/20)\n');
  });

  it.each([true, false])('is nothing with --quiet (terminal: %s)', (isTTY) => {
    expect(show(isTTY, true)).toBe('');
  });
});

describe('CSV', () => {
  it('has quotes where they are needed, and nothing that a spreadsheet would carry out', () => {
    let text = '';
    const sink = { write: (more: string) => (text += more) };
    new Output('csv', sink, sink, {}).list(
      ['who', 'why'],
      [
        { who: 'a, b', why: '=HYPERLINK("x")' },
        { who: undefined, why: '-1' },
      ],
    );
    expect(text).toBe(`who,why\n"a, b","'=HYPERLINK(""x"")"\n,'-1\n`);
  });
});

describe('checks', () => {
  it('stand in line below each other, whatever their names', () => {
    const text = terminal(
      (output) =>
        output.checks([
          { check: 'vault kv-of-a-long-name', state: 'ok', detail: 'there' },
          { check: 'role', state: 'failed', detail: 'none', fix: 'cmk admin grant-role' },
        ]),
      { NO_COLOR: '1' },
    );
    expect(text).toBe(
      [
        '✓ vault kv-of-a-long-name there',
        '✗ role                    none',
        '                          → cmk admin grant-role',
        '',
      ].join('\n'),
    );
  });
});
