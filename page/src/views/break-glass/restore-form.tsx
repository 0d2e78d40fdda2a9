import { useApi } from '../../api/use-poll.ts';
import { has, usePerson } from '../../person.ts';
import { Icon } from '../../ui/icon.tsx';
import type { Call } from './use-call.ts';
import { Why, whyOf } from './why.tsx';

interface RestoreFormProps<T> {
  /** What is restored, by name. */
  readonly subject: string;
  /** What it is: `key`. */
  readonly kind: string;
  /** Address of the call. */
  readonly path: string;
  readonly revocation: { readonly id: string; readonly revokedBy: string };
  readonly changed: () => void;
  readonly call: Call<T>;
}

/** Gives back what the revocation took away, and nothing else; by somebody else than who revoked. */
export function RestoreForm<T>({ subject, kind, path, revocation, changed, call }: RestoreFormProps<T>) {
  const api = useApi();
  const me = usePerson();
  const submit = (event: Event) => {
    event.preventDefault();
    const body = { ...whyOf(event.currentTarget as HTMLFormElement), revocation: revocation.id };
    void call.run(async () => (await api.post<T>(path, body)).body).then(changed);
  };
  if (!has(me, 'CmkKey.Restore')) {
    return <p>Restoring takes the app role CmkKey.Restore, which you do not have. Get somebody who has it.</p>;
  }
  return (
    <>
      {revocation.revokedBy.toLowerCase() === me.objectId && (
        <div class="notice tone-info">
          <Icon tone="info" />
          <p>
            You revoked this {kind}. Where dual control is on, somebody else has to restore it: the app refuses you.
          </p>
        </div>
      )}
      <p>
        It gives back exactly what revocation <span class="mono">{revocation.id}</span> took away.
      </p>
      <form onSubmit={submit}>
        <Why what="restore" />
        <button type="submit" class="primary" disabled={call.isRunning}>
          {call.isRunning ? 'Restoring …' : `Restore ${subject}`}
        </button>
      </form>
    </>
  );
}
