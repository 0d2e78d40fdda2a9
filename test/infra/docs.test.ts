import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('docs/deploy.md', () => {
  const guide = read('docs/deploy.md');

  it('explains every variable that the parameters are read from', () => {
    const variables = [...read('infra/main.bicepparam').matchAll(/readEnvironmentVariable\('(\w+)'/g)].map(
      (match) => match[1],
    );
    expect(variables.length).toBeGreaterThan(15);
    expect(variables.filter((name) => !guide.includes(`\`${name}\``))).toEqual([]);
  });

  it('shows sums that add up', () => {
    let sum = 0;
    const totals: [shown: number, sum: number][] = [];
    for (const line of guide.split('\n')) {
      const last = Number(/([\d.]+)\**\s*\|$/.exec(line)?.[1] ?? Number.NaN);
      if (/^\|[\s|:-]+\|$/.test(line)) sum = 0;
      else if (line.includes('**total**')) totals.push([last, sum]);
      else if (line.startsWith('|') && !Number.isNaN(last)) sum += last;
    }
    expect(totals).toHaveLength(2);
    for (const [shown, added] of totals) expect(added).toBeCloseTo(shown, 1);
  });

  it('links to headings that are there', () => {
    const anchors = [...guide.matchAll(/^##+ (.*)$/gm)].map(
      (match) =>
        `#${match[1]
          ?.toLowerCase()
          .replaceAll(/[^\w -]/g, '')
          .replaceAll(' ', '-')}`,
    );
    const links = [...guide.matchAll(/\]\((#[^)]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
  });
});

describe('infra/README.md', () => {
  it('names every file beside it', () => {
    const files = readdirSync(new URL('../../infra/', import.meta.url)).filter(
      (name) => !/^(README\.md|modules|compiled|biome\.json|workbook\.json)$/.test(name),
    );
    expect(files.filter((name) => !read('infra/README.md').includes(name))).toEqual([]);
  });
});
