import { digits, inWords, keyLabel, keyNames, shortVersion } from '../../../src/keys/short-names.ts';
import type { RotationSummary } from '../api/types.ts';
import { reasonSentence } from '../names.ts';
import { isStopped, RegionBars } from '../pictures/region-bars.tsx';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Prose } from '../ui/prose.tsx';
import { isPast, Since, Time } from '../ui/time.tsx';
import type { Tone } from '../ui/tone.ts';
import { Resume } from './acts/resume.tsx';

export const ROTATION_WORDS: Readonly<Record<RotationSummary['state'], readonly [Tone, string]>> = {
  finished: ['good', 'Finished'],
  underWay: ['info', 'Under way'],
  stuck: ['bad', 'Stuck'],
  paused: ['none', 'Paused'],
  held: ['bad', 'Held'],
  blocked: ['warn', 'Blocked'],
  unknown: ['warn', 'Not known'],
};

/** Whether moves are pending, and allowed. */
export function isUnderWay({ state }: Pick<RotationSummary, 'state'>): boolean {
  return state !== 'finished' && state !== 'blocked';
}

/** Whether an operator resumes it here. A pause of all keys has a notice of its own. */
function isHeld({ state, pause, reason, failed = 0 }: RotationSummary): boolean {
  if (state === 'paused') return pause?.key !== undefined;
  // An operator releases the account instead.
  if (reason === 'ContestedChange') return false;
  return state === 'stuck' || state === 'held' || failed > 0;
}

interface RotationItemProps {
  readonly rotation: RotationSummary;
  /** Undefined: the notice of the pause has the button. */
  readonly changed: (() => void) | undefined;
}

/** The progress of a rotation, its expected end, and how an operator resumes it. */
export function RotationItem({ rotation, changed }: RotationItemProps) {
  const { key, state, moved = 0, waiting = 0, failed = 0, left = 0, version, startedOn, expectedEnd } = rotation;
  const names = keyNames(key);
  const [tone, words] = ROTATION_WORDS[state];
  const all = moved + waiting + failed;
  const regions = new Set(rotation.places?.map(({ region }) => region)).size;

  return (
    <li>
      <div class="row">
        <Badge tone={tone}>{words}</Badge>
        <h3>{names ? <a href={href(['keys', names.vault, names.key])}>{keyLabel(key)}</a> : key}</h3>
        {version && <span class="muted">to {shortVersion(version)}</span>}
      </div>
      {all > 0 && <RegionBars rotation={rotation} label={keyLabel(key)} />}
      {/* With one region, its bar has the same text. */}
      {all > 0 && regions !== 1 && (
        <p>
          {digits(moved)} of {digits(all)} moved
          {waiting > 0 ? `, ${digits(waiting)} waiting` : ''}
          {failed > 0 ? `, ${digits(failed)} failed` : ''}
        </p>
      )}
      {left > 0 && <p>{digits(left)} more are left to Storage.</p>}
      {Object.entries(rotation.failures ?? {}).map(([reason, number]) => (
        <p key={reason}>
          {digits(number)} failed: {reasonSentence(reason)}
        </p>
      ))}
      {rotation.detail && (
        <p>
          <Prose text={rotation.detail} />
        </p>
      )}
      {rotation.reason && !rotation.detail && <p>{inWords(rotation.reason)}</p>}
      <p class="muted small-text">
        {startedOn && (
          <>
            Began <Since at={startedOn} />.{' '}
          </>
        )}
        {expectedEnd && !isStopped(rotation) && (
          <>
            {isPast(expectedEnd) ? 'Was expected to end' : 'Expected end'} <Time at={expectedEnd} />
          </>
        )}
      </p>
      {changed && failed > 0 && isHeld(rotation) && state !== 'paused' && <p>Retry tries at once.</p>}
      {changed && isHeld(rotation) && (
        <Resume
          label={keyLabel(key)}
          isPaused={state === 'paused'}
          waiting={waiting}
          failed={failed}
          changed={changed}
        />
      )}
    </li>
  );
}
