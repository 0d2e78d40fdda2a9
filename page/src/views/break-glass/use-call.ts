import { useContext, useRef, useState } from 'preact/hooks';
import { type Problem, ProblemError, toProblem } from '../../api/client.ts';
import { SessionContext } from '../../session-context.ts';

/** A call that changes something: under way, answered or refused. */
export interface Call<T> {
  readonly isRunning: boolean;
  readonly answer: T | undefined;
  /** When it was answered, by the clock of this machine. */
  readonly answeredOn: Date | undefined;
  readonly problem: Problem | undefined;
  /** What the API wants to be shown at the sign-in before it does this; undefined: nothing. */
  readonly stepUp: (() => Promise<void>) | undefined;
  /** Whether that was shown, and the call has not been made again since. */
  readonly isProved: boolean;
  /** Whether it was answered, and not refused. */
  readonly run: (call: () => Promise<T | undefined>) => Promise<boolean>;
}

interface Ended<T> {
  readonly answer?: T;
  readonly answeredOn?: Date;
  readonly problem?: Problem;
  readonly claims?: string;
  readonly isProved?: boolean;
}

export function useCall<T>(): Call<T> {
  const session = useContext(SessionContext);
  const [state, setState] = useState<Ended<T>>({});
  const [isRunning, setRunning] = useState(false);

  // Two presses in one moment are one call.
  const running = useRef(false);
  const run = async (call: () => Promise<T | undefined>): Promise<boolean> => {
    if (running.current) return false;

    running.current = true;
    setRunning(true);
    setState({});

    try {
      const answer = await call();
      setState(answer === undefined ? {} : { answer, answeredOn: new Date() });
      return true;
    } catch (error) {
      const claims = error instanceof ProblemError ? error.claims : undefined;
      setState({ problem: toProblem(error), ...(claims === undefined ? {} : { claims }) });
      return false;
    } finally {
      running.current = false;
      setRunning(false);
    }
  };

  const { claims, isProved = false } = state;

  return {
    isRunning,
    answer: state.answer,
    answeredOn: state.answeredOn,
    problem: state.problem,
    stepUp:
      session && claims !== undefined
        ? async () => {
            // What came of the call meanwhile stays: it may have been done.
            if (await session.signIn(claims)) setState((now) => (now.claims === claims ? { isProved: true } : now));
          }
        : undefined,
    isProved,
    run,
  };
}
