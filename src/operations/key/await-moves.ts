import { writesOf } from '../../azure/limiter.ts';
import { parseResourceId } from '../../azure/resource-id.ts';
import type { BlastRadius } from '../../dependents/blast-radius.ts';
import { secondsFor } from '../../fleet/rotation-progress.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import type { Environment } from '../../settings/settings.ts';
import type { Operation } from '../operator-azure.ts';
import { blastRadiusOf } from './blast-radius-of.ts';

/** Between two looks at everything that uses the key, in milliseconds: lists of accounts are what Azure budgets most. */
const LOOK_EVERY_MS = 15_000;
const LOOK_MS = 60_000;

/** Who uses the version by now, as far as the sign-in sees. */
interface Moves {
  readonly moved: readonly string[];
  /** Accounts, and scopes as `account/scope`, that use another version still. */
  readonly waiting: readonly string[];
  /** Something could not be read: there may be more. */
  readonly complete: boolean;
}

/** Waits until every account and encryption scope in sight uses a version, or the time is up. */
export async function awaitMoves(
  key: ManagedKey,
  version: string,
  seconds: number,
  environment: Environment,
  { azure, journal }: Operation,
): Promise<Moves> {
  const end = azure.now().getTime() + seconds * 1_000;
  for (let first = true; ; first = false) {
    const radius = await blastRadiusOf(key, azure, environment, LOOK_MS);
    const moves = movesIn(radius, version);
    const { moved, waiting } = moves;
    const all = moved.length + waiting.length;
    if (first && waiting.length > 0) {
      const by = expectedEnd(radius, new Set(waiting), azure.now());
      journal.note(
        `${waiting.length} of ${all} accounts and scopes are to move, by ${by} if Azure's budget is all for them.`,
      );
    }
    if (waiting.length === 0 || azure.now().getTime() + LOOK_EVERY_MS > end) {
      journal.found(`${moved.length} of ${all} accounts and scopes use ${version}`);
      if (waiting.length > 0)
        journal.note(`Not yet: ${named(waiting)}. \`cmk key show ${key.name} ${vaultOption(key.vault)}\` shows them.`);
      if (!moves.complete) journal.note('There may be more: not everything could be read.');
      return moves;
    }
    const text = `for ${waiting.length} of ${all} accounts and scopes to use ${version}: ${named(waiting)}`;
    journal.waiting(text, { done: moved.length, total: all });
    await azure.sleep(LOOK_EVERY_MS);
  }
}

/** What every move takes beside Azure's budget: an event, and a read and a write. Milliseconds. */
const MOVE_MS = 30_000;

/** When the slowest of subscriptions and regions is done, by what Azure takes of writes in each. */
function expectedEnd({ accounts }: BlastRadius, waiting: ReadonlySet<string>, now: Date): string {
  const places = new Map<string, number>();
  for (const { id, name, region, scopes } of accounts) {
    const uses = [name, ...scopes.map((scope) => `${name}/${scope.name}`)].filter((use) => waiting.has(use));
    const place = `${parseResourceId(id)?.subscriptionId} ${region}`.toLowerCase();
    places.set(place, (places.get(place) ?? 0) + uses.length);
  }
  const budgets = writesOf();
  const longest = Math.max(0, ...[...places.values()].map((moves) => secondsFor(moves, budgets)));
  return new Date(now.getTime() + MOVE_MS + longest * 1_000).toISOString();
}

function movesIn({ accounts, unread }: BlastRadius, version: string): Moves {
  const uses = accounts.flatMap(({ name, mode, version: used, scopes }) => [
    ...(mode === 'scopesOnly' ? [] : [{ name, used }]),
    ...scopes.map((scope) => ({ name: `${name}/${scope.name}`, used: scope.version })),
  ]);
  const isThere = ({ used }: { used: string | undefined }): boolean => used?.toLowerCase() === version.toLowerCase();
  return {
    moved: uses.filter(isThere).map(({ name }) => name),
    waiting: uses.filter((use) => !isThere(use)).map(({ name }) => name),
    complete: unread.length === 0,
  };
}

function named(names: readonly string[]): string {
  const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
  return `${names.slice(0, 5).join(', ')}${more}`;
}
