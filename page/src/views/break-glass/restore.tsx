import type { ApprovalRequest, KeyStatusResponse, RestoreResponse } from '../../api/types.ts';
import { useApi } from '../../api/use-poll.ts';
import { count, shortId } from '../../names.ts';
import { has, usePerson } from '../../person.ts';
import { Icon } from '../../ui/icon.tsx';
import { Done } from './answer.tsx';
import type { Call } from './use-call.ts';
import { VersionReports } from './versions.tsx';
import { Why, whyOf } from './why.tsx';

export type RestoreAnswer = RestoreResponse | { readonly reason: 'ApprovalNeeded'; readonly approval: ApprovalRequest };

interface RestoreProps {
  readonly vault: string;
  readonly name: string;
  readonly revocation: NonNullable<KeyStatusResponse['revocation']>;
  readonly changed: () => void;
  readonly call: Call<RestoreAnswer>;
}

/** Gives back what the revocation disabled, and nothing else; by somebody else than who revoked. */
export function Restore({ vault, name, revocation, changed, call }: RestoreProps) {
  const api = useApi();
  const me = usePerson();
  const path = `/api/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}/restore`;
  const submit = (event: Event) => {
    event.preventDefault();
    const body = { ...whyOf(event.currentTarget as HTMLFormElement), revocation: revocation.id };
    void call.run(async () => (await api.post<RestoreAnswer>(path, body)).body).then(changed);
  };
  if (!has(me, 'CmkKey.Restore')) {
    return <p>Restoring takes the app role CmkKey.Restore, which you do not have. Get somebody who has it.</p>;
  }
  return (
    <>
      {revocation.revokedBy.toLowerCase() === me.objectId && (
        <div class="notice tone-info">
          <Icon tone="info" />
          <p>You revoked this key. Where dual control is on, somebody else has to restore it: the app refuses you.</p>
        </div>
      )}
      <p>
        It enables exactly what revocation <span class="mono">{revocation.id}</span> disabled.
      </p>
      <form onSubmit={submit}>
        <Why what="restore" />
        <button type="submit" class="primary" disabled={call.isRunning}>
          {call.isRunning ? 'Restoring …' : `Restore ${vault}/${name}`}
        </button>
      </form>
    </>
  );
}

interface RestoreAnsweredProps {
  readonly answer: RestoreAnswer;
  /** Whether the key was seen with a revocation since. */
  readonly isUndone?: boolean;
}

/** What a restore came to. */
export function RestoreAnswered({ answer, isUndone = false }: RestoreAnsweredProps) {
  if (isUndone && answer.reason === 'Restored')
    return <Done tone="none" title="You restored the key. It has been revoked again since." warnings={[]} />;
  if (answer.reason === 'ApprovalNeeded') {
    const { needed, approvedBy } = answer.approval;
    return (
      <Done tone="info" title="It waits for approval; nothing was changed." warnings={[]}>
        <p>
          {count(needed - approvedBy.length, 'other person has', 'other people have')} to approve it, here or by its id{' '}
          <span class="mono">{answer.approval.id}</span>. With the last approval it is carried out.
        </p>
      </Done>
    );
  }
  const notReady = answer.accounts.filter(({ ready }) => ready !== true);
  const title = answer.reason === 'Restored' ? 'The key is restored.' : 'There was nothing to restore.';
  return (
    <Done tone="good" title={title} warnings={answer.warnings}>
      <p>
        {answer.reason === 'Restored'
          ? 'What the revocation disabled is enabled again, and its record is closed. The file services serve again as Storage notices.'
          : 'No version carries the record of this revocation: it has been restored already, or was never there.'}
        {answer.recovered ? ' The key had been deleted, and was recovered first.' : ''}
      </p>
      <VersionReports versions={answer.versions} />
      {notReady.length > 0 && (
        <p>
          Not ready to use the key:{' '}
          {notReady.map(({ account, missing }) => `${shortId(account)} (${missing.join(', ')})`).join('; ')}
        </p>
      )}
      <p>Audit trail: {answer.audit}.</p>
    </Done>
  );
}
