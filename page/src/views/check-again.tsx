import { useApi } from '../api/use-poll.ts';
import { has, usePerson } from '../person.ts';
import { Refused } from './break-glass/answer.tsx';
import { useCall } from './break-glass/use-call.ts';

/** Starts a drift check, for an operator who has repaired something. */
export function CheckAgain({ isFirst, changed }: { readonly isFirst: boolean; readonly changed: () => void }) {
  const api = useApi();
  const me = usePerson();
  const check = useCall<object>();

  if (!has(me, 'Cmk.Operate')) return null;

  const order = isFirst ? 'Check now' : 'Check again';
  const run = () => check.run(async () => (await api.post<object>('/api/drift')).body).then(changed);

  return (
    <>
      <p class="row">
        <button type="button" class="small" disabled={check.isRunning} onClick={run}>
          {check.isRunning ? 'Checking …' : order}
        </button>
        <span class="muted small-text">This also starts automatic repairs, if any are on.</span>
      </p>
      <Refused call={check} />
    </>
  );
}
