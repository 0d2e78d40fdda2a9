import { expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import { Interruption } from '../../src/cli/interruption.ts';
import { run } from '../../src/cli/run.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

const app = useApp();

type SignIn = 'operator' | 'owner';

function tokenOf(signIn: SignIn): string {
  const principal = app.azure.world.principals.get(CLIENT_IDS[signIn]);
  if (!principal) throw new Error(`The local tenant has no sign-in ${signIn}.`);
  return app.azure.tokens.issue(principal, CMK_API_AUDIENCE).token;
}

/** As a person has it who may call the app, in this process. */
function watch(
  args: readonly string[],
  env: Record<string, string> = { CMK_API: `${app.url}/api`, CMK_API_AUDIENCE },
  as: SignIn = 'operator',
) {
  const out: string[] = [];
  const err: string[] = [];
  const interrupt = new AbortController();
  const code = run(['watch', '--every', '1', ...args], {
    environment: env,
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
    ask: undefined,
    credential: { getToken: async () => ({ token: tokenOf(as), expiresOnTimestamp: Date.now() + 60_000 }) },
    interrupted: interrupt.signal,
  });
  const events = () => out.map((line) => JSON.parse(line) as Record<string, string>);
  return { code, out, err, events, interrupt: () => interrupt.abort(new Interruption(130)) };
}

it('says what changes as it does, one event in a line, and ends by Ctrl-C without a word', async () => {
  const key = new TestKey(app.azure.world);
  key.account();
  const watching = watch(['-o', 'jsonl']);
  const heard = (pattern: object) =>
    eventually(
      `${JSON.stringify(pattern)} in ${watching.out.join('')}`,
      () => {
        return watching.events().some((event) => expect.objectContaining(pattern).asymmetricMatch(event));
      },
      40_000,
    );
  await heard({ version: 1, kind: 'health', about: '' });
  app.azure.clock.advance(1_000);
  rotateKey(app.azure.world, key.vault, key.name);
  await heard({ kind: 'rotation', about: key.id(), text: expect.stringContaining('is finished: 1 moved') });
  const post = { method: 'POST', headers: { authorization: `Bearer ${tokenOf('operator')}` } };
  expect((await fetch(`${app.url}/api/drift`, post)).status).toBe(200);
  await heard({ kind: 'finding', change: 'begun', text: expect.stringContaining('advice PinnedVersion') });
  const confirm = { reason: 'a drill', confirm: `${key.vault.name}/${key.name}` };
  const headers = { ...post.headers, 'content-type': 'application/json' };
  const revoke = `${app.url}/api/keys/${confirm.confirm}/revoke`;
  expect((await fetch(revoke, { ...post, headers, body: JSON.stringify(confirm) })).status).toBe(200);
  await heard({
    kind: 'revocation',
    change: 'begun',
    text: expect.stringMatching(/is revoked since \S+Z: 1 account$/),
  });
  watching.interrupt();
  expect(await watching.code).toBe(130);
  expect(watching.err).toEqual([]);
}, 120_000);

it('ends by itself after so long, and says whom to ask, and in which form', async () => {
  expect(await watch(['--for', '1']).code).toBe(0);
  const nowhere = watch([], {});
  expect(await nowhere.code).toBe(2);
  expect(nowhere.err.join('')).toContain('Set CMK_API');
  const document = watch(['--json']);
  expect(await document.code).toBe(2);
  expect(document.out.join('')).toContain('Use -o jsonl');
}, 60_000);

it('works as the owner that the local run hands out', async () => {
  const watching = watch(['--for', '1'], undefined, 'owner');
  expect([await watching.code, watching.err.join('')]).toEqual([0, '']);
}, 60_000);
