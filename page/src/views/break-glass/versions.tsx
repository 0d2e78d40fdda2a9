import { shortVersion } from '../../../../src/keys/short-names.ts';
import type { KeyStatusResponse, RevokeResponse } from '../../api/types.ts';
import { usersOf } from '../../names.ts';
import { Badge } from '../../ui/badge.tsx';
import { Time } from '../../ui/time.tsx';
import type { Tone } from '../../ui/tone.ts';

type Version = KeyStatusResponse['versions'][number];
type Usability = Version['state'] | RevokeResponse['versions'][number]['after'];

export const USABILITY: Readonly<Record<Usability, readonly [Tone, string]>> = {
  Usable: ['good', 'Usable'],
  Disabled: ['bad', 'Disabled'],
  NotYetActive: ['info', 'Not yet active'],
  Expired: ['warn', 'Expired'],
  Unknown: ['warn', 'Not known'],
};

/** The versions of a key as they are now, newest first. */
export function VersionTable({ versions, newestUsable }: Pick<KeyStatusResponse, 'versions' | 'newestUsable'>) {
  const ordered = [...versions].sort((a, b) => (a.createdOn < b.createdOn ? 1 : -1));

  return (
    <table class="cards">
      <caption class="hidden">Versions of the key, newest first</caption>
      <thead>
        <tr>
          <th scope="col">Version</th>
          <th scope="col">State</th>
          <th scope="col">Created</th>
          <th scope="col">Expires</th>
          <th scope="col">Used by</th>
        </tr>
      </thead>
      <tbody>
        {ordered.map((version) => (
          <VersionRow key={version.version} of={version} isNewest={version.version === newestUsable} />
        ))}
      </tbody>
    </table>
  );
}

function VersionRow({ of, isNewest }: { readonly of: Version; readonly isNewest: boolean }) {
  const { version, state, revokedOn, updatedOn, createdOn, activeFrom, expiresOn, users } = of;

  return (
    <tr>
      <th scope="row" class="mono" title={version}>
        {shortVersion(version)}
        {isNewest ? ' (newest)' : ''}
      </th>
      <td data-label="State">
        <span>
          <Badge tone={USABILITY[state][0]}>{USABILITY[state][1]}</Badge>{' '}
          {revokedOn ? (
            <small>
              revoked <Time at={revokedOn} />
            </small>
          ) : (
            state === 'Disabled' &&
            updatedOn && (
              <small>
                since <Time at={updatedOn} /> or longer
              </small>
            )
          )}
        </span>
      </td>
      <td data-label="Created">
        <span>
          <Time at={createdOn} />
          {activeFrom > createdOn && (
            <small class="block">
              active from <Time at={activeFrom} />
            </small>
          )}
        </span>
      </td>
      <td data-label="Expires">{expiresOn ? <Time at={expiresOn} /> : 'never'}</td>
      <td data-label="Used by">{users ? usersOf({ ...users, complete: true }) : 'not known'}</td>
    </tr>
  );
}

/** What a call did to each version. */
export function VersionReports({ versions }: { readonly versions: RevokeResponse['versions'] }) {
  return (
    <ul class="items">
      {versions.map(({ version, before, after, error }) => (
        <li key={version}>
          <span class="row">
            <span class="mono">{shortVersion(version)}</span>
            {before !== after && <Badge tone="none">{USABILITY[before][1]}</Badge>}
            {before !== after && <span>became</span>}
            <Badge tone={USABILITY[after][0]}>{USABILITY[after][1]}</Badge>
            {error && <span>{error}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
