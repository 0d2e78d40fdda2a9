import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { cliPage } from '../../scripts/cli-reference.ts';

it('docs/cli.md has the help of every command as it is: `npm run reference` writes it', async () => {
  expect(await readFile('docs/cli.md', 'utf8')).toBe(await cliPage());
});
