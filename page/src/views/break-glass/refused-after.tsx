import type { KeyStatusResponse } from '../../api/types.ts';
import { Section } from '../../ui/section.tsx';
import { duration, Time } from '../../ui/time.tsx';

interface RefusedAfterProps {
  readonly last: KeyStatusResponse['refusedAfter'];
}

/** How long the last revocation of the key took until Azure Storage refused requests for data. */
export function RefusedAfter({ last }: RefusedAfterProps) {
  return (
    <Section title="How soon Storage refuses">
      <p class={last ? undefined : 'muted'}>
        {last ? (
          <>
            {/* Rounded up, so that it never shows less than it took. */}
            {`Storage refused within ${duration(Math.ceil(last.seconds))} of the revocation of `}
            <Time at={last.revokedOn} />.
          </>
        ) : (
          'The app has measured no revocation of this key.'
        )}{' '}
        Azure promises no time.
      </p>
    </Section>
  );
}
