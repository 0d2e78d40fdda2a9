import { accountsNotListed } from '../accounts/in-sight.ts';
import { causeLabel, summarizeFleet } from '../fleet/fleet-summary.ts';
import { lastTryOf } from '../fleet/rotation-progress.ts';
import type { UseRow } from '../fleet/use-row.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { EvaluatedAccount } from './fleet.ts';
import type { FleetAccountAnswer, FleetListAnswer, FleetRowAnswer } from './fleet-schemas.ts';
import type { FleetSnapshot } from './fleet-snapshot.ts';

export function toRow(one: EvaluatedAccount): FleetRowAnswer {
  const { account, known, use, health, probe, findings, lastRead, lastChecked } = one;
  const { state, cause, since } = health;
  return {
    name: account.name,
    id: account.id,
    subscription: account.subscriptionId,
    resourceGroup: account.resourceGroup,
    region: account.location,
    ...keyOf(known.key),
    ...versionOf(use),
    ...(known.scopes === undefined ? {} : { scopes: known.scopeUses.length }),
    tags: { ...account.tags },
    health: {
      state,
      ...(cause ? { cause: { ...cause, about: [...cause.about], label: causeLabel(cause) } } : {}),
      ...(since ? { since } : {}),
    },
    ...(probe ? { probe: { state: probe.state, since: probe.since, checkedOn: probe.checkedOn } } : {}),
    findingCount: findings.length,
    lastRead,
    ...(lastChecked ? { lastChecked: lastChecked.toISOString() } : {}),
  };
}

export function toAccountAnswer(one: EvaluatedAccount): Omit<FleetAccountAnswer, 'freshness' | 'warnings' | 'history'> {
  const { known, use, scopeUses, findings } = one;
  const { pinned, current, identity } = use ?? {};
  return {
    ...toRow(one),
    ...(pinned ? { pinned } : {}),
    ...(current ? { current } : {}),
    ...(identity ? { identity } : {}),
    ...lastTryView(use),
    scopeUses: known.scopeUses.map(({ scope, key }) => {
      const of = scopeUses.find((candidate) => candidate.scope === scope);
      return { scope, ...keyOf(key), ...versionOf(of), ...lastTryView(of) };
    }),
    findings: [...findings],
  };
}

export function toSummary(
  accounts: readonly EvaluatedAccount[],
  { unlisted }: Pick<FleetSnapshot, 'unlisted'>,
): FleetListAnswer['summary'] {
  const { causes, states, text, ...rest } = summarizeFleet(accounts.map(({ health }) => health));
  return {
    ...rest,
    text: summaryText(text, rest.accounts, unlisted),
    listed: unlisted === 0,
    states: { ...states },
    causes: causes.map((cause) => ({ ...cause, about: [...cause.about] })),
  };
}

/** While a subscription is unlisted, the summary must not pass for the whole fleet. */
function summaryText(text: string, accounts: number, unlisted: number): string {
  if (unlisted === 0) return text;
  return accounts === 0 ? `Not known yet: ${accountsNotListed(unlisted)}` : `${text}; the others are not known yet`;
}

export function freshnessOf({
  listings,
  report,
  warnings,
}: FleetSnapshot): Pick<FleetListAnswer, 'freshness' | 'warnings'> {
  const subscriptions = [...listings]
    .map(([id, on]) => ({ id, listedOn: on.toISOString() }))
    .sort((a, b) => (a.listedOn < b.listedOn ? -1 : 1));
  const check = report && { id: report.id, startedOn: report.startedOn, complete: report.complete };
  return { freshness: { subscriptions, ...(check ? { check } : {}) }, warnings: [...warnings] };
}

function keyOf(key: string | undefined): Pick<FleetRowAnswer, 'key' | 'vault'> {
  const parsed = key === undefined ? undefined : parseKeyIdentifier(key);
  return key && parsed ? { key, vault: parsed.vaultName } : {};
}

function versionOf(use: UseRow | undefined): Pick<FleetRowAnswer, 'version' | 'mode'> {
  if (!use) return {};
  const version = use.current ?? use.pinned;
  return { mode: use.mode, ...(version ? { version } : {}) };
}

function lastTryView(use: UseRow | undefined): Pick<FleetAccountAnswer, 'lastLook'> {
  const lastTry = use && lastTryOf(use);
  return lastTry ? { lastLook: { ...lastTry } } : {};
}
