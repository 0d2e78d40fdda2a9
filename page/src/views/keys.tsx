import { digits } from '../../../src/keys/short-names.ts';
import type { KeyList } from '../api/types.ts';
import { usePoll, WHOLE_LIST } from '../api/use-poll.ts';
import { usersOf } from '../names.ts';
import { ExpiryLines } from '../pictures/expiry-lines.tsx';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Heading } from '../ui/heading.tsx';
import { Section } from '../ui/section.tsx';
import { ago, Day, isPast, Time } from '../ui/time.tsx';
import { KeyStateBadge, worstFirst } from './key-state.tsx';
import { NextRotation } from './next-rotation.tsx';
import { ROTATION_WORDS } from './rotation-item.tsx';
import { UnreadVaults } from './unread-vaults.tsx';

type Key = KeyList['value'][number];

/** The keys of the managed vaults, with a row for each. */
export function KeysView() {
  const keys = usePoll<KeyList>('/keys', 15_000, WHOLE_LIST);
  const { data } = keys;

  return (
    <>
      <Heading>Keys</Heading>
      {data && data.value.length > 0 && (
        <Section title="Expiry and rotation">
          <ExpiryLines keys={data.value} />
        </Section>
      )}
      <Section title="Keys of the managed vaults" of={keys}>
        {data?.value.length !== 0 && (
          <table class="cards">
            <caption class="hidden">Keys: state, rotation, users</caption>
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">State</th>
                <th scope="col">Newest version</th>
                <th scope="col">Expires</th>
                <th scope="col">Next rotation</th>
                <th scope="col">Used by</th>
              </tr>
            </thead>
            <tbody>
              {worstFirst(data?.value ?? []).map((key) => (
                <KeyRow key={key.key} of={key} />
              ))}
            </tbody>
          </table>
        )}
        {data && <UnreadVaults of={data} />}
      </Section>
    </>
  );
}

function KeyRow({ of }: { readonly of: Key }) {
  const { key, vault, name, state, newest, expiresOn, cryptoPeriodEndsOn, nextRotation, users, rotation, paused } = of;
  const withoutExpiry = newest ? 'never' : '–';

  return (
    <tr key={key}>
      <th scope="row">
        <a href={href(['keys', vault, name])}>
          {vault}/{name}
        </a>
      </th>
      <td data-label="State">
        <span class="row">
          <KeyStateBadge state={state} />
          {paused && <Badge tone="none">Paused</Badge>}
          {rotation && rotation.state !== 'finished' && (
            <Badge tone={ROTATION_WORDS[rotation.state][0]}>Rotation: {ROTATION_WORDS[rotation.state][1]}</Badge>
          )}
        </span>
      </td>
      <td data-label="Newest">
        {newest ? (
          <span>
            <Time at={newest.createdOn} />
            <small class="block">{ago(newest.createdOn)}</small>
          </span>
        ) : (
          '–'
        )}
      </td>
      <td data-label="Expires">
        <span>
          {expiresOn ? <Time at={expiresOn} /> : withoutExpiry}
          {cryptoPeriodEndsOn && (
            <small class="block">
              Crypto-period {isPast(cryptoPeriodEndsOn) ? 'ended' : 'ends'} <Day at={new Date(cryptoPeriodEndsOn)} />
            </small>
          )}
        </span>
      </td>
      <td data-label="Next rotation">
        <span>
          <NextRotation next={nextRotation} />
        </span>
      </td>
      <td data-label="Used by">
        {users ? (
          <a href={href(['fleet'], { key: `${vault}/${name}` })}>
            {usersOf(users)}
            {users.lagging ? `, ${digits(users.lagging)} behind` : ''}
          </a>
        ) : (
          'not known yet'
        )}
      </td>
    </tr>
  );
}
