import { count } from '../../../../src/keys/short-names.ts';
import { useApi } from '../../api/use-poll.ts';
import { Act } from './act.tsx';

interface ResumeProps {
  /** `<vault>/<key>`; undefined: all keys. */
  readonly label: string | undefined;
  readonly isPaused: boolean;
  /** Numbers of pending and of failed moves. */
  readonly waiting: number;
  readonly failed: number;
  readonly changed: () => void;
}

/** Ends a pause, or continues a rotation that a failed stage holds. Retries failed moves at once. */
export function Resume({ label, isPaused, waiting, failed, changed }: ResumeProps) {
  const api = useApi();
  const subject = label ?? 'all keys';

  const moves = [
    waiting > 0 &&
      `${count(waiting, 'pending account or scope moves', 'pending accounts and scopes move')} to the newest version`,
    failed > 0 && `${count(failed, 'failed move is', 'failed moves are')} retried`,
  ].filter(Boolean);

  return (
    <Act
      title={`${isPaused ? 'Resume' : 'Retry'} ${subject}`}
      send={async (why) => (await api.post('/api/resume', { ...why, ...(label ? { key: label } : {}) })).body}
      changed={changed}
      done={isPaused ? 'Resumed. Moves begin within seconds.' : 'The app retries now. Progress shows here.'}
    >
      {isPaused && 'The pause ends. '}
      {label && 'If a failed canary or wave holds the rotation, all other accounts move all the same. '}
      {moves.length > 0 ? `At once: ${moves.join(', ')}.` : 'No move is pending now.'}
    </Act>
  );
}
