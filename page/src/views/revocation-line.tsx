import { type Names, usePerson } from '../person.ts';
import { Since } from '../ui/time.tsx';

interface RevocationLineProps {
  readonly revocation:
    | {
        readonly id: string;
        readonly revokedOn: string;
        readonly revokedBy: string;
        readonly restoringBy?: string | undefined;
      }
    | undefined;
  /** Those that are known: they are not kept with a revocation. */
  readonly names?: Names;
}

/** Who revoked, and since when. */
export function RevocationLine({ revocation, names }: RevocationLineProps) {
  if (!revocation) return null;
  const { id, revokedOn, revokedBy, restoringBy } = revocation;
  return (
    <p class="detail">
      Revoked <Since at={revokedOn} /> by <Who id={revokedBy} names={names} />
      {restoringBy && (
        <>
          ; being restored by <Who id={restoringBy} names={names} />
        </>
      )}
      <br />
      <small>
        Id <span class="mono">{id}</span>
      </small>
    </p>
  );
}

/** By name too, where it is known; the object id is what is sure. */
function Who({ id, names }: { readonly id: string; readonly names: Names | undefined }) {
  const me = usePerson();
  const name = id.toLowerCase() === me.objectId ? `you (${me.name})` : names?.get(id.toLowerCase());
  return (
    <>
      {name && `${name}, `}
      <span class="mono">{id}</span>
    </>
  );
}
