import { count, shortVersion } from '../../../src/keys/short-names.ts';
import type { KeyHistory } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { Section } from '../ui/section.tsx';
import { Time } from '../ui/time.tsx';

type Version = KeyHistory['versions'][number];

const DID: Readonly<Record<Version['changes'][number]['did'], string>> = {
  revoked: 'Disabled by a revocation',
  keptRevoked: 'Disabled, because the key was revoked',
  restored: 'Restored',
  retired: 'Retired',
  unretired: 'Enabled after retirement',
  disabled: 'Disabled',
  enabled: 'Enabled',
};

/** What the audit trail has about each version of a key. */
export function KeyHistorySection({ vault, name }: { readonly vault: string; readonly name: string }) {
  const history = usePoll<KeyHistory>(
    `/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}/history`,
    300_000,
  );
  const { data } = history;

  return (
    <Section title="History of the versions" of={history}>
      {data && (
        <>
          <table class="cards">
            <caption class="hidden">Creation, moves and changes of each version, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Version</th>
                <th scope="col">Created by</th>
                <th scope="col">First account</th>
                <th scope="col">Last account</th>
                <th scope="col">Moved by the app</th>
                <th scope="col">Moved by Azure (observed)</th>
                <th scope="col">Late</th>
                <th scope="col">Changes</th>
              </tr>
            </thead>
            <tbody>
              {data.versions.map((version) => (
                <VersionRow key={version.version} of={version} />
              ))}
            </tbody>
          </table>
          <p class="muted">
            {data.since ? (
              <>
                According to the audit trail since <Time at={data.since} />. Earlier events are unknown.
              </>
            ) : (
              'The audit trail has no records: earlier events are unknown.'
            )}
          </p>
        </>
      )}
    </Section>
  );
}

function VersionRow({ of }: { readonly of: Version }) {
  const { version, created, first, last, moved, pickedUp, perhapsMoved, late, complete, changes } = of;

  return (
    <tr>
      <th scope="row" class="mono" title={version}>
        {shortVersion(version)}
      </th>
      <td data-label="Created by">{created ? whoOf(created) : 'unknown'}</td>
      <td data-label="First account">
        <Move of={first} complete={complete} />
      </td>
      <td data-label="Last account">
        <Move of={last} complete={complete} />
      </td>
      <td data-label="Moved by the app">
        <span>
          {countOf(moved, complete)}
          {perhapsMoved > 0 && (
            <small class="block">{`${count(perhapsMoved, 'move')} by the app or another writer`}</small>
          )}
        </span>
      </td>
      <td data-label="Moved by Azure (observed)">{countOf(pickedUp, complete)}</td>
      <td data-label="Late" title={late?.map(nameOf).join(', ')}>
        {late ? countOf(late.length, complete) : 'unknown'}
      </td>
      <td data-label="Changes">
        <span>
          {changes.map((change) => (
            <small key={`${change.did}${change.on}`} class="block">
              {DID[change.did]} <Time at={change.on} /> by {whoOf(change)}
            </small>
          ))}
        </span>
      </td>
    </tr>
  );
}

function Move({ of, complete }: { readonly of: Version['first']; readonly complete: boolean }) {
  if (!of) return complete ? 'none' : 'unknown';
  return (
    <span>
      {nameOf(of)} <Time at={of.on} />
    </span>
  );
}

function nameOf({ account, scope }: NonNullable<Version['first']>): string {
  const name = account.split('/').at(-1) ?? '';
  return scope === undefined ? name : `${name}/${scope}`;
}

function whoOf({ by }: Pick<Version['changes'][number], 'by'>): string {
  return by ? (by.name ?? by.objectId ?? 'unknown') : 'the app';
}

/** A count is a minimum if the app did not read the whole life of the version. */
function countOf(known: number, complete: boolean): string {
  if (complete) return String(known);
  return known === 0 ? 'unknown' : `${known} or more`;
}
