import { createHash } from 'node:crypto';
import { parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import { DAY_MS, hasBeenSince } from '../time/spans.ts';
import type { Account, Scope } from './account.ts';
import type { FleetAccount, FleetChange, FleetUse, UseRef } from './fleet-index.ts';
import { observe, type ReadUse } from './observe.ts';
import { useOfAccount, useOfScope } from './read-use.ts';
import type { UseRow } from './use-row.ts';

/** Whether the app moves the uses of a key: the pass writes the rows of these, with their results. */
type IsManaged = (key: string) => boolean;

/** The row of a use that the index lacks; undefined: it uses no key of Key Vault, or the key's name is invalid. */
function rowOfRead(read: ReadUse): UseRow | undefined {
  const seen = observe(undefined, read, []);
  return seen.outdated || !seen.row || !parseKeyIdentifier(seen.row.key) ? undefined : seen.row;
}

/**
 * Compares an account, as a list or a GET shows it, with its row. An unchanged account is written once a day.
 *
 * @returns changes of the account's row, and of its own use if the app does not move it
 */
export function changesOfAccount(
  account: Account,
  known: FleetAccount | undefined,
  { startedOn, isManaged }: { startedOn: Date; isManaged: IsManaged },
): FleetChange[] {
  const read = useOfAccount(account, startedOn);
  const use = rowOfRead(read);
  const { id, location, tags } = account;
  const own = digestOf([id, location, tags, read.use, read.about.identity]);
  const isWritten = hasBeenSince(known?.writtenOn, startedOn.getTime() - DAY_MS, startedOn);
  if (isWritten && known?.own === own) return [];
  const isLeft = known?.key !== undefined && !(use && sameKeyName(use.key, known.key)) && !isManaged(known.key);
  return [
    ...(use && !isManaged(use.key) ? [{ put: 'use' as const, use }] : []),
    ...(isLeft && known?.key ? [{ drop: 'use' as const, of: { key: known.key, account: id } }] : []),
    {
      put: 'account',
      account: {
        ...{ account: id, location, tags, own, writtenOn: startedOn.toISOString() },
        ...(use ? { key: use.key } : {}),
        // A merge keeps the stored scopes, since `scopes` is absent.
        scopeUses: [],
      },
    },
  ];
}

/** The same for the encryption scopes of an account. @param startedOn when the list of them began */
export function changesOfScopes(
  known: FleetAccount,
  scopes: readonly Scope[],
  about: ReadUse['about'],
  { startedOn, isManaged }: { startedOn: Date; isManaged: IsManaged },
): FleetChange[] {
  const uses = scopes.flatMap(
    (scope) => rowOfRead(useOfScope(scope, { ...about, scope: scope.name }, startedOn)) ?? [],
  );
  const left = known.scopeUses.filter(
    (old) => !isManaged(old.key) && !uses.some((use) => use.scope === old.scope && sameKeyName(use.key, old.key)),
  );
  return [
    ...uses.filter(({ key }) => !isManaged(key)).map((use: FleetUse) => ({ put: 'use' as const, use })),
    ...left.map((use) => ({ drop: 'use' as const, of: { account: known.account, ...use } })),
    {
      put: 'account',
      account: {
        ...known,
        scopes: scopes.length > 0 ? 'some' : 'none',
        scopesReadOn: startedOn.toISOString(),
        scopeUses: uses.map(({ scope = '', key }) => ({ scope, key })),
      },
    },
  ];
}

/** Drops the rows of a deleted account, except the uses that the app moves. */
export function changesOfGoneAccount(known: FleetAccount, isManaged: IsManaged): FleetChange[] {
  const uses: UseRef[] = [...(known.key ? [{ key: known.key }] : []), ...known.scopeUses].map((use) => ({
    account: known.account,
    ...use,
  }));
  return [
    ...uses.filter(({ key }) => !isManaged(key)).map((of) => ({ drop: 'use' as const, of })),
    { drop: 'account', account: known.account },
  ];
}

/** The scopes of an account are listed once a day. */
export function isScopesDue({ scopesReadOn }: Pick<FleetAccount, 'scopesReadOn'>, now: Date): boolean {
  return !hasBeenSince(scopesReadOn, now.getTime() - DAY_MS, now);
}

function digestOf(of: unknown): string {
  return createHash('sha256').update(JSON.stringify(of)).digest('base64url').slice(0, 16);
}
