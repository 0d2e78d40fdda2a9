import { expect, it } from 'vitest';
import { createPacedSender } from '../../src/identities/local-role-client.ts';

it('calls for local roles are sent a quarter of a second apart, for each Managed HSM separately', async () => {
  const sent: { host: string; atMs: number }[] = [];
  const send = createPacedSender(async ({ url }) => {
    sent.push({ host: new URL(url).host, atMs: performance.now() - begunMs });
    return undefined;
  });
  const begunMs = performance.now();
  const calls = ['one', 'other'].flatMap((host) =>
    Array.from({ length: 6 }, (_, n) => send({ method: 'GET', url: `https://${host}/keys/key-${n}` })),
  );

  await Promise.all(calls);

  expect(sent.slice(0, 2).map(({ host }) => host)).toEqual(['one', 'other']);

  for (const host of ['one', 'other']) {
    const times = sent.filter((call) => call.host === host).map(({ atMs }) => atMs);
    expect(times).toHaveLength(6);

    // A machine under load may hold any of them up, but none comes before its turn: each timer counts whole milliseconds.
    for (const [n, atMs] of times.entries()) expect(atMs, `call ${n}`).toBeGreaterThanOrEqual(n * 249 - 1);
  }
});
