import { useEffect, useRef, useState } from 'preact/hooks';
import type { RevokeResponse } from '../../api/types.ts';
import { useApi } from '../../api/use-poll.ts';
import { has, usePerson } from '../../person.ts';
import { duration, Time } from '../../ui/time.tsx';
import { Done, Refused } from './answer.tsx';
import { BlastRadius } from './blast-radius.tsx';
import { type Call, useCall } from './use-call.ts';
import { VersionReports } from './versions.tsx';
import { Why, whyOf } from './why.tsx';

interface RevokeProps {
  readonly vault: string;
  readonly name: string;
  /** Whether a revocation is open already: then it is for what that one has left. */
  readonly isRevoked: boolean;
  readonly changed: () => void;
  readonly call: Call<RevokeResponse>;
}

/** First what would stop, then why, then the key once more by hand. Nothing waits for the first: it may be slow. */
export function Revoke({ vault, name, isRevoked, changed, call }: RevokeProps) {
  const api = useApi();
  const me = usePerson();
  const dryRun = useCall<RevokeResponse>();
  const [isAsked, setAsked] = useState(false);
  const [confirm, setConfirm] = useState('');
  const first = useRef<HTMLHeadingElement>(null);
  // The button that was pressed is gone.
  useEffect(() => {
    if (isAsked) first.current?.focus();
  }, [isAsked]);
  const key = `${vault}/${name}`;
  const path = `/api/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}/revoke`;
  const look = () => void dryRun.run(async () => (await api.post<RevokeResponse>(`${path}?dryRun=true`)).body);
  // The key's versions go off one by one while the call runs: the status shows it.
  useEffect(() => {
    if (!call.isRunning) return;
    const timer = window.setInterval(changed, 700);
    return () => window.clearInterval(timer);
  }, [call.isRunning, changed]);
  const submit = (event: Event) => {
    event.preventDefault();
    const body = { ...whyOf(event.currentTarget as HTMLFormElement), confirm: confirm.trim() };
    void call
      .run(async () => (await api.post<RevokeResponse>(path, body)).body)
      .then((isDone) => {
        changed();
        if (!isDone) return;
        setConfirm('');
        setAsked(false);
      });
  };
  const begin = () => {
    setAsked(true);
    look();
  };
  if (!has(me, 'CmkKey.Revoke')) {
    return <p>Revoking takes the app role CmkKey.Revoke, which you do not have. Get somebody who has it.</p>;
  }
  return (
    <>
      {!isAsked && (
        <>
          <p>
            {isRevoked &&
              'For a version that somebody has enabled by hand, or when the first answer said that it was not complete. '}
            It begins with a dry run: what would stop. Nothing is changed by it.
          </p>
          <button type="button" class={isRevoked ? undefined : 'primary'} onClick={begin}>
            See what would stop
          </button>
        </>
      )}
      {isAsked && (
        <>
          <h3 ref={first} tabIndex={-1}>
            1. What would stop
          </h3>
          {dryRun.isRunning && <p role="status">Looking for what uses the key … Revoking need not wait for it.</p>}
          <Refused call={dryRun} />
          {dryRun.answer && <BlastRadius dependents={dryRun.answer.dependents} />}
          {!dryRun.isRunning && (
            <p class="row">
              <button type="button" class="small" onClick={look}>
                Look again
              </button>
              {dryRun.answeredOn && (
                <span class="muted small-text">
                  As it was <Time at={dryRun.answeredOn} />
                </span>
              )}
            </p>
          )}
          <h3>2. Revoke it</h3>
          <form onSubmit={submit}>
            <Why what="revocation" />
            <label class="field">
              <span>
                Type <span class="mono">{key}</span> to confirm
              </span>
              <input
                name="confirm"
                class="mono"
                autocomplete="off"
                autocapitalize="off"
                spellcheck={false}
                required
                value={confirm}
                onInput={(event) => setConfirm(event.currentTarget.value)}
              />
            </label>
            <div class="actions">
              <button type="submit" class="danger" disabled={call.isRunning || confirm.trim() !== key}>
                {call.isRunning ? 'Revoking …' : `Revoke ${key}`}
              </button>
              <span class="muted">It takes seconds, and waits for nobody.</span>
            </div>
          </form>
        </>
      )}
    </>
  );
}

/**
 * What a revocation came to.
 *
 * @param isUndone whether the key was seen without a revocation since
 */
export function Revoked({ answer, isUndone }: { readonly answer: RevokeResponse; readonly isUndone: boolean }) {
  if (isUndone) return <Done tone="none" title="You revoked the key. It has been restored since." warnings={[]} />;
  const off = answer.versions.filter(({ before, after }) => before !== after).length;
  return (
    <Done tone="good" title="The key is revoked." warnings={answer.warnings}>
      <p>
        Every version is disabled, as a fresh read proves: {off} of {answer.versions.length} by this call, in{' '}
        {answer.elapsedMs < 1000 ? `${Math.round(answer.elapsedMs)} ms` : duration(answer.elapsedMs / 1000)}. The file
        services follow as Storage notices; each is shown as it goes dark.
      </p>
      <VersionReports versions={answer.versions} />
      <p>Audit trail: {answer.audit}. Somebody else than you gives it back.</p>
    </Done>
  );
}
