import { pacingCell, type Turns } from '../azure/turns.ts';
import type { RekeyStore, RekeyWay } from '../fleet/rekey-order.ts';
import { type FindLeftServices, type NeverAsked, neverAsked } from './find-left.ts';
import { type NextStep, waveUnderWay } from './waves.ts';

/** What takes no longer than this needs no word. Milliseconds. */
const UNSAID_MS = 20_000;
/** Accounts that are named. */
const MOST_NAMED = 10;

type UnderWayServices = FindLeftServices & { readonly rekeys: Pick<RekeyStore, 'sent'> };

/**
 * The wave that was sent last, while it is waited for: and where that takes long, for whom, until when, and how many may come
 * to it yet. Errors are those of the store of orders.
 */
export async function underWay({ order, back }: RekeyWay, services: UnderWayServices): Promise<NextStep | undefined> {
  const { wave } = order;
  if (!wave) return undefined;
  const sent = await services.rekeys.sent(order.id);
  const left = [...sent].flatMap(([account, tick]) => (tick === wave.tick ? [account] : []));
  const now = services.now();
  const under = waveUnderWay(order, left.length, now);
  if (!under) return undefined;
  const { endsOn, ...next } = under;
  if (now.getTime() - Date.parse(wave.on) < UNSAID_MS) return next;
  const isAll = !back && services.settings.scopeDiscovery === 'all';
  const toAsk = isAll ? toAskOf(await neverAsked(order, services), services) : [];
  return { ...next, waits: { reason: 'RekeyUnderWay', detail: [leftOf(left, endsOn), ...toAsk].join(' ') } };
}

function leftOf(left: readonly string[], endsOn: Date): string {
  const names = left.slice(0, MOST_NAMED).map((account) => account.split('/').at(-1));
  const others = left.length > MOST_NAMED ? ` and ${left.length - MOST_NAMED} more` : '';
  const they = left.length === 1 ? '1 account of the last wave is' : `${left.length} accounts of the last wave are`;
  const until = `waited for until ${endsOn.toISOString()}; what has not moved by then is sent to again`;
  return `${they} still under way, ${until}: ${names.join(', ')}${others}.`;
}

/** How many accounts are still to be asked for their scopes by whoever was sent to them, in one sentence; none: no sentence. */
export function toAskOf(
  unasked: readonly NeverAsked[],
  { turns, now }: { readonly turns: Turns; readonly now: () => Date },
): string[] {
  const asked = unasked.filter(({ isUnderWay }) => isUnderWay);
  const [first, ...others] = new Map(asked.map(({ place }) => [pacingCell(place), place])).values();
  if (!first) return [];
  const nowMs = now().getTime();
  const inMs = Math.min(...[first, ...others].map((place) => turns.listsMs(place, 1, nowMs)));
  const they = asked.length === 1 ? '1 account is' : `${asked.length} accounts are`;
  const when = inMs > 0 ? `from ${new Date(nowMs + inMs).toISOString()} on` : 'now';
  return [`${they} still to be asked for their encryption scopes; Azure takes more lists ${when}.`];
}
