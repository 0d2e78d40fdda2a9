import type { TakenView } from '../../api/types.ts';
import { shortId } from '../../names.ts';

export type TakenFailure = TakenView & { readonly error?: string };

interface TakenListProps {
  readonly taken: readonly TakenFailure[];
  /** Said of an empty list. */
  readonly nothing: string;
}

/** What is taken away or given back, thing by thing. */
export function TakenList({ taken, nothing }: TakenListProps) {
  if (taken.length === 0) return <p>{nothing}</p>;
  return (
    <ul class="sentences">
      {taken.map(({ kind, name, scope, hsm, principalId, error }) => (
        <li key={`${kind}${hsm}${scope}${name}`}>
          {kind === 'scope'
            ? `The state Enabled of the encryption scope ${name}`
            : `Its role on ${hsm === undefined ? shortId(scope ?? '') : `${new URL(hsm).hostname.split('.')[0]}${scope}`}`}
          {kind !== 'scope' && (
            <small>
              {' '}
              assignment <span class="mono">{name}</span>
              {principalId && (
                <>
                  {' '}
                  of <span class="mono">{principalId}</span>
                </>
              )}
            </small>
          )}
          {error && `: ${error}`}
        </li>
      ))}
    </ul>
  );
}
