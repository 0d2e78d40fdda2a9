import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Problem } from '../../api/client.ts';
import { Command } from '../../ui/copy.tsx';
import { Icon } from '../../ui/icon.tsx';
import { ProblemCard } from '../../ui/problem.tsx';
import type { Tone } from '../../ui/tone.ts';
import type { Call } from './use-call.ts';
import { VersionReports } from './versions.tsx';

interface DoneProps {
  readonly tone: Tone;
  readonly title: string;
  readonly warnings: readonly string[];
  readonly children?: ComponentChildren;
}

/** The result of a call, and its meaning. */
export function Done({ tone, title, warnings, children }: DoneProps) {
  return (
    <div class={`notice tone-${tone}`} role="status">
      <Icon tone={tone} />
      <div>
        <p class="strong">{title}</p>
        {children}
        {warnings.length > 0 && (
          <ul>
            {warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}

/** The refusal of a call, with the versions as far as they are known. */
export function Refused({ call }: { readonly call: Pick<Call<unknown>, 'problem' | 'stepUp' | 'isProved'> }) {
  const [failure, setFailure] = useState('');
  const { problem, stepUp, isProved } = call;

  // Not sent again automatically: the sign-in may have taken a while, and the state may have changed meanwhile.
  if (isProved) {
    return (
      <Done tone="info" title="You have proved who you are. Nothing was changed yet." warnings={[]}>
        <p>Press the button again: what you typed is still there.</p>
      </Done>
    );
  }

  if (!problem) return null;

  const versions = listOf<Parameters<typeof VersionReports>[0]['versions'][number]>(problem, 'versions');

  return (
    <>
      <ProblemCard problem={problem} />
      {typeof problem.secondWay === 'string' && <Command text={problem.secondWay} />}
      {stepUp && (
        <p>
          <button
            type="button"
            class="primary"
            onClick={() => stepUp().catch((error: Error) => setFailure(error.message))}
          >
            Prove who you are
          </button>{' '}
          {failure}
        </p>
      )}
      {versions && <VersionReports versions={versions} />}
    </>
  );
}

/** A list that only some refusals have. */
function listOf<T>(problem: Problem, name: string): T[] | undefined {
  const list = problem[name];
  return Array.isArray(list) && list.length > 0 ? list : undefined;
}
