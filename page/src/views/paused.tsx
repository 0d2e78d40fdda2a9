import type { ComponentChildren } from 'preact';
import { Icon } from '../ui/icon.tsx';
import { Time } from '../ui/time.tsx';

interface Paused {
  readonly reason: string;
  readonly by: { readonly objectId: string; readonly name?: string | undefined };
  readonly since: string;
  readonly until?: string | undefined;
}

interface PausedNoticeProps {
  readonly paused: Paused | undefined;
  readonly label: string;
  /** The action that resumes it. */
  readonly children: ComponentChildren;
}

export function PausedNotice({ paused, label, children }: PausedNoticeProps) {
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
        <p class="muted small-text" title={paused.by.objectId}>
          By {paused.by.name ?? paused.by.objectId}
        </p>
        {children}
      </div>
    </div>
  );
}
