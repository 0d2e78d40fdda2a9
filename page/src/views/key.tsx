import { count, inWords } from '../../../src/keys/short-names.ts';
import type { KeyStatusResponse } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { usersOf } from '../names.ts';
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
import { KeyHistorySection } from './key-history.tsx';
import { LoggedUse } from './logged-use.tsx';
import { NextRotation } from './next-rotation.tsx';
import { PausedNotice } from './paused.tsx';
import { RevocationLine, useRevokeRecords } from './revocation-line.tsx';
import { isUnderWay, RotationItem } from './rotation-item.tsx';

/** A key: its versions over time, their users, and the next rotation. */
export function KeyView({ vault, name }: { readonly vault: string; readonly name: string }) {
  const status = usePoll<KeyStatusResponse>(`/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}`, 10_000);
  const { data } = status;
  const records = useRevokeRecords(data?.revocation !== undefined, `${vault}/${name}`);
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
      {data?.revocation && (
        <div class="notice tone-bad">
          <Icon tone="bad" />
          <div>
            <RevocationLine revocation={data.revocation} records={records} />
            <p>
              <a href={href(['break-glass', vault, name])}>What it stopped, and how to restore it</a>
            </p>
          </div>
        </div>
      )}
      <PausedNotice paused={data?.paused} label={data?.paused?.key ? label : 'all keys'}>
        <Resume
          label={data?.paused?.key && label}
          isPaused
          waiting={data?.rotation?.waiting ?? 0}
          failed={0}
          changed={status.refresh}
        />
      </PausedNotice>
      {data?.rotation && isUnderWay(data.rotation) && (
        <Section title="Rotation">
          <ul class="items">
            <RotationItem rotation={data.rotation} changed={data.paused ? undefined : status.refresh} />
          </ul>
        </Section>
      )}
      {data && (
        <Section title="What uses which version">
          <Users data={data} />
        </Section>
      )}
      <Section title="Versions over time" of={status}>
        {data && <VersionLines {...data} />}
        {data && <VersionTable versions={data.versions} newestUsable={data.newestUsable} />}
      </Section>
      {data && <KeyHistorySection vault={vault} name={name} />}
      {data && (
        <Section title="Key usage from the vault’s log">
          <LoggedUse usage={data.usage} versions={data.versions} />
        </Section>
      )}
      {data && (
        <Section title="Next">
          <Facts items={nextOf(data)} />
          {/* A revoked key is neither rotated nor re-keyed. */}
          {!data.revocation && <Rotate label={label} status={data} changed={status.refresh} />}
          {!data.revocation && <Rekey label={label} />}
        </Section>
      )}
      {data?.unread.map(({ what, reason, detail }) => (
        <p key={`${what}${reason}`} class="muted">
          Not read: {what} ({inWords(reason)}). {detail}
        </p>
      ))}
    </>
  );
}

function nextOf({ nextRotation, rotationCost }: KeyStatusResponse) {
  return [
    ['Next rotation', <NextRotation next={nextRotation} />],
    rotationCost &&
      ([
        'A rotation now would take',
        `${rotationCost.seconds < 1 ? 'less than a second' : duration(rotationCost.seconds)} for ${count(rotationCost.moves, 'move')}`,
      ] as const),
  ] as const;
}

function Users({ data }: { readonly data: KeyStatusResponse }) {
  const { users, dependents } = data;
  if (!users) return <p>Not known yet.</p>;

  return (
    <>
      {users.accounts + users.scopes > 0 && <KeyFlow of={data} />}
      <p class="muted">
        {usersOf(users)}
        {dependents.asOf && (
          <>
            , as the index knew at <Time at={dependents.asOf} />
          </>
        )}
        .
      </p>
    </>
  );
}
