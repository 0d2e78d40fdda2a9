import { describe, expect, it } from 'vitest';
import type { AppInstance } from '../../local/azure/app-control.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';

const app = useApp({
  instances: 2,
  env: { 'AzureWebJobs.driftCheck.Disabled': 'false' },
});

async function control(method: string, path: string, body?: unknown) {
  const response = await fetch(`${app.azure.controlUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const order = async (body: unknown) => {
  const answer = await control('POST', '/app', body);
  return { ...answer, instances: (answer.body.instances ?? []) as AppInstance[] };
};
const lives = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const servedBy = async () =>
  ((await (await fetch(`${app.url}/admin/host/status`)).json()) as { processId: number }).processId;

describe('POST /app', () => {
  it('POST /app kills and starts the processes of the app behind one address', async () => {
    const { body } = await control('GET', '/app');
    const [first, second] = body.instances as AppInstance[];
    if (!first || !second) throw new Error('Two instances are up.');

    expect([await servedBy(), await servedBy()].sort()).toEqual([first.pid, second.pid].sort());

    const killed = await order({ do: 'kill', instances: 1 });
    expect(killed).toMatchObject({ status: 200, instances: [first] });
    expect([lives(first.pid), lives(second.pid)]).toEqual([true, false]);
    expect([await servedBy(), await servedBy()]).toEqual([first.pid, first.pid]);

    expect((await order({ do: 'kill' })).instances).toEqual([]);
    expect(lives(first.pid)).toBe(false);
    expect((await fetch(`${app.url}/api/openapi.json`)).status).toBe(503);

    const again = await order({ do: 'start' });
    expect(again.instances).toHaveLength(2);
    expect(again.instances.map(({ pid }) => lives(pid))).toEqual([true, true]);

    const three = await order({ do: 'start', instances: 3 });
    expect(three.instances.slice(0, 2)).toEqual(again.instances);

    const anew = await order({ do: 'restart', instances: 2 });
    expect(anew.instances).toHaveLength(2);
    expect(three.instances.map(({ pid }) => lives(pid))).toEqual([false, false, false]);
    expect(app.alive()).toBe(true);
  });
});

describe('POST /clock', () => {
  it('POST /clock fires a timer that becomes due, on one instance alone', async () => {
    const times = (what: string) => app.output().split(`${what} 'Functions.driftCheck'`).length - 1;
    const before = times('Executing');
    const minutes = 61 - app.azure.clock.now().getUTCMinutes();
    await control('POST', '/clock', { advance: `PT${minutes}M` });
    await eventually('the drift check has run', () => times('Executed') > before);
    expect(times('Executing')).toBe(before + 1);
  });

  it('POST /clock makes a message that is hidden for ten minutes visible after ten minutes', async () => {
    const queue = app.queues.getQueueClient('clock-test');
    await queue.createIfNotExists();
    await queue.sendMessage('later', { visibilityTimeout: 600 });
    const received = async () =>
      (await queue.receiveMessages()).receivedMessageItems.map(({ messageText }) => messageText);
    expect((await control('POST', '/clock', { advance: 'PT9M' })).status).toBe(200);
    expect(await received()).toEqual([]);
    await control('POST', '/clock', { advance: 'PT61S' });
    expect(await received()).toEqual(['later']);
  });

  it('POST /clock expires an access token, and a new token is accepted', async () => {
    const token = async () => (await control('POST', '/token', { signIn: 'revoker' })).body.access_token as string;
    const call = async (bearer: string) =>
      (await fetch(`${app.url}/api/keys/kv-files/files-key`, { headers: { authorization: `Bearer ${bearer}` } }))
        .status;
    const old = await token();
    expect(await call(old)).toBe(200);
    await control('POST', '/clock', { advance: 'PT24H' });
    expect(await call(old)).toBe(401);
    expect(await call(await token())).toBe(200);
  });
});
