import type { ApprovalList, DriftHistory, DriftReport, FleetList, KeyList, RotationList } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { approvalPlace, approvalTitle, count, keyLabel, keyNames } from '../names.ts';
import { type Names, namesIn } from '../person.ts';
import { href } from '../route.ts';
import { isOld, PollProblem, useNow } from '../ui/freshness.tsx';
import { Heading } from '../ui/heading.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/section.tsx';
import { Since } from '../ui/time.tsx';
import { CauseItem } from './cause.tsx';
import { CheckAgain } from './check-again.tsx';
import { HealthBar } from './health-bar.tsx';
import { judgeNow } from './judge-now.ts';
import { PausedNotice } from './paused.tsx';
import { RevocationLine } from './revocation-line.tsx';
import { RotationItem } from './rotation-item.tsx';

/**
 * What one looks at in the morning: whether all is well, and if not, what to do. It asks five times, not once: each figure
 * has an age, a right and a failure of its own, and together the slowest of them (Key Vault's lists) would decide when any
 * is seen, and the one that changes most (the rotations) that all of them are sent again.
 */
export function NowView() {
  const fleet = usePoll<FleetList>('/fleet?top=1', 20_000);
  const keys = usePoll<KeyList>('/keys', 15_000, true);
  const rotations = usePoll<RotationList>('/rotations', 10_000, true);
  const { history, report } = useDriftReport();
  const approvals = usePoll<ApprovalList>('/approvals', 20_000);
  const revoked = (keys.data?.value ?? []).filter(({ revocation }) => revocation);
  const paused = (keys.data?.value ?? []).filter((key) => key.paused);
  const underWay = rotationsUnderWay(rotations.data, keys.data);
  const waiting = (approvals.data?.value ?? []).filter(({ state }) => state === 'waiting');
  const now = useNow();
  const all = [fleet, keys, rotations, history, approvals];
  const verdict = judgeNow({
    states: fleet.data?.summary.states,
    errors: report.data?.counts.error,
    warnings: report.data?.counts.warning,
    revoked: keys.data && revoked.length,
    revokedBelow: fleet.data && fleet.data.summary.revocations.length + fleet.data.summary.moreRevocations,
    stuck: rotations.data && underWay.filter(({ state }) => state === 'stuck' || state === 'held').length,
    isRefused: all.every(({ problem }) => problem?.status === 403),
    isUnchecked: history.data?.reports.length === 0,
    gaps: gapsOf(keys.data, report.data),
    isOld: all.some((one) => isOld(one, now)),
  });
  return (
    <>
      <Heading>Now</Heading>
      <div class={`headline tone-${verdict.tone}`} role="status">
        <Icon tone={verdict.tone} />
        <div>
          <p>{verdict.text}</p>
          {fleet.data && <p class="detail">{fleet.data.summary.text}</p>}
        </div>
      </div>
      <Section title="Fleet" of={fleet}>
        {fleet.data && <HealthBar states={fleet.data.summary.states} />}
      </Section>
      <div class="columns">
        <div>
          <Section title="What is wrong" of={history}>
            <PollProblem of={report} />
            <CheckAgain changed={history.refresh} />
            <Causes report={report.data} isNone={history.data?.reports.length === 0} />
          </Section>
        </div>
        <div>
          <Section title="Open revocations" of={keys}>
            <OpenRevocations
              keys={keys.data && revoked}
              below={fleet.data?.summary}
              names={namesIn(undefined, approvals.data)}
            />
          </Section>
          {waiting.length > 0 && (
            <Section title="Waiting for approval" of={approvals}>
              <ul class="items">
                {waiting.map((one) => (
                  <li key={one.id}>
                    <a href={href(...approvalPlace(one))}>{approvalTitle(one)}</a>: {one.approvedBy.length} of{' '}
                    {one.needed} have approved
                  </li>
                ))}
              </ul>
            </Section>
          )}
          <Section title="Rotations under way" of={rotations}>
            {underWay.length > 0 ? (
              <ul class="items">
                {underWay.map((rotation) => (
                  <RotationItem key={rotation.key} rotation={rotation} />
                ))}
              </ul>
            ) : (
              rotations.data && <p>No rotation is under way.</p>
            )}
          </Section>
          <Section title="Moves" of={keys} isQuiet>
            {paused.length > 0
              ? paused.map((key) => (
                  <PausedNotice key={key.key} paused={key.paused} label={keyNames(key.key)?.key ?? key.key} />
                ))
              : keys.data && <p>Not paused: accounts are moved as their keys rotate.</p>}
          </Section>
        </div>
      </div>
    </>
  );
}

