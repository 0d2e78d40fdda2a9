import { readFileSync } from 'node:fs';
import { DEFAULT_SETTINGS } from '../../local/azure/create-world.ts';
import { code, plain, table } from './markdown.ts';

/** What Microsoft does not document, as settings of the local Azure. */
export function localAzureReference(): string {
  const [, body = ''] =
    /export interface WorldSettings \{\n([\s\S]*?)\n\}/.exec(readFileSync('local/azure/world.ts', 'utf8')) ?? [];
  const defaults: Readonly<Record<string, unknown>> = { ...DEFAULT_SETTINGS };
  const rows = [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\n {2}(\w+)\??: ([^;]+);/g)].map(
    ([, comment = '', name = '', type = '']) => [
      code(name),
      plain(comment.replaceAll(/^\s*\* ?/gm, '')),
      name in defaults ? code(showDefault(defaults[name])) : code(type),
    ],
  );

  return `### Settings\n\n${table(['setting', 'what it decides', 'at the start'], rows)}\n`;
}

function showDefault(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
