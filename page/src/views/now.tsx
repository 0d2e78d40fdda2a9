import { count, keyLabel } from '../../../src/keys/short-names.ts';
import type { DriftCause, NowParts } from '../api/types.ts';
import type { Polled } from '../api/use-poll.ts';
import { href } from '../route.ts';
import { Freshness, isOld, PollProblem, useNow } from '../ui/freshness.tsx';
import { Heading } from '../ui/heading.tsx';
import { Icon } from '../ui/icon.tsx';
import { Prose } from '../ui/prose.tsx';
import { Section } from '../ui/section.tsx';
import { duration, Since } from '../ui/time.tsx';
import { Resume } from './acts/resume.tsx';
import { Affects, CauseItem, Changed, Resource } from './cause.tsx';
import { CheckAgain } from './check-again.tsx';
import { NoAccount } from './fleet.tsx';
import { targetOf } from './headline-target.ts';
import { HealthBar } from './health-bar.tsx';
import { headlineOf, isFleetServing, type SeenNow } from './now-seen.ts';
import { PausedNotice } from './paused.tsx';
import { RevocationLine, useRevokeRecords } from './revocation-line.tsx';
import { RotationItem } from './rotation-item.tsx';
import { partOf, useStanding } from './use-standing.ts';

/** The state of the fleet: healthy, or what is wrong and what to do. */
export function NowView() {
  const standing = useStanding();
  const fleet = partOf(standing, 'fleet');
  const drift = partOf(standing, 'drift');

  // One notice for all sections, if the app is down or refuses the user.
  const isQuiet = standing.problem !== undefined;
  const now = useNow();
  const headline = headlineOf(standing.data, {
    isOld: isOld(standing, now),
    isRefused: standing.problem?.status === 403,
  });
  const revoked = partOf(standing, 'keys').data?.revoked ?? [];
  const target = targetOf(standing.data);
  const isServing = isFleetServing(fleet.data?.states);
  const revocations = <Revocations standing={standing} isQuiet={isQuiet} />;

  return (
    <>
      <div class="title">
        <Heading>Now</Heading>
        <Freshness of={standing} />
      </div>
      <div class={`headline tone-${headline.tone}`} role="status">
        <Icon tone={headline.tone} />
        <p>{target ? <a href={href(...target)}>{headline.line}</a> : headline.line}</p>
      </div>
      <PollProblem of={standing} />
      {revoked.length > 0 && revocations}
      <div class="columns">
        <Section title="What is wrong" of={drift} isQuiet={isQuiet} isPart>
          {drift.data && <Causes of={drift.data} revoked={revoked} isServing={isServing} changed={standing.refresh} />}
          <CheckAgain isFirst={drift.data !== undefined && !drift.data.report} changed={standing.refresh} />
        </Section>
        <div>
          <Section title="Fleet" of={fleet} isQuiet={isQuiet} isPart>
            {fleet.data && fleet.data.accounts > 0 && <HealthBar states={fleet.data.states} />}
            {fleet.data?.listed && fleet.data.accounts === 0 && <NoAccount isFiltered={false} />}
            {fleet.data?.warnings.map((warning) => (
              <p key={warning} class="muted">
                <Prose text={warning} />
              </p>
            ))}
          </Section>
          {revoked.length === 0 && revocations}
          <Rotations standing={standing} isQuiet={isQuiet} />
          <Pauses standing={standing} isQuiet={isQuiet} />
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
  const records = useRevokeRecords((keys.data?.revoked.length ?? 0) > 0);
  const causes = partOf(standing, 'drift').data?.report?.causes ?? [];
  const { revoked = [], moreRevoked = 0 } = keys.data ?? {};

  return (
    <Section title="Open revocations" of={keys} isQuiet={isQuiet} isPart>
      {revoked.length > 0 && (
        <ul class="items">
          {revoked.map(({ key, vault, name, revocation }) => (
            <li key={key}>
              <p class="strong">
                <a href={href(['break-glass', vault, name])}>{keyLabel(key)}</a>
              </p>
              <RevocationLine revocation={revocation} records={records} />
              {causes
                .filter((cause) => isRevocationOf(cause, key))
                .map((cause) => (
                  <Affects key={cause.id} cause={cause} />
                ))}
            </li>
          ))}
        </ul>
      )}
      <More number={moreRevoked} />
      {keys.data && revoked.length === 0 && <p>No key is revoked.</p>}
    </Section>
  );
}

/** Whether a cause repeats an entry in the list of open revocations. */
function isRevocationOf({ reason, about }: DriftCause, key: string): boolean {
  return reason === 'RevocationOpen' && about.some((id) => keyLabel(id) === keyLabel(key));
}

function Rotations({ standing, isQuiet }: PartProps) {
  const rotations = partOf(standing, 'rotations');
  const keys = partOf(standing, 'keys').data;
  const underWay = [...(rotations.data?.underWay ?? []), ...(keys?.notBegun ?? [])];

  return (
    <Section title="Rotations under way" of={rotations} isQuiet={isQuiet} isPart>
      {underWay.length > 0 ? (
        <ul class="items">
          {underWay.map((rotation) => (
            <RotationItem key={rotation.key} rotation={rotation} changed={standing.refresh} />
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
  const waiting = [
    ...(partOf(standing, 'rotations').data?.underWay ?? []),
    ...(partOf(standing, 'keys').data?.notBegun ?? []),
  ];

  return (
    <Section title="Moves" of={pauses} isQuiet={isQuiet} isPart>
      {pauses.data?.map(({ key, ...paused }) => (
        <PausedNotice key={key} paused={paused} label={key === undefined ? 'all keys' : keyLabel(key)}>
          <Resume
            label={key && keyLabel(key)}
            isPaused
            waiting={waiting.filter((one) => key === undefined || one.key === key).reduce(sumWaiting, 0)}
            failed={0}
            changed={standing.refresh}
          />
        </PausedNotice>
      ))}
      {pauses.data?.length === 0 && <p>Not paused: the app moves accounts as their keys rotate.</p>}
    </Section>
  );
}

const sumWaiting = (sum: number, { waiting = 0 }: { readonly waiting?: number | undefined }) => sum + waiting;

function More({ number }: { readonly number: number }) {
  return number > 0 ? <p class="muted">… and {count(number, 'more', 'more')}.</p> : null;
}

interface CausesProps {
  readonly of: NonNullable<NowParts['drift']['value']>;
  /** The list above has their revocations. */
  readonly revoked: NonNullable<NowParts['keys']['value']>['revoked'];
  readonly isServing: boolean;
  readonly changed: () => void;
}

function Causes({ of, revoked, isServing, changed }: CausesProps) {
  const { report } = of;
  if (!report) {
    return <p>No check has run yet. The first one runs by its schedule, or when an operator starts it.</p>;
  }

  const wrong = report.causes.filter(
    (cause) => cause.severity !== 'advice' && !revoked.some(({ key }) => isRevocationOf(cause, key)),
  );
  const advice = report.causes.filter(({ severity }) => severity === 'advice');

  return (
    <>
      <p class="muted">
        Checked <Since at={report.startedOn} />
        {report.complete ? '' : '. Not everything could be read: there may be more.'}
      </p>
      {wrong.length === 0 && <p>The last check found nothing {revoked.length > 0 ? 'else' : 'that is wrong'}.</p>}
      <ul class="items">
        {wrong.map((cause) => (
          <CauseItem key={cause.id} cause={cause} isServing={isServing} changed={changed} />
        ))}
      </ul>
      {advice.length > 0 && (
        <details>
          <summary>{count(advice.length, 'recommendation')}</summary>
          <ul class="items">
            {advice.map((cause) => (
              <CauseItem key={cause.id} cause={cause} isServing={isServing} changed={changed} />
            ))}
          </ul>
        </details>
      )}
      {report.changes.length > 0 && (
        <details>
          <summary>{count(report.changes.length, 'recent change')} in Azure</summary>
          {report.changeSeconds && (
            <p class="muted small-text">
              From the change to the finding: p50 {duration(report.changeSeconds.p50)}, p95{' '}
              {duration(report.changeSeconds.p95)}.
            </p>
          )}
          <ul class="items">
            {report.changes.map((change) => (
              <li key={change.id} class="tight">
                <Resource id={change.resource} />: {change.operation.split('/').slice(-2).join(' ')}.{' '}
                <Changed by={change} />
                {change.fixed ? '. The app began to repair it.' : ''}
              </li>
            ))}
          </ul>
        </details>
      )}
      {report.moreCauses > 0 && <p class="muted">{count(report.moreCauses, 'more cause')} in the report.</p>}
      {report.exempt > 0 && <p class="muted">{count(report.exempt, 'cause')} more are exempt.</p>}
    </>
  );
}
