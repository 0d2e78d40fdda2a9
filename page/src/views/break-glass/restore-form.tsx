import type { KeyStatusResponse, RestoreResponse } from '../../api/types.ts';
import { useApi } from '../../api/use-poll.ts';
import { has, usePerson } from '../../person.ts';
import { Icon } from '../../ui/icon.tsx';

import type { Call } from './use-call.ts';
import { Why, whyOf } from './why.tsx';

interface RestoreProps {
  readonly vault: string;
  readonly name: string;
  readonly revocation: NonNullable<KeyStatusResponse['revocation']>;
  readonly changed: () => void;
  readonly call: Call<RestoreResponse>;
}

/** Restores a key: a second person enables what its revocation disabled, and nothing else. */
export function Restore({ vault, name, revocation, changed, call }: RestoreProps) {
  const api = useApi();
  const me = usePerson();

  const submit = (event: Event) => {
    event.preventDefault();
    const body = { ...whyOf(event.currentTarget as HTMLFormElement), revocation: revocation.id };
    const path = `/api/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}/restore`;
    call.run(async () => (await api.post<RestoreResponse>(path, body)).body).then(changed);
  };

  if (!has(me, 'CmkKey.Restore')) {
    return <p>Restoring takes the app role CmkKey.Restore, which you do not have. Ask a colleague who has it.</p>;
  }

  return (
    <>
      {revocation.revokedBy.toLowerCase() === me.objectId && (
        <div class="notice tone-info">
          <Icon tone="info" />
          <p>
            You revoked this key. Where dual control is on, a second person has to restore it: the app rejects your
            call.
          </p>
        </div>
      )}
      <form onSubmit={submit}>
        <Why />
        <button type="submit" class="primary" disabled={call.isRunning}>
          {call.isRunning ? 'Restoring …' : `Restore ${vault}/${name}`}
        </button>
      </form>
    </>
  );
}
