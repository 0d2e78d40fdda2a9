import { digits } from '../../../src/keys/short-names.ts';
import { HEALTH_MEANINGS, HEALTH_STATES } from '../../../src/status/health-states.ts';
import type { FleetList } from '../api/types.ts';
import { href } from '../route.ts';
import { Icon } from '../ui/icon.tsx';
import { HEALTH_WORDS } from './health.tsx';

/** The number of accounts of each health state, with a link to them. */
export function HealthBar({ states }: { readonly states: FleetList['summary']['states'] }) {
  const shown = HEALTH_STATES.filter((state) => state === 'Serving' || states[state] > 0);

  return (
    <ul class="tiles">
      {shown.map((state) => {
        const [tone, words] = HEALTH_WORDS[state];

        return (
          <li key={state}>
            <a class={`tile tone-${tone}`} href={href(['fleet'], { health: state })} title={HEALTH_MEANINGS[state]}>
              <span class="number">{digits(states[state])}</span>
              <span class="word">
                <Icon tone={tone} /> {words}
              </span>
              {state === 'Stale' && <small>Serving with an older version</small>}
            </a>
          </li>
        );
      })}
    </ul>
  );
}
