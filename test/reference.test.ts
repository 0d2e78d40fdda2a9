import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { PAGES, referencePage } from '../scripts/reference.ts';

it.each(PAGES)('docs/reference/%s is fresh: `npm run reference` writes it', async (name) => {
  expect(await readFile(`docs/reference/${name}`, 'utf8')).toBe(await referencePage(name));
});
