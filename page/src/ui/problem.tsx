import type { Problem } from '../api/client.ts';
import { Icon } from './icon.tsx';
import { Prose } from './prose.tsx';

/** What was refused or failed: what it is, and the next step. */
export function ProblemCard({ problem }: { readonly problem: Problem }) {
  return (
    <div class="notice tone-bad" role="alert">
      <Icon tone="bad" />
      <div>
        <p class="strong">{problem.title}</p>
        <p>{problem.detail}</p>
        <p>
          <span class="label">Next step</span> <Prose text={problem.nextStep} />
        </p>
        <p class="muted small-text">
          {problem.reason}
          {problem.status ? ` · ${problem.status}` : ''}
          {problem.correlationId ? ` · ${problem.correlationId}` : ''}
        </p>
      </div>
    </div>
  );
}
