import { expect, it } from 'vitest';
import { RECEIVER_HOST } from '../../local/azure/receiver.ts';
import { keyOf } from '../break-glass/break-glass-fixture.ts';
import { CMK_NOTIFY, verified } from '../notify/targets.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';

// The deployed app, its own timer and queue, two instances, and a receiver that hangs, is away, and comes back.
const app = useApp({ instances: 2, env: { CMK_NOTIFY } });
const MINUTE = 60_000;
/** Longer than a killed process holds a lease or a message. */
const HELD_MS = 11 * MINUTE;
/** Has the timer run that collects. The leap in which it fires is short: a long one would end the lease that it takes. */
async function collect(): Promise<void> {
  const untilTimer = MINUTE - (app.azure.clock.nowMs() % MINUTE);
  await app.advance(Math.max(0, untilTimer - 1_000));
  await app.advance(1_000);
}

async function revoke(): Promise<{ readonly name: string; readonly reason: unknown }> {
  const key = keyOf(app.azure, 1);
  const name = `${key.vault.name}/${key.name}`;
  const body = { reason: 'A laptop was stolen', confirm: name };
  const response = await app.call('revoker', 'POST', `/keys/${name}/revoke`, body);
  const { reason } = (await response.json()) as { reason: unknown };
  return { name, reason };
}

const taken = (name: string) =>
  app.azure.received.filter(({ path, body }) => path.startsWith('/siem') && body.includes(`${name} was revoked`));
const asked = () => app.azure.requests.since(0).filter(({ host }) => host === RECEIVER_HOST).length;

it('a receiver that hangs delays no revocation, and gets each notification once when it is back', async () => {
  const first = await revoke();

  await app.atRest();
  await collect();
  await eventually('the first notification', () => taken(first.name).length > 0);
  await eventually('it is noted', async () => (await app.count('notify-work')) === 0);

  expect(taken(first.name).map(verified)).toHaveLength(1);

  app.azure.faults.add([{ match: { host: RECEIVER_HOST }, hang: true }]);

  const hung = await revoke();
  const during = [hung];

  await app.atRest();
  await collect();
  await eventually('a request hangs', () => asked() > 1 || undefined);
  for (let n = 0; n < 5; n += 1) during.push(await revoke());

  // The receiver hangs still.
  for (const { reason } of during) expect(reason).toBe('Revoked');

  // Killed while it hangs and while others wait; then the receiver is back.
  await app.kill();
  app.azure.faults.clear();
  await app.advance(HELD_MS);
  await app.start();
  await eventually('the notification that hung', () => taken(hung.name).length > 0);
  await app.atRest();
  await collect();
  await eventually('every notification', () => during.every(({ name }) => taken(name).length > 0));
  await eventually('the queue is empty', async () => (await app.count('notify-work')) === 0);
  for (const { name } of [first, ...during]) expect(taken(name).map(verified), name).toHaveLength(1);

  expect(await app.count('notify-work-poison')).toBe(0);
  expect(app.output()).not.toMatch(/s3cret/);
});
