import type { KeySummary } from '../api/types.ts';
import { usePerson } from '../person.ts';
import { Since } from '../ui/time.tsx';

/** Who revoked, and since when. Names are not kept with a key: it is the object id, or "you". */
export function RevocationLine({ revocation }: { readonly revocation: KeySummary['revocation'] }) {
  const me = usePerson();
  if (!revocation) return null;
  const who = (id: string) => (id.toLowerCase() === me.objectId ? 'you' : id);
  return (
    <p class="detail">
      Revoked <Since at={revocation.revokedOn} /> by <span class="mono">{who(revocation.revokedBy)}</span>
      {revocation.restoringBy ? <>; being restored by {who(revocation.restoringBy)}</> : ''}
      <br />
      <small>
        Id <span class="mono">{revocation.id}</span>
      </small>
    </p>
  );
}
