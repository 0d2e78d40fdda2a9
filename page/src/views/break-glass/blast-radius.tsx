import { count, inWords, shortId } from '../../../../src/keys/short-names.ts';
import type { RevokeResponse } from '../../api/types.ts';
import { Icon } from '../../ui/icon.tsx';

/** Maximum number of lines. The figure above counts all. */
const MOST = 200;
/** A longer list is folded, because on a phone it would push the next step out of reach. */
const MOST_OPEN = 12;

/** What stops while the key is revoked, as far as the app can read it. */
export function BlastRadius({ dependents }: { readonly dependents: RevokeResponse['dependents'] }) {
  const { accounts, otherResources, selfLockout, unread, complete, outOfSight } = dependents;
  const shares = accounts.reduce((sum, account) => sum + account.shares.length, 0);
  const scopes = accounts.reduce((sum, account) => sum + account.scopes.length, 0);

  return (
    <>
      <p class="strong">
        {count(accounts.length, 'storage account')} with {count(shares, 'file share')}
        {scopes > 0 ? ` and ${count(scopes, 'encryption scope')}` : ''}
        {otherResources.length > 0 ? `, and ${count(otherResources.length, 'other resource')}` : ''} would stop.
      </p>
      {selfLockout === true && (
        <div class="notice tone-bad">
          <Icon tone="bad" />
          <p>
            The app&apos;s own storage uses this key: revoking it locks the app out. Restore would need the command
            line.
          </p>
        </div>
      )}
      {selfLockout === 'unknown' && (
        <div class="notice tone-warn">
          <Icon tone="warn" />
          <p>
            The app could not read whether its own storage uses this key. If it does, revoking it locks the app out.
          </p>
        </div>
      )}
      {!complete && (
        <div class="notice tone-warn">
          <Icon tone="warn" />
          <div>
            <p class="strong">There may be more: not everything could be read.</p>
            <ul>
              {unread.map(({ what, reason, detail }) => (
                <li key={`${what} ${reason}`}>
                  {what}: {inWords(reason)}. {detail}
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
      {outOfSight && <p class="muted small-text">{outOfSight}</p>}
      {accounts.length + otherResources.length > MOST_OPEN ? (
        <details>
          <summary>Which</summary>
          <Stopped {...dependents} />
        </details>
      ) : (
        <Stopped {...dependents} />
      )}
    </>
  );
}

function Stopped({ accounts, otherResources }: RevokeResponse['dependents']) {
  return (
    <>
      <ul class="items">
        {accounts.slice(0, MOST).map((account) => (
          <li key={account.id} class="tight">
            <span class="strong">{account.name}</span>{' '}
            <span class="muted">
              {account.region}
              {account.shares.length > 0 ? ` · ${account.shares.map(({ name }) => name).join(', ')}` : ' · no share'}
              {account.scopes.length > 0 ? ` · scopes ${account.scopes.map(({ name }) => name).join(', ')}` : ''}
              {account.notCutOff.length > 0
                ? ` · stays readable: ${account.notCutOff.map((part) => (part.startsWith('scope ') ? part : `${part}s`)).join(', ')}`
                : ''}
            </span>
          </li>
        ))}
        {otherResources.map(({ id, type, whenRevoked }) => (
          <li key={id}>
            <span class="strong">{shortId(id)}</span> <span class="muted">{type}</span>
            {whenRevoked && <p class="small-text">{whenRevoked}</p>}
          </li>
        ))}
      </ul>
      {accounts.length > MOST && <p class="muted">… and {count(accounts.length - MOST, 'more account')}.</p>}
    </>
  );
}
