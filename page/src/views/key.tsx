import type { KeyStatusResponse } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { count, digits, inWords, usersOf } from '../names.ts';
import { KeyFlow } from '../pictures/key-flow.tsx';
import { VersionLines } from '../pictures/version-lines.tsx';
import { href } from '../route.ts';
import { Heading } from '../ui/heading.tsx';
import { Icon } from '../ui/icon.tsx';
import { Facts, Section } from '../ui/section.tsx';
import { duration, Time } from '../ui/time.tsx';
import { Rekey } from './acts/rekey.tsx';
import { Resume } from './acts/resume.tsx';
import { Rotate } from './acts/rotate.tsx';
import { VersionTable } from './break-glass/versions.tsx';
import { LoggedUse } from './logged-use.tsx';
import { NextRotation } from './next-rotation.tsx';
import { PausedNotice } from './paused.tsx';
import { RevocationLine } from './revocation-line.tsx';
import { isUnderWay, ROTATION_WORDS, RotationItem } from './rotation-item.tsx';

/** One key: its versions over time, who uses which, and what comes next. */
export function KeyView({ vault, name }: { readonly vault: string; readonly name: string }) {
  const status = usePoll<KeyStatusResponse>(`/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}`, 10_000);
  const { data } = status;
  const label = `${vault}/${name}`;
  return (
    <>
      <Heading>{`${vault}/${name}`}</Heading>
      <p class="row">
        <a href={href(['keys'])}>All keys</a>
        <a href={href(['break-glass', vault, name])}>Break-glass</a>
        <a href={href(['fleet'], { key: `${vault}/${name}` })}>Its accounts</a>
        <a href={href(['audit'], { key: `${vault}/${name}` })}>Its history</a>
      </p>
      <PausedNotice paused={data?.paused} label={data?.paused?.key ? label : 'all keys'}>
        <Resume
          label={data?.paused?.key && label}
          isPaused
          waiting={data?.users?.waiting ?? 0}
          failed={0}
          changed={status.refresh}
        />
      </PausedNotice>
      {data?.revocation && (
        <div class="notice tone-bad">
          <Icon tone="bad" />
          <div>
            <RevocationLine revocation={data.revocation} />
            <p>
              <a href={href(['break-glass', vault, name])}>Why, what it stopped, and how to restore</a>
            </p>
          </div>
        </div>
      )}
      {data?.rotation && isUnderWay(data.rotation) && (
        <Section title="Rotation">
          <ul class="items">
            <RotationItem rotation={data.rotation} changed={data.paused ? undefined : status.refresh} />
          </ul>
        </Section>
      )}
      {data?.users && data.users.accounts + data.users.scopes > 0 && (
        <Section title="What uses which version">
          <KeyFlow of={data} />
        </Section>
      )}
      <Section title="Versions over time" of={status}>
        {data && <VersionLines {...data} />}
        {data && <VersionTable versions={data.versions} newestUsable={data.newestUsable} />}
      </Section>
      {data && (
        <Section title="Key usage from the vault’s log">
          <LoggedUse usage={data.usage} versions={data.versions} />
        </Section>
      )}
      {data && (
        <div class="columns">
          <Section title="Next">
            <Facts items={nextOf(data)} />
            <Rotate label={label} status={data} changed={status.refresh} />
            <Rekey label={label} />
          </Section>
          <Section title="Users">
            <Users data={data} />
          </Section>
        </div>
      )}
      {data?.unread.map(({ what, reason, detail }) => (
        <p key={`${what}${reason}`} class="muted">
          Not read: {what} ({inWords(reason)}). {detail}
        </p>
      ))}
    </>
  );
}

function nextOf({ nextRotation, rotation, rotationCost }: KeyStatusResponse) {
  return [
    ['Next rotation', <NextRotation next={nextRotation} />],
    rotation && (['This rotation', ROTATION_WORDS[rotation.state][1]] as const),
    rotationCost &&
      ([
        'A rotation now would take',
        `${rotationCost.seconds < 1 ? 'less than a second' : duration(rotationCost.seconds)} for ${count(rotationCost.moves, 'move')}`,
      ] as const),
  ] as const;
}

function Users({ data }: { readonly data: KeyStatusResponse }) {
  const { users } = data;
  if (!users) return <p>Not known yet.</p>;
  return (
    <>
      <p>
        {usersOf(users)}
        {users.lagging === undefined
          ? ''
          : users.lagging === 0
            ? ', all on the newest version'
            : `; ${digits(users.lagging)} not on the newest version`}
        .
      </p>
      {users.oldest && (
        <p class="muted">
          By the fleet index; the oldest entry was read <Time at={users.oldest} />.
        </p>
      )}
    </>
  );
}
