import { Icon } from '../ui/icon.tsx';
import { Time } from '../ui/time.tsx';

interface Paused {
  readonly reason: string;
  readonly by: string;
  readonly since: string;
  readonly until?: string | undefined;
}

export function PausedNotice({ paused, label }: { readonly paused: Paused | undefined; readonly label: string }) {
  if (!paused) return null;
  return (
    <div class="notice tone-info">
      <Icon tone="none" />
      <div>
        <p class="strong">Moves onto {label} are paused.</p>
        <p>
          “{paused.reason}”, since <Time at={paused.since} />
          {paused.until ? (
            <>
              , until <Time at={paused.until} />
            </>
          ) : (
            ', until an operator resumes'
          )}
          . Break-glass is not paused.
        </p>
        <p class="muted small-text">By {paused.by}</p>
      </div>
    </div>
  );
}