interface OpenRevocationsProps {
  /** Undefined: not read. */
  readonly keys: KeyList['value'] | undefined;
  /** Of the fleet; undefined: not read. */
  readonly below: FleetList['summary'] | undefined;
  readonly names: Names;
}

/** Of keys, and below them of accounts and encryption scopes. */
function OpenRevocations({ keys, below, names }: OpenRevocationsProps) {
  const { revocations = [], moreRevocations = 0 } = below ?? {};
  return (
    <>
      {((keys?.length ?? 0) > 0 || revocations.length > 0) && (
        <ul class="items">
          {keys?.map((key) => (
            <li key={key.key}>
              <p class="strong">
                <a href={href(['break-glass', key.vault, key.name])}>{keyLabel(key.key)}</a>
              </p>
              <RevocationLine revocation={key.revocation} names={names} />
            </li>
          ))}
          {revocations.map((one) => (
            <li key={one.id}>
              <p>
                <a class="strong" href={href(['fleet', one.account], { scope: one.scope })}>
                  {one.scope === undefined ? one.account : `${one.account}/${one.scope}`}
                </a>{' '}
                <span class="muted">{one.scope === undefined ? 'the account' : 'the encryption scope'} by itself</span>
              </p>
              <RevocationLine revocation={one} names={names} />
            </li>
          ))}
        </ul>
      )}
      {moreRevocations > 0 && <p class="muted">… and {count(moreRevocations, 'more', 'more')}.</p>}
      {keys?.length === 0 && (
        <p>No key is revoked{below && revocations.length === 0 && ', and no account by itself'}.</p>
      )}
      {!below && <p class="muted">Whether an account is revoked by itself is not known yet.</p>}
    </>
  );
}

function Causes({ report, isNone }: { readonly report: DriftReport | undefined; readonly isNone: boolean }) {
  if (isNone) {
    return (
      <p>No drift check has run yet. The first one runs by its schedule, or by POST /api/drift (cmk drift check).</p>
    );
  }
  if (!report) return null;
  const open = report.causes.filter(({ exempt }) => !exempt);
  const wrong = open.filter(({ severity }) => severity !== 'advice');
  const advice = open.filter(({ severity }) => severity === 'advice');
  const exempt = report.causes.length - open.length;
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
      {exempt > 0 && <p class="muted">{count(exempt, 'cause')} more are exempt.</p>}
    </>
  );
}

/** What the app could not read itself, so that there may be more that is wrong. */
function gapsOf(keys: KeyList | undefined, report: DriftReport | undefined): readonly string[] {
  const vaults = (keys?.vaults ?? []).filter(({ unread }) => unread).length;
  const unknown = (keys?.value ?? []).filter(({ state }) => state === 'unknown').length;
  return [
    vaults > 0 ? `${count(vaults, 'vault')} could not be listed` : '',
    unknown > 0 ? `${count(unknown, 'key')} could not be read` : '',
    report?.complete === false ? 'the last drift check could not read everything' : '',
  ].filter(Boolean);
}

/** A report does not change: the list of reports is asked for again and again, and a report once. */
function useDriftReport() {
  const history = usePoll<DriftHistory>('/drift/history', 15_000);
  const newest = history.data?.reports[0]?.id;
  const report = usePoll<DriftReport>(newest && `/drift/${encodeURIComponent(newest)}`, 600_000);
  return { history, report };
}

/** Those that are listed, and those that have not begun because moves are paused: the key knows of them. */
function rotationsUnderWay(
  listed: RotationList | undefined,
  keys: KeyList | undefined,
): readonly RotationList['value'][number][] {
  const known = new Set((listed?.value ?? []).map(({ key }) => key.toLowerCase()));
  const others = (keys?.value ?? []).flatMap(({ key, rotation, users, newestUsable }) => {
    if (!rotation || known.has(key.toLowerCase())) return [];
    const { moved, waiting, failed, left } = users ?? {};
    return [{ key, ...rotation, moved, waiting, failed, left, version: newestUsable }];
  });
  return [...(listed?.value ?? []), ...others].filter(({ state }) => state !== 'finished' && state !== 'blocked');
}
