import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Output, redirectSink } from '../../src/cli/terminal/output.ts';

type Show = (output: Output) => void;

/** What is printed on both streams. */
function printed(
  format: Output['format'],
  show: Show,
  { environment = { NO_COLOR: '1' }, isTTY = false, columns = 80, ...options }: Partial<Printing> = {},
): string {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  const sink = { write, isTTY, columns };

  show(new Output(format, sink, sink, environment, options));
  return text;
}
interface Printing {
  readonly environment: Readonly<Record<string, string>>;
  readonly isTTY: boolean;
  readonly columns: number;
  readonly wide: boolean;
  readonly quiet: boolean;
}
const terminal = (show: Show, options: Partial<Printing> = {}) =>
  printed('terminal', show, { isTTY: true, ...options });

const COLUMNS = ['ACCOUNT', 'KEY', 'STATE'].map((title, at) => [title, (row: Row) => row[at]] as const);
type Row = readonly (string | undefined)[];
const ROWS: readonly Row[] = [
  ['stfiles01', 'kv-files/files-key', 'It is pinned to an older version than the newest one.'],
  ['st2', 'kv-records/records-key', undefined],
];

describe('colours of the output', () => {
  const shown = (environment: Record<string, string>) =>
    terminal((output) => output.entry({ kind: 'done', text: 'key made' }), { environment });

  it.each([
    ['TERM', {}, true],
    ['NO_COLOR set', { NO_COLOR: '1' }, false],
    ['NO_COLOR empty, which counts as absent', { NO_COLOR: '' }, true],
    ['a terminal that cannot', { TERM: 'dumb' }, false],
  ])('The output has colours if the terminal supports them: %s', (_, environment, coloured) => {
    const text = shown(environment);
    expect(text !== stripVTControlCharacters(text)).toBe(coloured);
    expect(stripVTControlCharacters(text)).toBe('+ key made\n');
  });

  it('The waiting line has no colours if NO_COLOR is set', () => {
    const text = terminal((output) => output.entry({ kind: 'waiting', text: 'key made' }));
    expect(text).toBe('… key made');
  });

  it('A terminal that cannot erase lines gets neither colours nor an erased line', () => {
    const text = terminal(
      (output) => {
        output.entry({ kind: 'waiting', text: 'key made' });
        output.entry({ kind: 'done', text: 'key made' });
      },
      { environment: { TERM: 'dumb' } },
    );
    expect(text).toBe('+ key made\n');
  });
});

describe('text of others, in a tag or a name', () => {
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
  ])('Text of others in a tag or a name never acts on a terminal: %s', (_, show) => {
    for (const format of ['terminal', 'lines', 'json'] as const) {
      expect(printed(format, show)).not.toMatch(acted);
    }
  });

  it('Text of others is shown escaped, on a line of its own', () => {
    expect(terminal((output) => output.entry({ kind: 'done', text: evil }))).toBe(`+ ${harmless}\n`);
    const table = terminal((output) => output.list([['TAG', () => evil]], [{}]), { columns: 200 });
    expect(table).toBe(`TAG\n${harmless}\n`);
  });

  it('Text of others is unchanged in a document', () => {
    expect(JSON.parse(printed('json', (output) => output.json({ tag: evil })))).toEqual({ tag: evil });
  });

  it('Text of others keeps the letters of every script', () => {
    const fine = 'rg-données リソース группа العربية 😀';
    expect(terminal((output) => output.text(fine))).toBe(`${fine}\n`);
  });
});

describe('a table', () => {
  const shown = (columns: number) =>
    terminal((output) => output.list(COLUMNS, ROWS), { columns })
      .trimEnd()
      .split('\n');
  const NAMES = ['ACCOUNT    KEY', 'stfiles01  kv-files/files-key', 'st2        kv-records/records-key'];

  it('A table has one line for each row, truncates the widest columns if they do not fit, and never wraps', () => {
    const rows = (state: string) => [
      'ACCOUNT    KEY                     STATE',
      `stfiles01  kv-files/files-key      ${state}`,
      'st2        kv-records/records-key  -',
    ];
    expect(shown(90)).toEqual(rows('It is pinned to an older version than the newest one.'));
    expect(shown(60)).toEqual(rows('It is pinned to an older…'));
  });

  it('A table drops and names the last columns if truncation is not enough, and keeps the first', () => {
    expect(shown(40)).toEqual([...NAMES, '(STATE: --wide)']);
    expect(shown(7)).toEqual(['ACCOUNT', 'stfile…', 'st2', '(KEY, STATE: --wide)']);
  });

  it('A table has every column with --wide, in any terminal', () => {
    const text = terminal((output) => output.list(COLUMNS, ROWS), { columns: 20, wide: true });
    expect(text).toContain('stfiles01  kv-files/files-key      It is pinned to an older version than the newest one.');
  });
});

describe('progress', () => {
  const count = (output: Output) => {
    for (const done of [0, 5, 10]) {
      output.entry({ kind: 'waiting', text: `stfiles0${done}`, progress: { done, total: 20 } });
      const until = performance.now() + 20;
      while (performance.now() < until);
    }
  };

  it('Progress is a bar in a terminal, with count, rate and remaining time', () => {
    expect(terminal(count)).toMatch(
      /\[\.{20}\] 0\/20 {2}stfiles00.*\[#{10}\.{10}\] 10\/20, \d+\/s, \d+s left {2}stfiles010$/s,
    );
  });

  it('Progress is one plain line in a pipe, at most every ten seconds', () => {
    expect(printed('lines', count)).toBe('progress (0/20)\n');
  });

  it.each(['terminal', 'lines'] as const)('Progress is not shown with --quiet: %s', (format) => {
    expect(printed(format, count, { isTTY: format === 'terminal', quiet: true })).toBe('');
  });
});

it('the output treats a stream whose class has isTTY as a terminal', () => {
  class Terminal {
    columns = 50;
    write = () => true;
    get isTTY(): boolean {
      return true;
    }
  }
  expect(redirectSink(new Terminal(), () => true)).toMatchObject({ isTTY: true, columns: 50 });
});

it('CSV has quotes where they are needed, and no cell that a spreadsheet would run', () => {
  const rows = [
    { who: 'a, b', why: '=HYPERLINK("x")' },
    { who: undefined, why: '-1' },
  ];
  const text = printed('csv', (output) => output.list(['who', 'why'], rows));
  expect(text).toBe(`who,why\n"a, b","'=HYPERLINK(""x"")"\n,'-1\n`);
});

it('checks are aligned, whatever the length of their names', () => {
  const checks = [
    { check: 'vault kv-of-a-long-name', state: 'ok', detail: 'there' },
    { check: 'role', state: 'failed', detail: 'none', fix: 'cmk admin grant-role' },
  ] as const;

  expect(terminal((output) => output.checks(checks)).split('\n')).toEqual([
    '✓ vault kv-of-a-long-name there',
    '✗ role                    none',
    '                          → cmk admin grant-role',
    '',
  ]);
});
