import type { NowParts } from '../api/types.ts';
import type { Polled } from '../api/use-poll.ts';
import { count, keyLabel, keyNames } from '../names.ts';
import { href } from '../route.ts';
import { isOld, PollProblem, useNow } from '../ui/freshness.tsx';
import { Heading } from '../ui/heading.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/section.tsx';
import { Since } from '../ui/time.tsx';
import { CauseItem } from './cause.tsx';
import { CheckAgain } from './check-again.tsx';
import { HealthBar } from './health-bar.tsx';
import { headlineOf, type SeenNow } from './now-seen.ts';
import { PausedNotice } from './paused.tsx';
import { RevocationLine } from './revocation-line.tsx';
import { RotationItem } from './rotation-item.tsx';
import { partOf, useStanding } from './use-standing.ts';

/** The state of the fleet: healthy, or what is wrong and what to do. */
export function NowView() {
  const standing = useStanding();
  const fleet = partOf(standing, 'fleet');
  const drift = partOf(standing, 'drift');
  // Told once for all of them, when the app is away or refuses.
  const isQuiet = standing.problem !== undefined;
  const now = useNow();
  const headline = headlineOf(standing.data, {
    isOld: isOld(standing, now),
    isRefused: standing.problem?.status === 403,
  });
  return (
    <>
      <Heading>Now</Heading>
      <div class={`headline tone-${headline.tone}`} role="status">
        <Icon tone={headline.tone} />
        <div>
          <p>{headline.line}</p>
          {fleet.data && <p class="detail">{fleet.data.text}</p>}
        </div>
      </div>
      <PollProblem of={standing} />
      <Section title="Fleet" of={fleet} isQuiet={isQuiet}>
        {fleet.data && (fleet.data.listed || fleet.data.accounts > 0) && <HealthBar states={fleet.data.states} />}
        {fleet.data?.warnings.map((warning) => (
          <p key={warning} class="muted">
            {warning}
          </p>
        ))}
      </Section>
      <div class="columns">
        <div>
          <Section title="What is wrong" of={drift} isQuiet={isQuiet}>
            <CheckAgain changed={standing.refresh} />
            {drift.data && <Causes of={drift.data} />}
          </Section>
        </div>
        <div>
          <Revocations {...{ standing, isQuiet }} />
          <Rotations {...{ standing, isQuiet }} />
          <Pauses {...{ standing, isQuiet }} />
        </div>
      </div>
    </>
  );
}

interface PartProps {
  readonly standing: Polled<SeenNow>;
  readonly isQuiet: boolean;
}

function Revocations({ standing, isQuiet }: PartProps) {
  const keys = partOf(standing, 'keys');
  return (
    <Section title="Open revocations" of={keys} isQuiet={isQuiet}>
      <OpenRevocations keys={keys.data} />
    </Section>
  );
}

function Rotations({ standing, isQuiet }: PartProps) {
  const rotations = partOf(standing, 'rotations');
  const keys = partOf(standing, 'keys').data;
  const underWay = [...(rotations.data?.underWay ?? []), ...(keys?.notBegun ?? [])];
  return (
    <Section title="Rotations under way" of={rotations} isQuiet={isQuiet}>
      {underWay.length > 0 ? (
        <ul class="items">
          {underWay.map((rotation) => (
            <RotationItem key={rotation.key} rotation={rotation} />
          ))}
        </ul>
      ) : (
        rotations.data && <p>No rotation is under way.</p>
      )}
      <More number={(rotations.data?.moreUnderWay ?? 0) + (keys?.moreNotBegun ?? 0)} />
    </Section>
  );
}

function Pauses({ standing, isQuiet }: PartProps) {
  const pauses = partOf(standing, 'pauses');
  return (
    <Section title="Moves" of={pauses} isQuiet={isQuiet}>
      {pauses.data?.map(({ key, ...paused }) => (
        <PausedNotice key={key} paused={paused} label={key === undefined ? 'all keys' : (keyNames(key)?.key ?? key)} />
      ))}
      {pauses.data?.length === 0 && <p>Not paused: accounts are moved as their keys rotate.</p>}
    </Section>
  );
}

function More({ number }: { readonly number: number }) {
  return number > 0 ? <p class="muted">… and {count(number, 'more', 'more')}.</p> : null;
}

interface OpenRevocationsProps {
  /** Undefined: not read. */
  readonly keys: NowParts['keys']['value'] | undefined;
}

function OpenRevocations({ keys }: OpenRevocationsProps) {
  const { revoked = [], moreRevoked = 0 } = keys ?? {};
  return (
    <>
      {revoked.length > 0 && (
        <ul class="items">
          {revoked.map((key) => (
            <li key={key.key}>
              <p class="strong">
                <a href={href(['break-glass', key.vault, key.name])}>{keyLabel(key.key)}</a>
              </p>
              <RevocationLine revocation={key.revocation} />
            </li>
          ))}
        </ul>
      )}
      <More number={moreRevoked} />
      {keys && revoked.length === 0 && <p>No key is revoked.</p>}
    </>
  );
}

function Causes({ of }: { readonly of: NonNullable<NowParts['drift']['value']> }) {
  const { report } = of;
  if (!report) {
    return <p>No drift check has run yet. The first one runs by its schedule, or by POST /api/drift (cmk drift).</p>;
  }
  const wrong = report.causes.filter(({ severity }) => severity !== 'advice');
  const advice = report.causes.filter(({ severity }) => severity === 'advice');
  return (
    <>
      <p class="muted">
        Checked <Since at={report.startedOn} />
        {report.complete ? '' : '. Not everything could be read: there may be more.'}
      </p>
      {wrong.length === 0 && <p>The last check found nothing that is wrong.</p>}
      <ul class="items">
        {wrong.map((cause) => (
          <CauseItem key={cause.id} cause={cause} />
        ))}
      </ul>
      {advice.length > 0 && (
        <details>
          <summary>{count(advice.length, 'piece of advice', 'pieces of advice')}</summary>
          <ul class="items">
            {advice.map((cause) => (
              <CauseItem key={cause.id} cause={cause} />
            ))}
          </ul>
        </details>
      )}
      {report.moreCauses > 0 && <p class="muted">{count(report.moreCauses, 'more cause')} in the drift report.</p>}
      {report.exempt > 0 && <p class="muted">{count(report.exempt, 'cause')} more are exempt.</p>}
    </>
  );
}
