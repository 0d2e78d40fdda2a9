import { shortId } from '../../../../src/keys/short-names.ts';
import type { RestoreResponse } from '../../api/types.ts';
import { Done } from './answer.tsx';

interface RestoreAnsweredProps {
  readonly answer: RestoreResponse;
  /** Whether the key has been revoked again since. */
  readonly isUndone?: boolean;
}

/** The result of a restore. */
export function RestoreAnswered({ answer, isUndone = false }: RestoreAnsweredProps) {
  if (isUndone && answer.reason === 'Restored') {
    return <Done tone="none" title="You restored the key. It has been revoked again since." warnings={[]} />;
  }

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
