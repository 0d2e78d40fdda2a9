import { useEffect, useRef, useState } from 'preact/hooks';
import type { RevokeResponse } from '../../api/types.ts';
import { useApi } from '../../api/use-poll.ts';
import { has, usePerson } from '../../person.ts';
import { Time } from '../../ui/time.tsx';
import { Refused } from './answer.tsx';
import { BlastRadius } from './blast-radius.tsx';
import { type Call, useCall } from './use-call.ts';
import { Why, whyOf } from './why.tsx';

interface RevokeProps {
  readonly vault: string;
  readonly name: string;
  /** Whether a revocation is open already: then the form repeats it for what is still enabled. */
  readonly isRevoked: boolean;
  /** Whether the status was read, or its request failed: then the dry run of an unrevoked key starts by itself. */
  readonly isKnown: boolean;
  readonly changed: () => void;
  readonly call: Call<RevokeResponse>;
}

/**
 * First what would stop, then the reason, then the typed name of the key. Nothing waits for the first, which may be
 * slow.
 */
export function Revoke({ vault, name, isRevoked, isKnown, changed, call }: RevokeProps) {
  const api = useApi();
  const mayRevoke = has(usePerson(), 'CmkKey.Revoke');
  const dryRun = useCall<RevokeResponse>();
  const [isAsked, setAsked] = useState(false);
  const pressed = useRef(false);
  const first = useRef<HTMLHeadingElement>(null);

  // The pressed button has disappeared.
  useEffect(() => {
    if (isAsked && pressed.current) first.current?.focus();
  }, [isAsked]);

  const path = `/api/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}/revoke`;
  const look = () => dryRun.run(async () => (await api.post<RevokeResponse>(`${path}?dryRun=true`)).body);

  // Versions are disabled one by one while the call runs, which the status shows.
  useEffect(() => {
    if (!call.isRunning) return;
    const timer = window.setInterval(changed, 700);
    return () => window.clearInterval(timer);
  }, [call.isRunning, changed]);

  const revoke = (why: object) =>
    call
      .run(async () => (await api.post<RevokeResponse>(path, why)).body)
      .then((isDone) => {
        changed();
        if (isDone) setAsked(false);
      });

  const begin = () => {
    setAsked(true);
    look();
  };

  useEffect(() => {
    if (isKnown && !isRevoked && !isAsked && mayRevoke) begin();
  }, [isKnown]);

  if (!mayRevoke) {
    return <p>Revoking takes the app role CmkKey.Revoke, which you do not have. Ask a colleague who has it.</p>;
  }

  if (!isAsked) {
    return (
      <>
        <p>
          {isRevoked && 'For a version that was enabled by hand, or after an answer that was not complete. '}
          It begins with a dry run, which shows what would stop and changes nothing.
        </p>
        <button
          type="button"
          class={isRevoked ? undefined : 'primary'}
          onClick={() => {
            pressed.current = true;
            begin();
          }}
        >
          See what would stop
        </button>
      </>
    );
  }

  return (
    <>
      <h3 ref={first} tabIndex={-1}>
        1. What would stop
      </h3>
      {dryRun.isRunning && <p role="status">Looking for what uses the key … Revoking need not wait for it.</p>}
      <Refused call={dryRun} />
      {dryRun.answer && <BlastRadius dependents={dryRun.answer.dependents} />}
      {!dryRun.isRunning && <RepeatDryRun look={look} answeredOn={dryRun.answeredOn} />}
      <h3>2. Revoke it</h3>
      <Confirm vault={vault} name={name} revoke={revoke} isRunning={call.isRunning} />
    </>
  );
}

function RepeatDryRun({ look, answeredOn }: { readonly look: () => void; readonly answeredOn: Date | undefined }) {
  return (
    <p class="row">
      <button type="button" class="small" onClick={look}>
        Repeat the dry run
      </button>
      {answeredOn && (
        <span class="muted small-text">
          As it was <Time at={answeredOn} />
        </span>
      )}
    </p>
  );
}

interface ConfirmProps {
  readonly vault: string;
  readonly name: string;
  readonly isRunning: boolean;
  readonly revoke: (why: object) => void;
}

function Confirm({ vault, name, isRunning, revoke }: ConfirmProps) {
  const [typed, setTyped] = useState('');
  const subject = `${vault}/${name}`;

  // The name alone is enough, since typing is hard on a phone: the vault is above, on the button and in the address.
  const isConfirmed = [name, subject].includes(typed.trim());
  const submit = (event: Event) => {
    event.preventDefault();
    revoke({ ...whyOf(event.currentTarget as HTMLFormElement), confirm: subject });
  };

  return (
    <form onSubmit={submit}>
      <Why />
      <label class="field">
        <span>
          Type <span class="mono">{name}</span> to confirm
        </span>
        <input
          name="confirm"
          class="mono"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          required
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <div class="actions">
        <button type="submit" class="danger" disabled={isRunning || !isConfirmed}>
          {isRunning ? 'Revoking …' : `Revoke ${subject}`}
        </button>
        <span class="muted">It takes seconds, and needs no approval.</span>
      </div>
    </form>
  );
}
