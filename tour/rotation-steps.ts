import type { KeyUse } from '../src/accounts/key-use.ts';
import type { TourContext } from './context.ts';
import { expectThat } from './expect.ts';
import { short, usersOf, watchMoves } from './moves.ts';
import type { TourStep } from './step.ts';

const DAY_MS = 24 * 3600 * 1000;

/** Rotation by any client, near expiry, and deliveries that go wrong: the accounts end up on the newest version. */
export const rotationSteps: readonly TourStep[] = [
  {
    title: 'files-key is rotated in Key Vault: every account that depends on it moves',
    async run(context) {
      const before = await usersOf(context, 'files-key');
      const pinned = [...before.values()].filter((use) => use.pinned).length;
      const { properties } = await context.keys('kv-files').rotateKey('files-key');
      const version = properties.version ?? '';
      context.screen.line(`    files-key rotated to ${short(version)}; ${before.size} accounts depend on it`);
      const summary = await watchMoves(context, 'files-key', before, version);
      return `${summary}; ${pinned} stayed pinned, ${before.size - pinned} automatic`;
    },
  },
  {
    title: 'An encryption scope that was pinned to the old version moved with its account',
    async run(context) {
      const newest = (await context.keys('kv-files').getKey('files-key')).properties.version ?? '';
      const keyUri = await context.until('scope1 of stfiles06 to move', 20, async () => {
        const scope = await context.storage().encryptionScopes.get('rg-files', 'stfiles06', 'scope1');
        const uri = scope.keyVaultProperties?.keyUri ?? '';
        return uri.endsWith(newest) ? uri : undefined;
      });
      return `scope1 of stfiles06 uses ${short(keyUri.split('/').at(-1))}`;
    },
  },
  {
    title: 'The event is delivered three times: each account is written to once',
    async run(context) {
      const before = await usersOf(context, 'records-key');
      const since = await context.lastRequest();

      await context.control('POST', '/faults', [
        { match: { delivery: true, function: 'keyNewVersionCreated' }, times: 1, duplicate: 3 },
      ]);

      const { properties } = await context.keys('kv-records').rotateKey('records-key');
      await watchMoves(context, 'records-key', before, properties.version ?? '');

      const writes = await writesOnceQuiet(context, since);
      expectThat(
        writes === before.size,
        `${before.size} accounts were to be written to once, and there were ${writes} writes.`,
      );

      return `${before.size} accounts, ${writes} writes, 3 deliveries`;
    },
  },
  {
    title: 'Two events arrive in the wrong order: the older one moves nothing back',
    async run(context) {
      const before = await usersOf(context, 'records-key');

      await context.control('POST', '/faults', [
        { match: { delivery: true, function: 'keyNewVersionCreated' }, times: 1, reorder: true },
      ]);

      const keys = context.keys('kv-records');
      await keys.rotateKey('records-key');
      const { properties } = await keys.rotateKey('records-key');
      const version = properties.version ?? '';

      const since = await context.lastRequest();
      await watchMoves(context, 'records-key', before, version);
      await writesOnceQuiet(context, since);

      for (const [name, use] of await usersOf(context, 'records-key')) {
        expectThat(use.pinned === version, `${name} went back to ${short(use.pinned)}.`);
      }

      return `every account stayed on ${short(version)}`;
    },
  },
  {
    title:
      'vault-key is rotated in a Managed HSM, which sends no events: the next check, five minutes later, moves its account',
    async run(context) {
      const before = await usersOf(context, 'vault-key');
      // Seen once as it is, so that what is new stands out.
      await passTime(context, 5);
      const { properties } = await context.keys('hsm-local', 'managedhsm').rotateKey('vault-key');
      await passTime(context, 5);
      return watchMoves(context, 'vault-key', before, properties.version ?? '');
    },
  },
  {
    title: 'archive-key nears its expiry: it is rotated, and its accounts follow',
    async run(context) {
      const keys = context.keys('kv-files');
      const before: Map<string, KeyUse> = await usersOf(context, 'archive-key');
      const old = (await keys.getKey('archive-key')).properties;

      await keys.updateKeyProperties('archive-key', old.version ?? '', {
        expiresOn: new Date(Date.now() + 20 * DAY_MS),
      });

      const rotated = await context.until('the app to rotate archive-key', 20, async () => {
        const { properties } = await keys.getKey('archive-key');
        return properties.version !== old.version ? properties : undefined;
      });
      context.screen.line(`    archive-key rotated to ${short(rotated.version)}`);

      const summary = await watchMoves(context, 'archive-key', before, rotated.version ?? '');
      const { expiresOn } = (await keys.getKey('archive-key')).properties;
      expectThat(expiresOn !== undefined, 'The new version never expires, though the old one did.');

      return `${summary}; the new version expires too`;
    },
  },
];

/** For the app and for Azure alike. */
async function passTime(context: TourContext, minutes: number): Promise<void> {
  await context.control('POST', '/clock', { advance: `PT${minutes}M` });
}

/** Waits until the app has stopped asking, and counts its writes to storage accounts since then. */
async function writesOnceQuiet(context: TourContext, since: number): Promise<number> {
  let last = -1;
  let quietSince = Date.now();
  return context.until('the app to come to rest', 20, async () => {
    const requests = await context.requestsSince(since);
    if (requests.length !== last) {
      last = requests.length;
      quietSince = Date.now();
    }
    if (Date.now() - quietSince < 2_500) return undefined;
    return requests.filter(({ method, path }) => method === 'PATCH' && /\/storageAccounts\/[^/]+\?/.test(path)).length;
  });
}
