import { SERVICE_WORDS } from '../../../../src/probe/service-words.ts';
import type { KeyStatusResponse } from '../../api/types.ts';
import { count } from '../../names.ts';
import { Section } from '../../ui/section.tsx';
import { duration, Time } from '../../ui/time.tsx';

type Times = NonNullable<KeyStatusResponse['effectTimes']>;

const WORDS = {
  blocked: ['refused', 'revocation', 'refusing'],
  open: ['served again', 'restore', 'serving'],
} as const;

/** How long earlier revocations and restores of the key took to show: measured, as Azure promises no time. */
export function EffectTimes({ times }: { readonly times: Times | undefined }) {
  return (
    <Section title="How soon it shows">
      {times?.map((one) => (
        <Figures key={`${one.expect}${one.service}`} of={one} />
      ))}
      <p class={times?.length ? 'muted' : undefined}>
        {!times && 'What was measured cannot be read now. '}
        {times?.length === 0 && 'It has not been measured for this key yet. '}
        Azure promises no time. The app measures each revocation and restore of this key.
      </p>
    </Section>
  );
}

function Figures({ of }: { readonly of: Times[number] }) {
  const { expect, measured, notSeen, accounts, changes, p50Seconds, p95Seconds, longestSeconds, since } = of;
  const [shown, change, done] = WORDS[expect];

  return (
    <div>
      <p>
        <span class="strong">{`Until ${SERVICE_WORDS[of.service].data} were ${shown}:`}</span>{' '}
        {within('half', p50Seconds)}, {within('95 in 100', p95Seconds)}
        {longestSeconds !== undefined && `; the longest measured took ${inWhole(longestSeconds)}`}.
      </p>
      <p>
        From {count(measured, 'measurement')} in {count(accounts, 'account')} and {count(changes, change)} since{' '}
        <Time at={since} />
        {notSeen > 0 &&
          `. ${count(notSeen, 'more was', 'more were')} not seen ${done} within ${inWhole(of.followedSeconds ?? 0)}, and counted as that`}
        .
      </p>
    </div>
  );
}

function within(share: string, seconds: number | undefined): string {
  return seconds === undefined ? `${share}: not known, too few were seen to` : `${share} within ${inWhole(seconds)}`;
}

/** Rounded up: never shown as less than it was. */
function inWhole(seconds: number): string {
  return duration(Math.ceil(seconds));
}
