import type { ComponentChildren } from 'preact';
import { has, usePerson } from '../../person.ts';
import { Refused } from '../break-glass/answer.tsx';
import { type Call, useCall } from '../break-glass/use-call.ts';
import { Why, whyOf } from '../break-glass/why.tsx';

interface ActProps {
  /** Verb and object, for the button: `Resume kv-files/files-key`. */
  readonly title: string;
  readonly send: (why: ReturnType<typeof whyOf>) => Promise<unknown>;
  readonly changed: () => void;
  /** The result of the call, once it succeeded. */
  readonly done: string;
  /** Whether the call has no field for a ticket. */
  readonly isWithoutTicket?: boolean;
  /**
   * Called when an operator opens it. Used for a dry run by a separate call; `dryRun` blocks the button until that is
   * answered.
   */
  readonly opened?: () => void;
  readonly dryRun?: Omit<Call<unknown>, 'run'>;
  /** The dry run: the effect that the call would have. */
  readonly children: ComponentChildren;
}

/** An operator's action beside the problem that it solves: its effect, the reason, and the button. */
export function Act({ title, send, changed, done, isWithoutTicket = false, opened, dryRun, children }: ActProps) {
  const me = usePerson();
  const call = useCall<unknown>();

  if (!has(me, 'Cmk.Operate')) return null;

  const submit = (event: Event) => {
    event.preventDefault();
    const why = whyOf(event.currentTarget as HTMLFormElement);
    call.run(() => send(why)).then(changed);
  };

  return (
    <details class="act" onToggle={(event) => event.currentTarget.open && opened?.()}>
      <summary>{title}</summary>
      {dryRun?.problem ? <Refused call={dryRun} /> : <p>{children}</p>}
      <form onSubmit={submit}>
        <Why isWithoutTicket={isWithoutTicket} />
        <button type="submit" disabled={call.isRunning || (dryRun && !dryRun.answer)}>
          {call.isRunning ? 'Sending …' : title}
        </button>
      </form>
      <Refused call={call} />
      {call.answer !== undefined && <p role="status">{done}</p>}
    </details>
  );
}
