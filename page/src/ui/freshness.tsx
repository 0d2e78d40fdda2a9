import { useEffect, useState } from 'preact/hooks';
import type { Polled } from '../api/use-poll.ts';
import { Icon } from './icon.tsx';
import { ProblemCard } from './problem.tsx';
import { ago } from './time.tsx';

/** Renders again from time to time, so that "3 min ago" stays correct. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = window.setInterval(() => !document.hidden && setNow(new Date()), 5_000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

/** Whether data is older than it should be, or could not be read again. */
export function isOld({ readOn, problem, everyMs }: Polled<unknown>, now: Date): boolean {
  if (!readOn) return false;
  return problem !== undefined || now.getTime() - readOn.getTime() > Math.max(3 * everyMs, 60_000);
}

interface FreshnessProps {
  readonly of: Polled<unknown>;
  /** Whether the view shows its own age: then the part shows its age only if it is unread or old. */
  readonly isPart?: boolean;
}

/** The age of data, as a warning if it is older than it should be. */
export function Freshness({ of, isPart = false }: FreshnessProps) {
  const now = useNow();
  const { readOn, problem } = of;
  if (!readOn) return <p class="freshness">{problem ? 'Not read.' : 'Reading …'}</p>;
  if (!isOld(of, now)) return isPart ? null : <p class="freshness">Read {ago(readOn, now)}</p>;
  return (
    <p class="freshness old">
      <Icon tone="warn" /> Old: read {ago(readOn, now)}
    </p>
  );
}

/** The problem of the latest request, if there is one. The page shows the data read before below it. */
export function PollProblem({ of }: { readonly of: Polled<unknown> }) {
  return of.problem ? <ProblemCard problem={of.problem} /> : null;
}
