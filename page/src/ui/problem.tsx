import type { Problem } from '../api/client.ts';
import { Icon } from './icon.tsx';
import { Prose } from './prose.tsx';

/** What was refused or failed: what it is, and the next step. */
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
        {/* Another one with each poll: an alert would be read out each time. */}
        {problem.correlationId && <p class="muted small-text">{problem.correlationId}</p>}
      </div>
    </div>
  );
}
