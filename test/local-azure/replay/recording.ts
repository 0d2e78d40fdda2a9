import { readdirSync, readFileSync } from 'node:fs';
import type { World, WorldSettings } from '../../../local/azure/world.ts';

/** One recorded request and its answer, as the files of `recordings/az/` have it. */
export interface Pair {
  readonly i: number;
  readonly command: string;
  readonly method: string;
  readonly uri: string;
  readonly body: Record<string, unknown> | null;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly response: unknown;
}

export interface Recording {
  readonly name: string;
  readonly pairs: readonly Pair[];
  /** Sku of the second vault, where the recording itself does not show it. */
  readonly vault?: { sku: Record<string, unknown> };
  readonly account?: Record<string, unknown>;
}

/** Facts that the recording does not show, by index of a pair. */
export interface SceneOptions {
  readonly settings?: Partial<WorldSettings>;
  /** Kind and SKU of the accounts that were there. */
  readonly account?: { kind: string; skuName: string };
  /** What happened between two pairs. */
  readonly before?: Record<number, (world: World, names: Map<string, string>) => unknown>;
  /** Headers of a request: the recordings have none. */
  readonly headers?: Record<number, (world: World) => Record<string, string>>;
}

const folder = new URL('../recordings/az/', import.meta.url);

export function recordingNames(): string[] {
  return readdirSync(folder).map((file) => file.replace('.json', ''));
}

export function readRecording(name: string): Recording {
  return { name, ...(JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Omit<Recording, 'name'>) };
}

/** Fields that are ids, times or secrets of the recorded run, by name: they have to be there, whatever they say. */
const ofTheRun = new Set(['systemData', 'metricResourceId', 'n', 'x', 'y', 'x-ms-request-id', '$skipToken']);

/** What a preview of managed identities showed in 2021, and neither Azure nor a client of today knows. */
const retired = new Set(['identityUrl', 'clientSecretUrl', 'certRenewAfter']);

const patterns: [RegExp, string][] = [
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '<guid>'],
  [/\b[0-9a-f]{32}\b/g, '<version>'],
  [/skiptoken=[^&]*/g, 'skiptoken=<token>'],
  [/\.z\d+\.web\./g, '.<zone>.web.'],
  [/\b[0-9A-F]{16}\b/g, '<share version>'],
  [/_[0-9A-F]{16}\b/g, '_<share version>'],
  [/^"0x[0-9A-F]+"$/g, '<etag>'],
  [/(?<=\/operationResults\/)[^/?]+/g, '<guid>'],
  // The same, under the name that it had until 2023.
  [/\blogin\.windows\.net\b/g, 'login.microsoftonline.com'],
];

/** A body with what differs from run to run put aside, so that everything else can be compared. */
export function comparable(value: unknown, field = ''): unknown {
  if (typeof value === 'string') {
    if (field === 'nextLink') return comparableLink(value);
    return patterns.reduce((text, [pattern, name]) => text.replace(pattern, name), value);
  }

  if (typeof value === 'number' && value > 1_000_000_000) return '<time>';
  if (Array.isArray(value)) return value.map((item) => comparable(item));
  if (typeof value !== 'object' || value === null) return value;

  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !retired.has(name))
      // The tenant of a user-assigned identity came and went with that preview.
      .filter(([name]) => !(field.includes('/userAssignedIdentities/') && name === 'tenantId'))
      .map(([name, held]) => [
        String(comparable(name)),
        ofTheRun.has(name) && held !== null ? '<of the run>' : comparable(held, name),
      ]),
  );
}

/** A link leads to the same place whatever the order of its query. */
function comparableLink(link: string): unknown {
  const url = new URL(link);
  const names = [...url.searchParams.keys()].sort();
  return { at: `${url.origin}${url.pathname}`, names };
}

/** Maps recorded ids and versions to local ones, from two answers to the same request. */
export function learn(recorded: unknown, local: unknown, names: Map<string, string>): void {
  if (typeof recorded === 'string' && typeof local === 'string') {
    const patterns = [
      /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi,
      /\b[0-9a-f]{32}\b/g,
      /^[0-9A-F]{16}$/g,
    ];

    for (const pattern of patterns) {
      const theirs = recorded.match(pattern) ?? [];
      const ours = local.match(pattern) ?? [];
      if (theirs.length !== ours.length) continue;

      for (const [index, id] of theirs.entries()) names.set(id, ours[index] ?? id);
    }
  } else if (typeof recorded === 'object' && recorded !== null && typeof local === 'object' && local !== null) {
    for (const [name, value] of Object.entries(recorded)) learn(value, (local as Record<string, unknown>)[name], names);
  }
}

/** A recorded text in local ids and versions. */
export function translate(text: string, names: Map<string, string>): string {
  let translated = text;
  for (const [theirs, ours] of names) translated = translated.replaceAll(theirs, ours);
  return translated;
}
