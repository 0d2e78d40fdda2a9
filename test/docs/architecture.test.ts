import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOMS } from '../../scripts/arrows.ts';

const read = (name: string): string => readFileSync(name, 'utf8');

describe('docs/explanation/architecture.md', () => {
  it('The architecture page lists every folder of src/, from the top', () => {
    const text = read('docs/explanation/architecture.md');
    const table = text.slice(text.indexOf('## The rooms'), text.indexOf('Beside `src/`'));
    const rows = [...table.matchAll(/^\| (`src\/.*?) \|/gm)].map(([, cell = '']) =>
      [...cell.matchAll(/`src\/([^`]+)`/g)].map(([, room]) => room),
    );
    expect(rows).toEqual(ROOMS.toReversed());
  });

  it('The architecture page lists every trigger and every store of the app', () => {
    const text = read('docs/explanation/architecture.md');
    const woken = globSync('src/functions/*.ts').flatMap((file) => [
      ...read(file).matchAll(/^(?:onTimer|onMessage|onKeyEvent|app\.eventGrid<unknown>)\(\s*'(\w+)'/gm),
    ]);
    const names = read('infra/names.bicep');
    const kept = ['queueNames', 'workTableNames', 'controlTableNames', 'containerNames'].flatMap((list) => {
      const [, items = ''] = new RegExp(`^var ${list} = [[{]\n([\\s\\S]*?)^[\\]}]`, 'm').exec(names) ?? [];
      return [...items.matchAll(/'([\w-]+)'/g)];
    });

    expect([woken.length, kept.length]).toEqual([11, 14]);

    const missing = [...woken, ...kept].map(([, name]) => name).filter((name) => !text.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});
