import type { KeyStatusResponse } from '../../api/types.ts';
import { count } from '../../names.ts';
import { has, usePerson } from '../../person.ts';
import { Command } from '../../ui/copy.tsx';
import { duration } from '../../ui/time.tsx';

interface RotateProps {
  readonly label: string;
  readonly cost: KeyStatusResponse['rotationCost'];
}

/** The API has no call for it: an operator makes the version in Key Vault, with their own right. */
export function Rotate({ label, cost }: RotateProps) {
  const me = usePerson();
  if (!has(me, 'Cmk.Operate')) return null;
  return (
    <details class="act">
      <summary>Rotate {label}</summary>
      <p>
        A new version is made, and the app moves what uses the key
        {cost
          ? `: ${count(cost.moves, 'move')} in about ${cost.seconds < 1 ? 'a second' : duration(cost.seconds)}`
          : ''}
        . It takes your own role on the vault, and runs where you are signed in to Azure. First the dry run:
      </p>
      <Command text={`cmk key rotate ${label} --dry-run`} />
      <Command text={`cmk key rotate ${label} --reason '…'`} />
    </details>
  );
}
