import type { KeyUse } from '../src/accounts/key-use.ts';
import type { TourContext } from './context.ts';
import { expectThat } from './expect.ts';

/** The accounts whose key is `keyName`, by name. */
export async function usersOf(context: TourContext, keyName: string): Promise<Map<string, KeyUse>> {
  const users = new Map<string, KeyUse>();
  for (const { name, use } of await context.accounts()) {
    if (use?.keyName === keyName) users.set(name, use);
  }
  return users;
}

/**
 * Watches until every account of `before` uses `version`, and shows each as it gets there. Then checks that each is still
 * pinned or automatic, as it was.
 */
export async function watchMoves(
  context: TourContext,
  keyName: string,
  before: ReadonlyMap<string, KeyUse>,
  version: string,
): Promise<string> {
  const started = Date.now();
  const seconds = (): string => ((Date.now() - started) / 1000).toFixed(1);
  const moved = new Map<string, KeyUse>();

  await context
    .until(`all accounts on ${keyName} to use ${short(version)}`, 30, async () => {
      for (const [name, use] of await usersOf(context, keyName)) {
        const was = before.get(name);
        if (!was || moved.has(name) || use.current !== version) continue;
        moved.set(name, use);
        const mode = use.pinned ? 'pinned   ' : 'automatic';
        context.screen.line(
          `    ${name}  ${mode}  ${short(was.current)} → ${short(use.current)}  after ${seconds()} s`,
        );
      }
      context.screen.progress(`    ${moved.size} of ${before.size} accounts moved, ${seconds()} s`);
      return moved.size === before.size ? true : undefined;
    })
    .finally(() => context.screen.progress(''));

  for (const [name, use] of moved) {
    const pinned = before.get(name)?.pinned !== undefined;
    expectThat(
      (use.pinned !== undefined) === pinned,
      `${name} was ${pinned ? 'pinned' : 'automatic'} and is not any more.`,
    );
    expectThat(!pinned || use.pinned === version, `${name} is pinned to ${use.pinned}, not to ${version}.`);
  }

  return `${moved.size} ${moved.size === 1 ? 'account' : 'accounts'} on ${short(version)} within ${seconds()} s`;
}

/** The first digits of a version: enough to tell them apart. */
export function short(version: string | undefined): string {
  return version?.slice(0, 8) ?? '(none)';
}
