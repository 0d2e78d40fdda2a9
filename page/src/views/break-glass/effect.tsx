import { count, digits, shortId } from '../../../../src/keys/short-names.ts';
import type { KeyStatusResponse } from '../../api/types.ts';
import type { Polled } from '../../api/use-poll.ts';
import { href } from '../../route.ts';
import { Badge } from '../../ui/badge.tsx';
import { Section } from '../../ui/section.tsx';
import { duration, Since } from '../../ui/time.tsx';

/** Maximum number of lines. The figure above counts all. */
const MOST = 200;

const STATES = {
  blocked: ['bad', 'Refuses'],
  open: ['good', 'Serves'],
  unknown: ['warn', 'Not seen'],
} as const;

interface EffectProps {
  readonly status: KeyStatusResponse | undefined;
  readonly of: Polled<unknown>;
}

/** What the services of each account show: results of real requests, with the time since the change. */
export function Effect({ status, of }: EffectProps) {
  const effect = status?.effect ?? [];
  const revoked = status?.revocation !== undefined;
  const wanted = revoked ? 'blocked' : 'open';
  const reached = effect.filter(({ state }) => state === wanted).length;
  const accounts = status?.dependents.accounts.length ?? 0;
  const silent = Math.max(0, accounts - new Set(effect.map(({ account }) => account.toLowerCase())).size);

  // First the ones that do not show the change yet, since the operator waits for them.
  const ordered = [...effect].sort((a, b) => Number(a.state === wanted) - Number(b.state === wanted));

  // An account that the app has not probed yet counts too.
  const all = effect.length + (revoked ? silent : 0);

  return (
    <Section title="What the accounts show" of={of} isQuiet>
      {all > 0 && <progress value={reached} max={all} aria-label="Accounts that show the change" />}
      <p role="status">
        {digits(reached)} of {digits(all)} {revoked ? 'refuse to serve data' : 'serve data'}.
        {revoked && reached < all ? ' Storage may take some minutes; the app keeps asking each service.' : ''}
      </p>
      <ul class="items">
        {ordered.slice(0, MOST).map((one) => (
          <EffectLine key={one.account} one={one} />
        ))}
      </ul>
      {effect.length > MOST && <p class="muted">… and {count(effect.length - MOST, 'more', 'more')}.</p>}
    </Section>
  );
}

function EffectLine({ one }: { readonly one: KeyStatusResponse['effect'][number] }) {
  const [tone, words] = STATES[one.state];
  const seconds = typeof one.secondsAfterChange === 'number' ? one.secondsAfterChange : undefined;
  const share = typeof one.share === 'string' ? one.share : undefined;
  const container = typeof one.container === 'string' ? one.container : undefined;
  const why = typeof one.why === 'string' ? one.why : undefined;
  const name = shortId(one.account);

  return (
    <li class="row tight">
      <Badge tone={tone}>{words}</Badge>
      <a href={href(['fleet', name])}>{name}</a>
      {share && <span class="muted">share {share}</span>}
      {one.service === 'blob' && <span class="muted">{container ? `container ${container}` : 'blobs'}</span>}
      {seconds !== undefined && <span>seen {duration(seconds)} after the change</span>}
      <small>
        {why && `${why}. `}
        {one.since && (
          <>
            Since <Since at={one.since} />
          </>
        )}
      </small>
    </li>
  );
}
