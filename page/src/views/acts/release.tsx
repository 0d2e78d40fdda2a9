import { resourceLabel } from '../../../../src/keys/short-names.ts';
import { useApi } from '../../api/use-poll.ts';
import { Act } from './act.tsx';

/** Lets the app repair an account again, after another party changed it several times. */
export function Release({ account, changed }: { readonly account: string; readonly changed: () => void }) {
  const api = useApi();

  return (
    <Act
      title={`Release ${resourceLabel(account)}`}
      send={async (why) => (await api.post('/api/drift/release', { ...why, account })).body}
      changed={changed}
      done="Released. The app repairs the account with the next check."
    >
      The app repairs the account again: it moves it to the newest version of its key. If the other party changes it
      back, the app stops again.
    </Act>
  );
}
