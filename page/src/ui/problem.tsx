import type { Problem } from '../api/client.ts';
import { Icon } from './icon.tsx';
import { Prose } from './prose.tsx';

/** A refusal or failure, with its next step. */
export function ProblemCard({ problem }: { readonly problem: Problem }) {
  return (
    <div class="notice tone-bad">
      <Icon tone="bad" />
      <div>
        <div role="alert">
          <p class="strong">{problem.title}</p>
          {problem.detail !== problem.title && (
            <p>
              <Prose text={problem.detail} />
            </p>
          )}
          <p>
            <span class="label">Next step</span> <Prose text={problem.nextStep} />
          </p>
          <p class="muted small-text">
            {problem.reason}
            {problem.status ? ` · ${problem.status}` : ''}
          </p>
        </div>
        {/* No alert: each poll brings a new one, which a screen reader would read out. */}
        {problem.correlationId && <p class="muted small-text">{problem.correlationId}</p>}
      </div>
    </div>
  );
}
