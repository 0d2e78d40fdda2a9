import type { BlastRadius } from '../../dependents/blast-radius.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import type { Environment } from '../../settings/settings.ts';
import { nameFirst } from '../../text.ts';
import type { Operation } from '../operator-azure.ts';
import { blastRadiusOf } from './blast-radius-of.ts';

/** Before the second read of everything that uses the key, in milliseconds: a handful of accounts moves in about a second. */
const FIRST_PAUSE_MS = 1_000;
/** The pause doubles up to this one: lists of accounts are what Azure budgets most. */
const LONGEST_PAUSE_MS = 15_000;
const READ_MS = 60_000;

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
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const moves = movesIn(await blastRadiusOf(key, azure, environment, READ_MS), version);
    const { moved, waiting, complete } = moves;
    const total = moved.length + waiting.length;
    if (waiting.length > 0 && azure.now().getTime() + pauseMs <= end) {
      const text = `for ${waiting.length} of ${total} accounts and scopes to use ${version}: ${nameFirst(waiting, 5)}`;
      journal.waiting(text, { done: moved.length, total });
      await azure.sleep(pauseMs);
      continue;
    }
    journal.found(`${moved.length} of ${total} accounts and scopes use ${version}`);
    const show = `cmk rotation show ${key.name} ${vaultOption(key.vault)}`;
    if (waiting.length > 0) journal.note(`Not yet: ${nameFirst(waiting, 5)}. \`${show}\` says why.`);
    if (!complete) journal.note('There may be more: not everything could be read.');
    return moves;
  }
}

function movesIn({ accounts, unread }: BlastRadius, version: string): Moves {
  const uses = accounts.flatMap(({ name, mode, version: used, scopes }) => [
    ...(mode === 'scopesOnly' ? [] : [{ name, used }]),
    ...scopes.map((scope) => ({ name: `${name}/${scope.name}`, used: scope.version })),
  ]);
  const { there = [], waiting = [] } = Object.groupBy(uses, ({ used }) =>
    used?.toLowerCase() === version.toLowerCase() ? 'there' : 'waiting',
  );
  const names = (of: typeof uses): string[] => of.map(({ name }) => name);
  return { moved: names(there), waiting: names(waiting), complete: unread.length === 0 };
}
