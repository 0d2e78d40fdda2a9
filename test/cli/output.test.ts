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
const HEADER = ['ACCOUNT', 'KEY', 'STATE'];
const ROWS = [
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
    ['a table', (output) => output.table(HEADER, [[evil, evil, evil]])],
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
    expect(terminal((output) => output.table(['TAG'], [[evil]]), { NO_COLOR: '1' }, 200)).toBe(`TAG\n${harmless}\n`);
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
  const shown = (columns: number) => terminal((output) => output.table(HEADER, ROWS), { NO_COLOR: '1' }, columns);

  it('has one line for each row, where they fit', () => {
    expect(shown(90)).toBe(
      [
        'ACCOUNT    KEY                     STATE',
        'stfiles01  kv-files/files-key      It is pinned to an older version than the newest one.',
        'st2        kv-records/records-key  -',
        '',
      ].join('\n'),
    );
  });

  it('has what does not fit below, folded, in a narrow terminal', () => {
    expect(shown(40)).toBe(
      [
        'ACCOUNT    KEY',
        'stfiles01  kv-files/files-key',
        '  STATE  It is pinned to an older',
        '         version than the newest one.',
        'st2        kv-records/records-key',
        '',
      ].join('\n'),
    );
  });

  it('has what is to be copied in one line, however narrow: a command in two lines is two commands', () => {
    const command = 'az lock create --name cmk-kv-files --resource /subscriptions/s/kv-files';
    const titles = ['CAUSE', { title: 'COMMAND', whole: true }] as const;
    const text = terminal((output) => output.table(titles, [['kv-files', command]]), { NO_COLOR: '1' }, 40);
    expect(text.split('\n').slice(1)).toEqual(['kv-files', `  COMMAND  ${command}`, '']);
  });

  it('keeps its first column, however narrow', () => {
    expect(shown(12).split('\n').slice(0, 4)).toEqual([
      'ACCOUNT',
      'stfiles01',
      '  KEY    kv-files/files-key',
      '  STATE  It',
    ]);
  });
});

describe('CSV', () => {
  it('has quotes where they are needed, and nothing that a spreadsheet would carry out', () => {
    let text = '';
    const sink = { write: (more: string) => (text += more) };
    new Output('csv', sink, sink, {}).table(
      ['WHO', 'WHY'],
      [
        ['a, b', '=HYPERLINK("x")'],
        [undefined, '-1'],
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
          { check: 'role', state: 'failed', detail: 'none', fix: 'cmk role ensure' },
        ]),
      { NO_COLOR: '1' },
    );
    expect(text).toBe(
      [
        '✓ vault kv-of-a-long-name there',
        '✗ role                    none',
        '                          → cmk role ensure',
        '',
      ].join('\n'),
    );
  });
});
