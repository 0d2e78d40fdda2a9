import { existsSync, globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOMS } from '../scripts/arrows.ts';

const DOCUMENTS = [...globSync('*.md'), ...globSync('{docs,infra,local,.github}/**/*.md')]
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => !name.includes('node_modules/'));
const read = (name: string): string => readFileSync(name, 'utf8');

/** Names of the repository's own files and folders, as documents write them. */
const PATH = /`((?:src|test|scripts|local|docs|infra|bench|tour|\.ci|\.github)\/[\w./-]*)`/g;

describe.each(DOCUMENTS)('%s', (name) => {
  it('names files that are there', () => {
    const named = [...read(name).matchAll(PATH)].map(([, path = '']) => path);
    expect(named.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('links to files and headings that are there', () => {
    const links = [...read(name).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
    const broken = links.filter(([, path = '', heading]) => {
      const target = path === '' ? name : posix.join(posix.dirname(name), path);
      return !existsSync(target) || (heading !== undefined && !anchors(read(target)).includes(heading));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it('has one line for each paragraph and list item, and tables without padding', () => {
    const text = read(name).replaceAll(/^( *)```.*\n[\s\S]*?^\1```$/gm, '');
    const wrapped = [...text.matchAll(/^[^|#<>\s].*\n(?!\s*(?:[-*]|\d+\.) )[^|#<>\n].*/gm)].map(([lines]) => lines);
    const padded = [...text.matchAll(/^\|.*(?: {2}\||-{4}).*$/gm)].map(([line]) => line);
    expect([...wrapped, ...padded]).toEqual([]);
  });

  it('names scripts that package.json has', () => {
    const scripts: unknown = JSON.parse(read('package.json')).scripts;
    const named = [...read(name).matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, script = '']) => script);
    expect(named.filter((script) => !Object.hasOwn(scripts as object, script))).toEqual([]);
  });
});

describe('docs/explanation/architecture.md', () => {
  it('has every room, from the top', () => {
    const text = read('docs/explanation/architecture.md');
    const table = text.slice(text.indexOf('## The rooms'), text.indexOf('Beside `src/`'));
    const rows = [...table.matchAll(/^\| (`src\/.*?) \|/gm)].map(([, cell = '']) =>
      [...cell.matchAll(/`src\/([^`]+)`/g)].map(([, room]) => room),
    );
    expect(rows).toEqual(ROOMS.toReversed());
  });

  it('has what wakes the app, and what it keeps', () => {
    const text = read('docs/explanation/architecture.md');
    const woken = globSync('src/functions/*.ts').flatMap((file) => [
      ...read(file).matchAll(/^app\.(?:timer|storageQueue|eventGrid(?:<unknown>)?)\('(\w+)'/gm),
    ]);
    const names = read('infra/names.bicep');
    const kept = ['queueNames', 'workTableNames', 'controlTableNames', 'containerNames'].flatMap((list) => {
      const [, items = ''] = new RegExp(`^var ${list} = [[{]\n([\\s\\S]*?)^[\\]}]`, 'm').exec(names) ?? [];
      return [...items.matchAll(/'([\w-]+)'/g)];
    });
    expect([woken.length, kept.length]).toEqual([11, 16]);
    const missing = [...woken, ...kept].map(([, name]) => name).filter((name) => !text.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}
