import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { search } from '@jmespath-community/jmespath';
import { describe, expect, it } from 'vitest';
import { mainWith } from './arm/templates.ts';
import { PROJECT, useCommands } from './commands.ts';

const commands = useCommands();
const read = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');

describe('docs/reference/rights-and-cost.md', () => {
  const guide = read('docs/reference/rights-and-cost.md');

  it('docs/reference/rights-and-cost.md has correct sums', () => {
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

  it('docs/reference/rights-and-cost.md has correct products', () => {
    const shown = [...guide.matchAll(/\| ([\d.]+(?: [×+] [\d.]+)*) = ([\d.]+) \|$/gm)];
    expect(shown.length).toBeGreaterThan(3);

    for (const [line, terms = '', sum] of shown) {
      const products = terms.split(' + ').map((term) => term.split(' × ').reduce((all, one) => all * Number(one), 1));
      expect(
        products.reduce((all, one) => all + one),
        line,
      ).toBeCloseTo(Number(sum), 1);
    }
  });

  const priceOf = (line: RegExp): number => Number(line.exec(guide)?.[1]);
  const total = priceOf(/^\| \*\*total\*\* .*\*\*([\d.]+)\*\* \|$/m);
  const warm = priceOf(/^\| one instance kept warm .* ([\d.]+) \|$/m);

  it('docs/reference/rights-and-cost.md counts the alerts of the template, and the readme has the same sums', async () => {
    const azure = await mainWith({});
    const frequencies = azure.values('Microsoft.Insights/scheduledQueryRules', 'evaluationFrequency').map(String);
    const often = frequencies.filter((frequency) => frequency === 'PT5M').length;
    const seldom = frequencies.filter((frequency) => /^PT(15M|\dH)$/.test(frequency)).length;
    const price = (often * 1.5 + seldom * 0.5).toFixed(2);

    // Azure has other prices for other frequencies.
    expect(often + seldom).toBe(frequencies.length);
    expect(guide).toContain(`${often} at 5 min, ${seldom} at 15 min or more`);
    expect(guide).toContain(`| ${often} × 1.50 + ${seldom} × 0.50 = ${price} |`);
    expect(guide).toContain(`| ${price} less`);
    expect(read('README.md')).toContain(
      `about $${Math.round(total)} a month, of which $${Math.round(warm)} keep break-glass warm and $${price} are alerts`,
    );
  });

  it('docs/reference/rights-and-cost.md has the totals of the choices about warm instances', () => {
    expect(guide).toContain(`| ${(total - warm).toFixed(2)} in all |`);
    expect(guide).toContain(`| ${(total + warm).toFixed(2)} in all |`);
  });
});

describe('docs/how-to/deploy-azd.md', () => {
  const [, chapter = ''] = read('docs/how-to/deploy-azd.md').split('\n## System topics that exist already\n');
  const [, command = 'false'] = /```sh\n([\s\S]*?)```/.exec(chapter) ?? [];

  it('docs/how-to/deploy-azd.md prints parameters of existing system topics that the template and its form accept', () => {
    // Writes down its arguments, each on a line of its own.
    commands.put('az', `printf '%s\\n' "$@"`);

    const { stdout } = commands.run('sh', ['-c', command]);
    const said = stdout.split('\n');
    const argument = (name: string): string => said[said.indexOf(name) + 1] ?? '';

    expect(JSON.parse(argument('--body')).query).toMatch(
      /^Resources \| where type =~ "microsoft.eventgrid\/systemtopics"/,
    );

    const group = '/subscriptions/1/resourceGroups/rg/providers';
    const found = ['files', 'records'].map((name) => ({
      id: `${group}/microsoft.eventgrid/systemtopics/${name}`,
      vault: `${group}/microsoft.keyvault/vaults/kv-${name}`,
    }));
    const printed = (data: Record<string, string>[]): string => String(search({ data }, argument('--query')));

    expect(JSON.parse(printed(found))).toEqual(Object.fromEntries(found.map(({ id, vault }) => [vault, id])));
    expect(printed([])).toBe('{}');

    const { steps } = JSON.parse(read('infra/createUiDefinition.json')).parameters;
    const elements: { name: string; constraints: { regex: string } }[] = steps.flatMap(
      ({ elements: own }: { elements: unknown[] }) => own,
    );
    const pattern = new RegExp(elements.find(({ name }) => name === 'systemTopics')?.constraints.regex ?? '^$');

    expect([found, []].map((data) => pattern.test(printed(data)))).toEqual([true, true]);
  });
});

describe('infra/uninstall.sh', () => {
  /** What it asks of an Azure CLI that writes down its arguments and lists one thing; `test/az` runs it with the real one. */
  function run(principal: string, about: string): string[] {
    commands.put('az', `echo "$*" >> "$(dirname "$0")/log"\ncase "$*" in *" list "*) echo listed ;; esac`);
    commands.put('azd', `echo '${principal}'`);
    commands.run('sh', ['infra/uninstall.sh', 'roles', 'prod'], {
      SUBSCRIPTIONS: '11111111-1111-1111-1111-111111111111',
    });
    const asked = commands.read('log').trim().split('\n');
    return asked.filter((line) => line.includes(about));
  }

  it('infra/uninstall.sh deletes no assignment if the principal of the app is unknown: an empty assignee would match all', () => {
    expect(run('', 'role assignment')).toEqual([]);
    expect(run('the-app', 'role assignment')).toHaveLength(2);
  });

  it('infra/uninstall.sh deletes the roles of this environment, and no other listed ones', () => {
    const ours = 'CMK Autopilot vault operator (prod, abcdef)';

    const others = [
      'Their role',
      'CMK Autopilot vault operator (prod-2, abcdef)',
      'CMK Autopilot topic reader (test, a)',
    ];

    const roles = [ours, ...others].map((roleName) => ({ roleName, name: roleName }));
    const said = run('the-app', 'role definition');
    const queries = said.flatMap((line) => /--query (\[.*\]\.name)/.exec(line)?.[1] ?? []);

    expect(queries.map((query) => search(roles, query))).toEqual([[ours]]);
  });
});

it('infra/README.md names every file beside it', () => {
  const files = readdirSync(join(PROJECT, 'infra')).filter(
    (name) => !/^(README\.md|modules|compiled|biome\.json|workbook\.json)$/.test(name),
  );
  expect(files.filter((name) => !read('infra/README.md').includes(name))).toEqual([]);
});
