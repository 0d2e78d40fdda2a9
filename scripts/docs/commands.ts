import { globSync, readFileSync } from 'node:fs';

/** A block of shell commands of a page. */
export interface Commands {
  readonly text: string;
  /** Why no test runs it; undefined: `test/docs/commands.slow.test.ts` does. */
  readonly notRun?: string;
}

/** Pages whose commands work as they stand. */
export const COMMAND_PAGES = globSync('docs/{tutorial,how-to,reference}/*.md').sort();

const BLOCK = /^( *)(?:<!-- not run: (.+?) -->\n *)?```sh\n([\s\S]*?)^ *```$/gm;

/** The blocks of a page, in order. A comment `<!-- not run: reason -->` right before a block says why no test runs it. */
export function commandsOf(page: string): Commands[] {
  return [...readFileSync(page, 'utf8').matchAll(BLOCK)].map(([, indent = '', notRun, text = '']) => ({
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    ...(notRun ? { notRun } : {}),
  }));
}
