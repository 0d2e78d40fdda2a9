import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { EXAMPLES, httpFile } from '../scripts/reference/api.ts';
import { PAGES, referencePage } from '../scripts/reference.ts';
import { OPERATIONS } from './support/calls.ts';

it.each(PAGES)('docs/reference/%s is fresh: `npm run reference` writes it', async (name) => {
  expect(await readFile(`docs/reference/${name}`, 'utf8')).toBe(await referencePage(name));
});

it('each operation of the API has a request and an answer from a run: `npm run examples` makes them', async () => {
  const examples: Record<string, { status: number }> = JSON.parse(await readFile(EXAMPLES, 'utf8'));
  expect(Object.keys(examples).sort()).toEqual(OPERATIONS.map(({ operationId }) => operationId).sort());
  expect(Object.entries(examples).filter(([, { status }]) => status >= 400)).toEqual([]);
});

it('docs/reference/api.http refers to variables and to answers of requests above', () => {
  const [head = '', ...requests] = httpFile().split('###\n');
  const variables = [...head.matchAll(/^@(\w+) = /gm)].map(([, name]) => name);
  const used = new Set<string>();
  const sent = new Set<string>();
  const unknown: string[] = [];

  for (const request of requests) {
    for (const [reference, name = '', path] of request.matchAll(/\{\{(\w*)([^}]*)\}\}/g)) {
      used.add(name);
      const isKnown = path ? path.startsWith('.response.body.$.') && sent.has(name) : variables.includes(name);
      if (!isKnown) unknown.push(reference);
    }

    sent.add(/^# @name (\w+)$/m.exec(request)?.[1] ?? '');
  }

  expect(unknown).toEqual([]);
  expect(variables.filter((name = '') => !used.has(name))).toEqual([]);
  expect(sent.size).toBe(OPERATIONS.length);
});
