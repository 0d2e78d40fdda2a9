import { digits } from '../../../../src/keys/short-names.ts';
import type { RevokeResponse } from '../../api/types.ts';
import { duration } from '../../ui/time.tsx';
import { Done } from './answer.tsx';

/**
 * The result of a revocation.
 *
 * @param isUndone whether the key has been restored since
 */
export function Revoked({ answer, isUndone }: { readonly answer: RevokeResponse; readonly isUndone: boolean }) {
  if (isUndone) return <Done tone="none" title="You revoked the key. It has been restored since." warnings={[]} />;
  const off = answer.versions.filter(({ before, after }) => before !== after).length;

  return (
    <Done tone="good" title="The key is revoked." warnings={answer.warnings}>
      <p>
        Every version is disabled, as a fresh read proves: {digits(off)} of {digits(answer.versions.length)} by this
        call, in {answer.elapsedMs < 1000 ? `${Math.round(answer.elapsedMs)} ms` : duration(answer.elapsedMs / 1000)}.
        The file services stop once Storage notices; the page shows each.
      </p>
      <p>Audit trail: {answer.audit}. Another person has to restore it.</p>
    </Done>
  );
}
