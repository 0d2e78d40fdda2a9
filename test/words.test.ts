import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { wrongWords } from '../scripts/words.ts';

const wordsOf = (file: string, text: string) => wrongWords(new Map([[file, text]]));

it.each(['Somebody', 'nobody', 'whoever', 'anybody', 'someone', 'Anyone'])('the lint rejects %s', (word) => {
  for (const file of ['src/a.ts', 'page/src/a.tsx', 'local/a.ts', 'docs/a.md']) {
    expect(wordsOf(file, `/** ${word} calls. */`)).toEqual([`${file}: "${word}": name the actor`]);
  }
});

it.each(['putOff', '#putOff', 'isPutOff', 'PUT_OFF_MS', 'putOffMs'])('the lint rejects the identifier %s', (name) => {
  expect(wordsOf('src/a.ts', `const ${name} = 1;`)).toEqual([`src/a.ts: ${name.replace('#', '')}: say requeue, defer`]);
});

it('the lint rejects a file name, and accepts the same words in prose', () => {
  expect(wordsOf('src/work/put-off.ts', '')).toHaveLength(1);
  expect(wordsOf('src/a.ts', '/** A message is put off; input offers. */ inputOffer')).toEqual([]);
});

it('the lint rejects a private word in a test and in local/, and no other file', () => {
  const wrong = (file: string) => [`${file}: "that there is not": say unknown`];
  for (const file of ['test/cli/a.test.ts', 'local/a.ts']) {
    expect(wordsOf(file, '// A vault that there is not.')).toEqual(wrong(file));
  }
  expect(wordsOf('docs/a.md', 'A vault that there is not.')).toEqual([]);
});

it('the lint rejects a title that begins with a verb, on the next line and behind a table too', () => {
  for (const call of [
    "it('",
    "it(\n    '",
    'it("',
    'test(`',
    "it.each(STATES)('",
    "it.each<[string]>([\n  ['a'],\n])('",
  ]) {
    const text = `describe('a pause', () => { ${call}is kept, and recorded', async () => {}); });`;
    expect(wordsOf('test/orders/a.test.ts', text)).toEqual([
      'test/orders/a.test.ts: "is kept, and recorded": name the subject in the title',
    ]);
  }
});

it('the lint accepts a title with a subject, and a describe without a verb', () => {
  const test = "it.each([['a']])('A pause of %s is kept', () => { await('is fine'); });";
  const text = `describe.each([['is']])('is %s', () => {\n  ${test}\n});\n\ndescribe.each([])('is %s', () => {});`;
  expect(wordsOf('test/orders/a.test.ts', text)).toEqual([]);
});

it('the command of `npm run lint` fails on a planted word', async () => {
  const planted = `docs/planted-${process.pid}.md`;
  await writeFile(planted, 'Nobody knows.\n');
  try {
    const failed = promisify(execFile)(process.execPath, ['scripts/words.ts']);
    await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(`${planted}: "Nobody"`) });
  } finally {
    await rm(planted);
  }
});
