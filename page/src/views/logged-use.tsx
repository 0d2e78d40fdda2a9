import { count, shortVersion } from '../../../src/keys/short-names.ts';
import type { KeyStatusResponse } from '../api/types.ts';
import { Time } from '../ui/time.tsx';

type Usage = NonNullable<KeyStatusResponse['usage']>;
type VersionUse = Usage['versions'][number];
type LastUse = VersionUse['wrapped'];

/** Who requested which version last by Key Vault's own log, and which time the log covers. */
export function LoggedUse({ usage, versions }: Pick<KeyStatusResponse, 'usage' | 'versions'>) {
  if (!usage) {
    return <p>Not known: no workspace with the vault’s log is set (CMK_USAGE_WORKSPACE).</p>;
  }

  if (usage.unread !== undefined) return <p>Not known now. {usage.unread}</p>;
  if (!usage.trackedSince) return <p>No entries.</p>;
  return (
    <>
      <Reach usage={usage} />
      <UseTable usage={usage} versions={versions} />
      <p class="muted">Refused requests count too: the client still uses the version.</p>
    </>
  );
}

function Reach({ usage: { trackedSince, trackedUntil, gaps = [] } }: { readonly usage: Usage }) {
  const [latest] = gaps;

  return (
    <>
      <p>
        The vault’s log has entries {trackedSince && <Span from={trackedSince} to={trackedUntil} />}. Use before and
        after is not known.
      </p>
      {latest && (
        <p>
          {count(gaps.length, 'gap')} in the log, the latest <Span {...latest} />: no client called the vault, or the
          log was off.
        </p>
      )}
    </>
  );
}

function Span({ from, to }: { readonly from: string; readonly to: string | undefined }) {
  return (
    <>
      from <Time at={from} />
      {to && (
        <>
          {' '}
          to <Time at={to} />
        </>
      )}
    </>
  );
}

function UseTable({ usage, versions }: { readonly usage: Usage; readonly versions: KeyStatusResponse['versions'] }) {
  const ordered = [...versions].sort((a, b) => (a.createdOn < b.createdOn ? 1 : -1)).map(({ version }) => version);

  // Versions that the key no longer has, and requests without a version, which may concern any.
  const others = usage.versions.flatMap(({ version }) => (version && !ordered.includes(version) ? version : []));
  const useOf = (name: string | undefined) => usage.versions.find(({ version }) => version === name);
  const unnamed = useOf(undefined);
  const named = unnamed && (unnamed.wrapped ?? unnamed.unwrapped ?? unnamed.other);

  return (
    <table class="cards">
      <caption class="hidden">The latest request for each version in the log of the vault</caption>
      <thead>
        <tr>
          <th scope="col">Version</th>
          <th scope="col">Last wrapped</th>
          <th scope="col">Last unwrapped</th>
          <th scope="col">Encrypted, decrypted, signed or verified</th>
        </tr>
      </thead>
      <tbody>
        {ordered.map((version) => (
          <UseRow key={version} name={version} use={useOf(version)} />
        ))}
        {others.map((version) => (
          <UseRow key={version} name={version} note=" (not of this key now)" use={useOf(version)} />
        ))}
        {named && <UseRow note="No version named" use={unnamed} />}
      </tbody>
    </table>
  );
}

interface UseRowProps {
  readonly name?: string;
  readonly note?: string;
  readonly use: VersionUse | undefined;
}

function UseRow({ name, note, use }: UseRowProps) {
  return (
    <tr>
      <th scope="row" class={name === undefined ? undefined : 'mono'} title={name}>
        {name !== undefined && shortVersion(name)}
        {note}
      </th>
      <UseCell label="Wrapped" use={use?.wrapped} />
      <UseCell label="Unwrapped" use={use?.unwrapped} />
      <UseCell label="Otherwise" use={use?.other} />
    </tr>
  );
}

function UseCell({ label, use }: { readonly label: string; readonly use: LastUse }) {
  return (
    <td data-label={label}>
      {use ? (
        <span>
          <Time at={use.on} /> <By use={use} />
        </span>
      ) : (
        'not seen'
      )}
    </td>
  );
}

function By({ use: { objectId, appId } }: { readonly use: NonNullable<LastUse> }) {
  if (!objectId && !appId) return <small>by a client that the log does not name</small>;
  return (
    <small>
      by {!objectId && 'application '}
      <span class="mono">{objectId ?? appId}</span>
    </small>
  );
}
