import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { stateDir } from '../support/local-azure.ts';

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['local/azure/main.ts', '--state-dir', stateDir(), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  started.push(child);
  return child;
}

async function ready(
  child: ChildProcess,
): Promise<{ proxy: string; control: string; env: Record<string, string>; owner: Record<string, string> }> {
  if (!child.stdout) throw new Error('The child has a pipe for its output.');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return JSON.parse(line);
}

describe('the local Azure as a process', () => {
  it.each([
    ['is told to stop', (child: ChildProcess) => child.kill('SIGTERM')],
    ['whoever started it is gone', (child: ChildProcess) => child.stdin?.end()],
  ])('ends when it %s', async (_, stop) => {
    const child = start('--fleet', 'empty');
    await ready(child);
    const exit = once(child, 'exit');
    stop(child);
    expect(await exit).toEqual([0, null]);
  });
});
