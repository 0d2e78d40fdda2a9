import { count, inWords, keyLabel, keyNames, shortId, shortVersion, withNames } from '../../../src/keys/short-names.ts';
import { HEALTH_MEANINGS } from '../../../src/status/health-states.ts';
import type { FleetAccount } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { reasonSentence } from '../names.ts';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Command } from '../ui/copy.tsx';
import { Heading } from '../ui/heading.tsx';
import { Prose } from '../ui/prose.tsx';
import { Facts, Section } from '../ui/section.tsx';
import { Since, Time } from '../ui/time.tsx';
import { Release } from './acts/release.tsx';
import { Resume } from './acts/resume.tsx';
import { Changed } from './cause.tsx';
import { HealthBadge } from './health.tsx';

const PROBE = { blocked: 'refuses to serve data', open: 'still serves data', unknown: 'did not answer' } as const;
/** Storage cannot use the key, although it may notice that later. */
const CUT_OFF: readonly string[] = ['Revoked', 'Blocked', 'NoAccess'];
const SEVERITY = { error: 'bad', warning: 'warn', advice: 'info' } as const;

/** An account: its key and version, scopes, identity, latest moves and findings. */
export function AccountView({ name }: { readonly name: string }) {
  const account = usePoll<FleetAccount>(`/fleet/${encodeURIComponent(name)}`, 10_000);
  const { data } = account;

  return (
    <>
      <Heading>{name}</Heading>
      <p>
        <a href={href(['fleet'])}>All accounts</a> · <a href={href(['audit'], { account: name })}>Its history</a>
      </p>
      <Section title="State" of={account}>
        {data && <Standing of={data} />}
        {data?.key && data.lastTry?.result === 'retry' && (
          <Resume label={keyLabel(data.key)} isPaused={false} waiting={0} failed={1} changed={account.refresh} />
        )}
      </Section>
      {data && (
        <Section title="Findings">
          <Findings of={data} changed={account.refresh} />
        </Section>
      )}
      {data && (
        <div class="columns">
          <Section title="Key">
            <Facts items={keyFacts(data)} />
          </Section>
          <Section title="Where">
            <Facts items={placeFacts(data)} />
            <details>
              <summary>ARM id</summary>
              <span class="mono">{data.id}</span>
            </details>
          </Section>
        </div>
      )}
      {data && data.scopeUses.length > 0 && <Scopes of={data} />}
    </>
  );
}

function Standing({ of }: { readonly of: FleetAccount }) {
  const { health, probe } = of;

  return (
    <>
      <p class="row">
        <HealthBadge state={health.state} />
        <span>{HEALTH_MEANINGS[health.state]}</span>
        {health.since && (
          <span class="muted">
            Since <Since at={health.since} />
          </span>
        )}
      </p>
      {health.cause && (
        <p>
          {inWords(health.cause.reason)}
          {health.cause.label ? `: ${health.cause.label}` : ''}.{' '}
          <a href={href(['fleet'], { cause: health.cause.id })}>All accounts of this cause</a>
        </p>
      )}
      {probe && (
        <p>
          Its file service{' '}
          {probe.state === 'open' && !CUT_OFF.includes(health.state) ? 'serves data' : PROBE[probe.state]}, as asked{' '}
          <Since at={probe.checkedOn} />.
        </p>
      )}
      <p class="muted">
        Read from Azure <Since at={of.lastRead} />
        {of.lastChecked && (
          <>
            ; checked <Since at={of.lastChecked} />
          </>
        )}
      </p>
      {of.warnings.map((warning) => (
        <p key={warning} class="muted">
          <Prose text={warning} />
        </p>
      ))}
    </>
  );
}

function keyFacts({ key, mode, current, pinned, identity, lastTry }: FleetAccount) {
  const names = key ? keyNames(key) : undefined;

  return [
    ['Key', key && names ? <a href={href(['keys', names.vault, names.key])}>{keyLabel(key)}</a> : 'Microsoft-managed'],
    mode && (['Mode', mode === 'pinned' ? 'Pinned; the app moves it' : 'Automatic; Storage moves it'] as const),
    current ? (['Version in use', <span title={current}>{shortVersion(current)}</span>] as const) : undefined,
    pinned && pinned !== current
      ? (['Pinned to', <span title={pinned}>{shortVersion(pinned)}</span>] as const)
      : undefined,
    key
      ? ([
          'Identity',
          <span title={identity}>{identity ? shortId(identity) : 'its own (system-assigned)'}</span>,
        ] as const)
      : undefined,
    lastTry &&
      ([
        'Last move',
        <>
          {reasonSentence(lastTry.reason)} <Time at={lastTry.at} />
        </>,
      ] as const),
  ] as const;
}

function placeFacts({ subscription, resourceGroup, region, tags }: FleetAccount) {
  const all = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
  return [
    ['Subscription', subscription],
    ['Resource group', resourceGroup],
    ['Region', region],
    ['Tags', all.length === 0 ? 'none' : all.join(', ')],
  ] as const;
}

function Scopes({ of }: { readonly of: FleetAccount }) {
  return (
    <Section title="Encryption scopes">
      <ul class="items">
        {of.scopeUses.map(({ scope, key, version, mode, lastTry }) => (
          <li key={scope}>
            <span class="strong">{scope}</span>{' '}
            <span class="muted">
              {key ? keyLabel(key) : 'Microsoft-managed'}
              {version ? ` ${shortVersion(version)}` : ''} {mode ?? ''}
              {lastTry ? ` · ${inWords(lastTry.reason)}` : ''}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Findings({ of, changed }: { readonly of: FleetAccount; readonly changed: () => void }) {
  if (of.findings.length === 0) {
    return <p>{of.lastChecked ? 'The last check found nothing.' : 'No check has read it yet.'}</p>;
  }

  return (
    <>
      <p class="muted">{count(of.findings.length, 'finding')} of the last check.</p>
      <ul class="items">
        {of.findings.map((finding) => (
          <li key={finding.id}>
            <div class="row">
              <Badge tone={SEVERITY[finding.severity]}>{inWords(finding.severity)}</Badge>
              <h3>{inWords(finding.reason)}</h3>
              {finding.exemption && <Badge tone="none">Exempt until {finding.exemption.until}</Badge>}
            </div>
            <p>
              <Prose text={withNames(finding.is)} />
            </p>
            <p>
              <span class="label">Should be</span> <Prose text={withNames(finding.shouldBe)} />
            </p>
            <p>
              <span class="label">Next step</span> <Prose text={withNames(finding.fix)} />
            </p>
            {finding.command && <Command text={finding.command} />}
            {finding.reason === 'ContestedChange' && <Release account={of.id} changed={changed} />}
            <p class="muted small-text">
              Since <Since at={finding.since} />
              {finding.changedBy && (
                <>
                  . <Changed by={finding.changedBy} />
                </>
              )}
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}
