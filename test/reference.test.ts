import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { EXAMPLES } from '../scripts/reference/api.ts';
import { PAGES, referencePage } from '../scripts/reference.ts';
import { OPERATIONS } from './support/calls.ts';

it.each(PAGES)('docs/reference/%s is fresh: `npm run reference` writes it', async (name) => {
  expect(await readFile(`docs/reference/${name}`, 'utf8')).toBe(await referencePage(name));
});

it('each operation of the API has a request and an answer from a run: `npm run examples` makes them', async () => {
  const examples: Record<string, { status: number }> = JSON.parse(await readFile(EXAMPLES, 'utf8'));
  expect(Object.keys(examples).sort()).toEqual(OPERATIONS.map(({ operationId }) => operationId).sort());
  const refused = Object.entries(examples).filter(([, { status }]) => status >= 400);
  expect(refused.map(([id]) => id)).toEqual([]);
});
