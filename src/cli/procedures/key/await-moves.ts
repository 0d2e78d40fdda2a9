import { formatFirst } from '../../../formats/text.ts';
import type { BlastRadius } from '../../../key-users/dependent.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { formatVaultOption } from '../../../keys/vault-options.ts';
import type { Environment } from '../../../settings/settings.ts';
import type { Operation } from '../operator-azure.ts';
import { readBlastRadiusAsOperator } from './blast-radius-of.ts';

/** Pause before the second read of all uses of the key, in milliseconds. A few accounts move in about a second. */
const FIRST_PAUSE_MS = 1_000;
/** Longest pause, in milliseconds; it doubles up to this. Azure throttles lists of accounts most strictly. */
const LONGEST_PAUSE_MS = 15_000;
const READ_MS = 60_000;

/** Waits until every readable account and encryption scope uses a version, or until the deadline. */
export async function awaitMoves(
  key: ManagedKey,
  version: string,
  seconds: number,
  environment: Environment,
  { azure, journal }: Operation,
) {
  const end = azure.now().getTime() + seconds * 1_000;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const moves = movesIn(await readBlastRadiusAsOperator(key, azure, environment, READ_MS), version);
    const { moved, waiting, complete } = moves;
    const total = moved.length + waiting.length;

    if (waiting.length > 0 && azure.now().getTime() + pauseMs <= end) {
      const text = `for ${waiting.length} of ${total} accounts and scopes to use ${version}: ${formatFirst(waiting, 5)}`;
      journal.waiting(text, { done: moved.length, total });
      await azure.sleep(pauseMs);
      continue;
    }

    journal.found(`${moved.length} of ${total} accounts and scopes use ${version}`);

    const show = `cmk rotation show ${key.name} ${formatVaultOption(key.vault)}`;
    if (waiting.length > 0) journal.note(`Not yet: ${formatFirst(waiting, 5)}. \`${show}\` shows why.`);
    if (!complete) journal.note('Other accounts or scopes may use the key: some reads failed.');

    return moves;
  }
}

/** Progress of moves to a version: accounts, and scopes as `account/scope`. Incomplete if a read failed. */
function movesIn({ accounts, unread }: BlastRadius, version: string) {
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
