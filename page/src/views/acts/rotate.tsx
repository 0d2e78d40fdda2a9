import type { KeyStatusResponse, RotateResponse } from '../../api/types.ts';
import { useApi } from '../../api/use-poll.ts';
import { count, shortVersion } from '../../names.ts';
import { duration } from '../../ui/time.tsx';
import { useCall } from '../break-glass/use-call.ts';
import { Act } from './act.tsx';

interface RotateProps {
  readonly label: string;
  readonly status?: Pick<KeyStatusResponse, 'rotationCost' | 'paused'>;
  readonly changed: () => void;
}

/** Makes a new version of a key; its dry run is a call of its own, since Key Vault knows what forbids it. */
export function Rotate({ label, status: { rotationCost, paused } = {}, changed }: RotateProps) {
  const api = useApi();
  const dryRun = useCall<RotateResponse>();
  const path = `/api/keys/${label.split('/').map(encodeURIComponent).join('/')}/rotate`;
  const { from, to } = dryRun.answer ?? {};
  return (
    <Act
      title={`Rotate ${label}`}
      opened={() => void dryRun.run(async () => (await api.post<RotateResponse>(`${path}?dryRun=true`)).body)}
      dryRun={dryRun}
      send={async (why) => (await api.post(path, why)).body}
      changed={changed}
      done="Rotated. Moves begin within seconds."
    >
      {from === undefined
        ? 'Checking …'
        : to !== undefined
          ? `Version ${shortVersion(from)} is younger than an hour: it counts as the rotation, and no other is made.`
          : `A new version follows ${shortVersion(from)}. ${
              paused
                ? 'Moves are paused: what uses the key moves once they are resumed.'
                : rotationCost
                  ? `The app makes ${count(rotationCost.moves, 'move')} in about ${rotationCost.seconds < 1 ? 'a second' : duration(rotationCost.seconds)}.`
                  : 'The app moves what uses the key.'
            }`}
    </Act>
  );
}
