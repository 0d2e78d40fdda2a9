import type { KeyStatusResponse, RevokeResponse } from '../../api/types.ts';
import { shortVersion } from '../../names.ts';
import { Badge } from '../../ui/badge.tsx';
import { Time } from '../../ui/time.tsx';
import type { Tone } from '../../ui/tone.ts';

type Usability = KeyStatusResponse['versions'][number]['state'] | RevokeResponse['versions'][number]['after'];

export const USABILITY: Readonly<Record<Usability, readonly [Tone, string]>> = {
  Usable: ['good', 'Usable'],
  Disabled: ['bad', 'Disabled'],
  NotYetActive: ['info', 'Not yet active'],
  Expired: ['warn', 'Expired'],
  Unknown: ['warn', 'Not known'],
};

interface VersionsProps {
  readonly versions: KeyStatusResponse['versions'];
  readonly newestUsable: string | undefined;
}

/** The versions of a key as they are now, newest first. */
export function Versions({ versions, newestUsable }: VersionsProps) {
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
        </tr>
      </thead>
      <tbody>
        {ordered.map(({ version, state, revoked, createdOn, expiresOn }) => (
          <tr key={version}>
            <th scope="row" class="mono" title={version}>
              {shortVersion(version)}
              {version === newestUsable ? ' (newest)' : ''}
            </th>
            <td data-label="State">
              <span class="row">
                <Badge tone={USABILITY[state][0]}>{USABILITY[state][1]}</Badge>
                {revoked && <Badge tone="bad">By the revocation</Badge>}
              </span>
            </td>
            <td data-label="Created">
              <Time at={createdOn} />
            </td>
            <td data-label="Expires">{expiresOn ? <Time at={expiresOn} /> : 'never'}</td>
          </tr>
        ))}
      </tbody>
    </table>
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
