import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Polled } from '../../api/use-poll.ts';
import { Icon } from '../../ui/icon.tsx';
import { Done, Refused } from './answer.tsx';
import type { Call } from './use-call.ts';

interface AnswersProps<Revoked, Restored> {
  readonly revoke: Call<Revoked>;
  readonly restore: Call<Restored>;
  readonly status: Pick<Polled<unknown>, 'askedOn'>;
  /** By the status, not by the calls. */
  readonly isRevoked: boolean;
  /** The result of a call; `isUndone` if the status has shown the opposite since. */
  readonly revoked: (answer: Revoked, isUndone: boolean) => ComponentChildren;
  readonly restored: (answer: Restored, isUndone: boolean) => ComponentChildren;
}

/** The results of the calls. A new one scrolls into view, since it is above the pressed button. */
export function Answers<Revoked, Restored>({
  revoke,
  restore,
  status,
  isRevoked,
  revoked,
  restored,
}: AnswersProps<Revoked, Restored>) {
  const shown = useRef<HTMLDivElement>(null);

  // The button that started the step-up sign-in disappears with it.
  const news =
    revoke.answer ?? revoke.problem ?? restore.answer ?? restore.problem ?? (revoke.isProved || restore.isProved);
  useEffect(() => {
    if (news) shown.current?.focus();
  }, [news]);

  const isSeenSince = ({ answeredOn }: Pick<Call<unknown>, 'answeredOn'>) =>
    answeredOn !== undefined && status.askedOn !== undefined && status.askedOn > answeredOn;

  return (
    <div ref={shown} tabIndex={-1} class="answers">
      <Refused call={revoke} />
      {isRevoked || isUnbelieved(restore) ? <Refused call={restore} /> : restore.problem && <Over />}
      {revoke.answer && revoked(revoke.answer, isSeenSince(revoke) && !isRevoked)}
      {restore.answer && restored(restore.answer, isSeenSince(restore) && isRevoked)}
    </div>
  );
}

/** A record that does not count is not an open revocation, but versions may be disabled all the same. */
function isUnbelieved({ problem }: Pick<Call<unknown>, 'problem'>): boolean {
  return problem?.reason === 'RevocationUnbelieved';
}

/** For an operator whose restore got no answer, although the key is restored now. */
function Over() {
  return (
    <Done tone="none" title="It is not revoked any more." warnings={[]}>
      <p>Your call restored it although its answer was lost, or another operator did. The audit trail says who.</p>
    </Done>
  );
}

/** Says that the revocation replaced the one shown before, unless this user made it. */
export function Another({ than, own }: { readonly than: string; readonly own: string | undefined }) {
  const first = useRef(than);
  if (first.current === than || own === than) return null;
  return (
    <div class="notice tone-warn" role="alert">
      <Icon tone="warn" />
      <p>It has been revoked again since you came here: see by whom, and find out why, before you restore it.</p>
    </div>
  );
}
