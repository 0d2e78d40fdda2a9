import type { ApprovalRequest, RestoreResponse } from '../../api/types.ts';
import { count, shortId } from '../../names.ts';
import { Done } from './answer.tsx';
import { VersionReports } from './versions.tsx';

/** What is answered in the place of a restore that others have to approve. */
export interface ApprovalAsked {
  readonly reason: 'ApprovalNeeded';
  readonly approval: ApprovalRequest;
}
export type RestoreAnswer = RestoreResponse | ApprovalAsked;

interface RestoreAnsweredProps {
  readonly answer: RestoreAnswer;
  /** Whether the key was seen with a revocation since. */
  readonly isUndone?: boolean;
}

/** What a restore came to. */
export function RestoreAnswered({ answer, isUndone = false }: RestoreAnsweredProps) {
  if (isUndone && answer.reason === 'Restored')
    return <Done tone="none" title="You restored the key. It has been revoked again since." warnings={[]} />;
  if (answer.reason === 'ApprovalNeeded') return <Waits approval={answer.approval} />;
  const notReady = answer.accounts.filter(({ ready }) => ready !== true);
  const title = answer.reason === 'Restored' ? 'The key is restored.' : 'There was nothing to restore.';
  return (
    <Done tone="good" title={title} warnings={answer.warnings}>
      <p>
        {answer.reason === 'Restored'
          ? 'What the revocation disabled is enabled again, and its record is closed. The file services serve again as Storage notices.'
          : 'No version carries the record of this revocation: it has been restored already, or was never there.'}
        {answer.recovered ? ' The key had been deleted, and was recovered first.' : ''}
      </p>
      <VersionReports versions={answer.versions} />
      {notReady.length > 0 && (
        <p>
          Not ready to use the key:{' '}
          {notReady.map(({ account, missing }) => `${shortId(account)} (${missing.join(', ')})`).join('; ')}
        </p>
      )}
      <p>Audit trail: {answer.audit}.</p>
    </Done>
  );
}

/** Of a restore that others have to approve first. */
export function Waits({ approval }: { readonly approval: ApprovalRequest }) {
  const { id, needed, approvedBy } = approval;
  return (
    <Done tone="info" title="It waits for approval; nothing was changed." warnings={[]}>
      <p>
        {count(needed - approvedBy.length, 'other person has', 'other people have')} to approve it, here or by its id{' '}
        <span class="mono">{id}</span>. With the last approval it is carried out.
      </p>
    </Done>
  );
}
