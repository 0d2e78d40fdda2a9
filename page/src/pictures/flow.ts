import { count, digits } from '../../../src/keys/short-names.ts';
import type { KeyStatusResponse } from '../api/types.ts';
import type { Tone } from '../ui/tone.ts';

/** An account or a scope that uses a version, or the number of further uses. */
export interface FlowUse {
  readonly name: string;
  /** Undefined: the entry counts several uses, or none. */
  readonly account: string | undefined;
  readonly uses: number;
}

interface FlowVersion {
  /** Undefined: Storage did not say which. */
  readonly version: string | undefined;
  readonly tone: Tone;
  readonly words: string;
  readonly uses: number;
  /** One row each. */
  readonly leaves: readonly FlowUse[];
}

export interface Flow {
  readonly versions: readonly FlowVersion[];
  /** Versions that nothing uses, and that are not shown. */
  readonly unused: number;
}

/** A band from the middle of a box to a position on its right. */
export interface Band {
  /** Rows from the top. */
  readonly to: number;
  readonly uses: number;
  readonly tone: Tone;
}

type VersionState = KeyStatusResponse['versions'][number]['state'];
type Uses = NonNullable<KeyStatusResponse['users']>['versions'][number];

/** The versions of a key with the accounts and scopes that use them: the newest usable version first, then by number of uses. */
export function flowOf({ versions, users, newestUsable }: KeyStatusResponse): Flow {
  const used = (users?.versions ?? []).filter(({ accounts, scopes }) => accounts + scopes > 0);
  const isListed = used.some(({ version }) => version === newestUsable);
  const unusedNewest =
    newestUsable === undefined || isListed ? [] : [{ version: newestUsable, accounts: 0, scopes: 0, first: [] }];
  const all = [...used, ...unusedNewest];
  const named = countNamed(all.length);
  const shown = all
    .map((of): FlowVersion => {
      const state = versions.find((one) => one.version === of.version)?.state;
      const isNewest = of.version !== undefined && of.version === newestUsable;
      return {
        version: of.version,
        tone: toneOf(state, isNewest),
        words: `${wordOf(state, isNewest)}, ${usesWords(of)}`,
        uses: of.accounts + of.scopes,
        leaves: leavesOf(of, named),
      };
    })
    .sort((a, b) => Number(b.tone === 'good') - Number(a.tone === 'good') || b.uses - a.uses);

  const unused = versions.filter(({ version }) => !shown.some((one) => one.version === version)).length;

  return { versions: shown, unused };
}

/** The more versions are in use, the fewer users each one names. */
function countNamed(versions: number): number {
  if (versions <= 2) return 5;
  return versions <= 5 ? 3 : 1;
}

function toneOf(state: VersionState | undefined, isNewest: boolean): Tone {
  if (isNewest) return 'good';
  return state === 'Disabled' || state === 'Expired' ? 'bad' : 'warn';
}

function wordOf(state: VersionState | undefined, isNewest: boolean): string {
  if (isNewest) return 'newest';
  if (state === 'Usable') return 'older';
  return state?.toLowerCase() ?? 'not in the vault';
}

function leavesOf({ accounts, scopes, first }: Uses, named: number): readonly FlowUse[] {
  const uses = accounts + scopes;
  if (uses === 0) return [{ name: 'nothing yet', account: undefined, uses: 0 }];
  // Name a single further use instead of showing "1 more".
  const names = first.length === uses && uses <= named + 1 ? first : first.slice(0, named);
  const leaves = names.map((name): FlowUse => ({ name, account: name.split('/')[0], uses: 1 }));
  const rest = uses - names.length;
  return rest === 0 ? leaves : [...leaves, { name: `${digits(rest)} more`, account: undefined, uses: rest }];
}

function usesWords({ accounts, scopes }: Uses): string {
  const scoped = count(scopes, 'scope');
  if (scopes === 0) return count(accounts, 'account');
  return accounts === 0 ? scoped : `${count(accounts, 'account')}, ${scoped}`;
}

/** Rows of a version. Its box has a height of two. */
export function rowsOf({ leaves }: Pick<FlowVersion, 'leaves'>): number {
  return Math.max(2, leaves.length);
}

/** From the key to each of its versions. */
export function bandsToVersions(versions: readonly FlowVersion[]): readonly Band[] {
  let above = 0;
  return versions.map((version) => {
    const { uses, tone } = version;
    const to = above + rowsOf(version) / 2;
    above += rowsOf(version);
    return { to, uses, tone };
  });
}

/** From a version to each of its users. */
export function bandsToUses({ leaves, tone }: FlowVersion): readonly Band[] {
  const above = (rowsOf({ leaves }) - leaves.length) / 2;
  return leaves.map(({ uses }, index) => ({ to: above + index + 0.5, uses, tone }));
}
