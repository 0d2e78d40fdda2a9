import { count, shortVersion } from '../../../../src/keys/short-names.ts';
import type { KeyStatusResponse, RotateResponse } from '../../api/types.ts';
import { useApi } from '../../api/use-poll.ts';
import { duration } from '../../ui/time.tsx';
import { useCall } from '../break-glass/use-call.ts';
import { Act } from './act.tsx';

type Status = Partial<Pick<KeyStatusResponse, 'rotationCost' | 'paused'>>;

interface RotateProps {
  readonly label: string;
  readonly status?: Status;
  readonly changed: () => void;
}

/** Creates a new version of a key. Its dry run is a separate call, since only Key Vault knows what forbids it. */
export function Rotate({ label, status = {}, changed }: RotateProps) {
  const api = useApi();
  const dryRun = useCall<RotateResponse>();
  const path = `/api/keys/${label.split('/').map(encodeURIComponent).join('/')}/rotate`;

  return (
    <Act
      title={`Rotate ${label}`}
      opened={() => dryRun.run(async () => (await api.post<RotateResponse>(`${path}?dryRun=true`)).body)}
      dryRun={dryRun}
      send={async (why) => (await api.post(path, why)).body}
      changed={changed}
      done="Rotated. Moves begin within seconds."
    >
      {describeDryRun(dryRun.answer, status)}
    </Act>
  );
}

function describeDryRun(answer: Partial<RotateResponse> | undefined, status: Status): string {
  const { from, to } = answer ?? {};
  if (from === undefined) return 'Checking …';
  if (to !== undefined) {
    return `Version ${shortVersion(from)} is younger than an hour: it counts as the rotation, so the app makes no other.`;
  }
  return `A new version follows ${shortVersion(from)}. ${describeMoves(status)}`;
}

function describeMoves({ rotationCost, paused }: Status): string {
  if (paused) return 'Moves are paused: what uses the key moves once they are resumed.';
  if (!rotationCost) return 'The app moves what uses the key.';
  const { moves, seconds } = rotationCost;
  return `The app makes ${count(moves, 'move')} in about ${seconds < 1 ? 'a second' : duration(seconds)}.`;
}
