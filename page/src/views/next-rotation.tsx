import { inWords } from '../../../src/keys/short-names.ts';
import type { KeySummary } from '../api/types.ts';
import { rotatesBy } from '../names.ts';
import { isPast, Time } from '../ui/time.tsx';

export function NextRotation({ next }: { readonly next: KeySummary['nextRotation'] }) {
  if (!next) return <>not known</>;

  return (
    <>
      {rotatesBy(next.by)}
      {next.on && next.by !== 'none' && (
        <>
          , {isPast(next.on) ? 'overdue since ' : ''}
          <Time at={next.on} />
        </>
      )}
      {next.reason && next.by !== 'person' && <small> ({inWords(next.reason)})</small>}
    </>
  );
}
