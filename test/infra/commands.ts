import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

export const PROJECT = join(import.meta.dirname, '../..');

/** For one test file, at the top level: a folder, new for each test, of stand-ins for the commands that a script calls. */
export function useCommands() {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cmk-commands-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  return {
    path: (name: string) => join(folder, name),
    /** What a stand-in has left in a file there. */
    read: (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : ''),
    /** A stand-in, by its lines of shell; `$0` stands in that folder. */
    put: (name: string, shell: string) => writeFileSync(join(folder, name), `#!/bin/sh\n${shell}\n`, { mode: 0o755 }),
    run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = PROJECT) {
      const options = { cwd, encoding: 'utf8', env: { PATH: `${folder}:${process.env.PATH}`, ...env } } as const;
      const { status, stdout, stderr } = spawnSync(command, [...args], options);
      return { status, stdout, stderr };
    },
  };
}
