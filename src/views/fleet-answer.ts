import { accountsNotListed } from '../accounts/in-sight.ts';
import { causeLabel, summarizeFleet } from '../fleet/fleet-summary.ts';
import { lastTryOf } from '../fleet/rotation-progress.ts';
import type { UseRow } from '../fleet/use-row.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { readAccountRevocations } from '../revocation/account-record.ts';
import { accountRecordView, newestOfParts } from '../revocation/record-view.ts';
import type { JudgedAccount } from './fleet.ts';
import type { FleetAccountAnswer, FleetListAnswer, FleetRowAnswer } from './fleet-schemas.ts';
import type { FleetSnapshot } from './fleet-snapshot.ts';

export function toRow(one: JudgedAccount): FleetRowAnswer {
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

export function toAccountAnswer(
  one: JudgedAccount,
  { readOn }: Pick<FleetSnapshot, 'readOn'>,
): Omit<FleetAccountAnswer, 'freshness' | 'warnings' | 'history'> {
  const { account, known, use, scopeUses, findings } = one;
  const { pinned, current, identity } = use ?? {};
  return {
    ...toRow(one),
    ...(pinned ? { pinned } : {}),
    ...(current ? { current } : {}),
    ...(identity ? { identity } : {}),
    ...lookOf(use),
    scopeUses: known.scopeUses.map(({ scope, key }) => {
      const of = scopeUses.find((candidate) => candidate.scope === scope);
      return { scope, ...keyOf(key), ...versionOf(of), ...lookOf(of) };
    }),
    revocations: readAccountRevocations(account.tags, readOn).open.map(accountRecordView),
    findings: [...findings],
  };
}

/** Revocations below the key that a summary names. */
const MOST_REVOCATIONS = 50;

export function toSummary(
  accounts: readonly JudgedAccount[],
  { readOn, unlisted }: Pick<FleetSnapshot, 'readOn' | 'unlisted'>,
): FleetListAnswer['summary'] {
  const { causes, states, text, ...rest } = summarizeFleet(accounts.map(({ health }) => health));
  const open = accounts
    .flatMap(({ account }) => {
      const newest = newestOfParts(readAccountRevocations(account.tags, readOn).open);
      return newest.map((one) => ({ account: account.name, ...accountRecordView(one) }));
    })
    .sort((a, b) => (a.revokedOn < b.revokedOn ? 1 : -1));
  const named = open.slice(0, MOST_REVOCATIONS);
  return {
    ...rest,
    text: summaryText(text, rest.accounts, unlisted),
    listed: unlisted === 0,
    states: { ...states },
    causes: causes.map((cause) => ({ ...cause, about: [...cause.about] })),
    revocations: named,
    moreRevocations: open.length - named.length,
  };
}

/** Until every subscription has been listed, the count of accounts is not that of the fleet. */
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

function lookOf(use: UseRow | undefined): Pick<FleetAccountAnswer, 'lastLook'> {
  const lastTry = use && lastTryOf(use);
  return lastTry ? { lastLook: { ...lastTry } } : {};
}
