import type { KeyStatusResponse } from '../api/types.ts';
import { count } from '../names.ts';
import type { Tone } from '../ui/tone.ts';

/** An account or a scope that uses a version, or the number of those that are not named. */
interface FlowUse {
  readonly name: string;
  /** Undefined: it stands for several. */
  readonly account: string | undefined;
  readonly uses: number;
}

interface FlowVersion {
  /** Undefined: Storage did not say which. */
  readonly version: string | undefined;
  readonly tone: Tone;
  readonly words: string;
  readonly uses: number;
  readonly leaves: readonly FlowUse[];
}

/** A band between two boxes. Heights in rows, from the top. */
export interface Band {
  readonly from: number;
  readonly to: number;
  /** Part of all uses, from 0 to 1. */
  readonly share: number;
  readonly tone: Tone;
}

export interface Flow {
  readonly versions: readonly FlowVersion[];
  /** Versions that nothing uses, and that are not shown. */
  readonly unused: number;
  readonly rows: number;
  readonly fromKey: readonly Band[];
}

/** Uses named for each version, where so many versions are in use. */
const namedOf = (versions: number): number => (versions <= 2 ? 5 : versions <= 5 ? 3 : 1);

/** Which version of a key is used by what: the newest usable one first, then those with most users. */
export function flowOf({ versions, users, newestUsable }: KeyStatusResponse): Flow | undefined {
  if (!users) return undefined;
  const used = users.versions.filter(({ accounts, scopes }) => accounts + scopes > 0);
  const isListed = used.some(({ version }) => version === newestUsable);
  const all =
    newestUsable === undefined || isListed
      ? used
      : [...used, { version: newestUsable, accounts: 0, scopes: 0, first: [] }];
  const named = namedOf(all.length);
  const total = users.accounts + users.scopes;
  const shown = all
    .map(({ version, accounts, scopes, first }): FlowVersion => {
      const state = versions.find((one) => one.version === version)?.state;
      const uses = accounts + scopes;
      const isNewest = version !== undefined && version === newestUsable;
      return {
        version,
        tone: isNewest ? 'good' : state === 'Disabled' || state === 'Expired' ? 'bad' : 'warn',
        words: isNewest ? 'newest' : state === 'Usable' ? 'older' : (state?.toLowerCase() ?? 'not in the vault'),
        uses,
        leaves: leavesOf(first, uses, named, { accounts, scopes }),
      };
    })
    .sort((a, b) => Number(b.tone === 'good') - Number(a.tone === 'good') || b.uses - a.uses);
  const rows = shown.reduce((sum, { leaves }) => sum + leaves.length, 0);
  const unused = versions.filter(({ version }) => !shown.some((one) => one.version === version)).length;
  let above = 0;
  const fromKey = shown.map(({ leaves, uses, tone }): Band => {
    const to = above + leaves.length / 2;
    above += leaves.length;
    return { from: rows / 2, to, share: total > 0 ? uses / total : 0, tone };
  });
  return { versions: shown, unused, rows, fromKey };
}

function leavesOf(
  first: readonly string[],
  uses: number,
  named: number,
  { accounts, scopes }: { readonly accounts: number; readonly scopes: number },
): readonly FlowUse[] {
  if (uses === 0) return [{ name: 'nothing yet', account: undefined, uses: 0 }];
  // A last one is named rather than counted.
  const names = uses <= named + 1 && first.length >= uses ? first : first.slice(0, named);
  const leaves = names.map((name): FlowUse => ({ name, account: name.split('/')[0], uses: 1 }));
  const rest = uses - names.length;
  if (rest === 0) return leaves;
  const kind = scopes === 0 ? count(rest, 'account') : accounts === 0 ? count(rest, 'scope') : count(rest, 'use');
  return [...leaves, { name: `${kind}${names.length > 0 ? ' more' : ''}`, account: undefined, uses: rest }];
}

/** The bands from one version to its uses. */
export function bandsOf({ leaves, uses, tone }: FlowVersion, total: number): readonly Band[] {
  return leaves.map((leaf, index) => ({
    from: leaves.length / 2,
    to: index + 0.5,
    share: uses > 0 ? leaf.uses / Math.max(1, total) : 0,
    tone,
  }));
}
