import { useContext, useRef, useState } from 'preact/hooks';
import { type Problem, ProblemError, toProblem } from '../../api/client.ts';
import { SessionContext } from '../../session-context.ts';

/** A call that changes something: in flight, answered or refused. */
export interface Call<T> {
  readonly isRunning: boolean;
  readonly answer: T | undefined;
  /** Time of the answer, by the clock of this machine. */
  readonly answeredOn: Date | undefined;
  readonly problem: Problem | undefined;
  /** Starts the sign-in that the API requires before the call; undefined if it requires none. */
  readonly stepUp: (() => Promise<void>) | undefined;
  /** Whether that sign-in succeeded, and the call has not been repeated since. */
  readonly isProved: boolean;
  /** Sends the call. Resolves with whether it succeeded. */
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

  // Two presses at the same moment are one call.
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
            // Keep a result that came meanwhile, since the call may have taken effect.
            if (await session.signIn(claims)) setState((now) => (now.claims === claims ? { isProved: true } : now));
          }
        : undefined,
    isProved,
    run,
  };
}
