import { generateKeyPairSync } from 'node:crypto';
import { CLIENT_IDS } from '../../../local/azure/constants.ts';
import type { LocalAzure } from '../../../local/azure/server.ts';
import { comparable, learn, type Pair, type Recording, type SceneOptions, translate } from './recording.ts';
import { setScene } from './scene.ts';

/** The headers that a client acts on; the recordings hold these of them. */
const clientHeaders = ['azure-asyncoperation', 'location', 'www-authenticate'];

/**
 * How one pair was answered: `paths` are the places in the answer that are not as recorded. `emptied`: the status is the
 * same, and the recording does not hold the list.
 */
export interface Outcome {
  readonly i: number;
  readonly request: string;
  readonly verdict: 'equal' | 'emptied' | 'differs';
  readonly paths: readonly string[];
}

/** Puts a recording's requests to the local Azure, in their order, and tells how each was answered. */
export async function replay(azure: LocalAzure, recording: Recording, options: SceneOptions): Promise<Outcome[]> {
  const names = new Map<string, string>();

  Object.assign(azure.world.settings, {
    versionListOrder: 'newestFirst',
    keyDeletionMs: 0,
    switchToBlindIdentity: true,
  });

  Object.assign(azure.world.settings, options.settings);
  setScene(azure.world, recording, names, options);

  const own = new Set(ownGroups(recording));
  const outcomes: Outcome[] = [];
  let operation = '';
  let last = 0;

  for (const pair of recording.pairs) {
    const request = `${pair.method} ${decodeURIComponent(new URL(pair.uri).pathname)}`;

    // Repeated polls are not among the pairs: a gap between two of them is time that passed.
    const waited = isPoll(pair) ? 120_000 : 1_500 * (pair.i - last);

    last = pair.i;
    await azure.clock.advance(waited);
    await options.before?.[pair.i]?.(azure.world, names);

    const uri = isPoll(pair) && operation ? operation : translate(pair.uri, names);
    const answer = await send(azure, pair, uri, names, options.headers?.[pair.i]?.(azure.world));

    operation = answer.headers.get('azure-asyncoperation') ?? answer.headers.get('location') ?? operation;

    const text = await answer.text();
    const body = parse(text);
    const different = answer.status !== pair.status;
    if (!different) {
      learn(pair.response, body, names);
      learnToken(pair.response, body, names);
    }

    const paths = different
      ? [`status ${answer.status}, not ${pair.status}: ${text.slice(0, 200)}`]
      : [
          ...differences(seen(body, pair, own), seen(pair.response ?? '', pair, own), ''),
          ...differences(
            headersOf((name) => answer.headers.get(name)),
            headersOf((name) => pair.headers[name]),
            'header ',
          ),
        ];

    const emptied = !different && isEmptied(pair.response);
    const compared = paths.length > 0 ? 'differs' : 'equal';
    const verdict = emptied ? 'emptied' : compared;

    outcomes.push({ i: pair.i, request, verdict, paths: emptied ? [] : paths });
  }

  return outcomes;
}

function isPoll({ uri }: Pair): boolean {
  return /\/(asyncoperations|operationsstatus|operationresults)\//i.test(uri);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function send(
  { world, tokens }: LocalAzure,
  pair: Pair,
  uri: string,
  names: Map<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const principal = world.principals.get(CLIENT_IDS.owner);
  if (!principal) throw new Error('The tenant has an owner.');

  const resource = uri.includes('.vault.azure.net') ? 'https://vault.azure.net' : 'https://management.azure.com';
  const body = pair.body === null ? undefined : translate(JSON.stringify(importableKey(pair)), names);

  return fetch(uri, {
    method: pair.method,
    headers: {
      ...(pair.status === 401 ? {} : { authorization: `Bearer ${tokens.issue(principal, resource).token}` }),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(body ? { body } : {}),
  });
}

function headersOf(read: (name: string) => string | null | undefined): unknown {
  return Object.fromEntries(clientHeaders.map((name) => [name, comparable(read(name) ?? null)]));
}

/** Lists over 40 kB were emptied when the recordings were trimmed. */
function isEmptied(response: unknown): boolean {
  return isObject(response) && response.trimmed !== undefined;
}

/** The skip token of a next page, and a backup blob, stand for themselves in the requests that follow. */
function learnToken(recorded: unknown, local: unknown, names: Map<string, string>): void {
  if (!isObject(recorded) || !isObject(local)) return;
  const token = (link: unknown) => /skiptoken=([^&]+)/i.exec(String(link))?.[1];
  const theirs = token(recorded.nextLink);
  const ours = token(local.nextLink);
  if (theirs && ours) names.set(theirs, ours);
  if (typeof recorded.value === 'string' && typeof local.value === 'string') names.set(recorded.value, local.value);
}

/**
 * What of an answer counts: no ids and times, no secrets, and of a list over a whole subscription only what lies in the
 * groups of the recording, in the order of ids.
 */
function seen(body: unknown, { uri }: Pair, own: ReadonlySet<string>): unknown {
  const counted =
    isObject(body) && Array.isArray(body.value) && !/resourcegroups\//i.test(uri) ? ofGroups(body, own) : body;
  if (isObject(counted) && typeof counted.value === 'string') return { ...counted, value: '<blob>' };
  if (isObject(counted) && Array.isArray(counted.keys)) {
    return comparable({ keys: counted.keys.map((key) => ({ ...(key as object), value: '<secret>' })) });
  }
  return comparable(counted);
}

function ofGroups(body: Record<string, unknown>, own: ReadonlySet<string>): unknown {
  const groupOf = (item: { id?: string; properties?: { vaultId?: string } }) =>
    /resourcegroups\/([^/]+)/i.exec(item.properties?.vaultId ?? item.id ?? '')?.[1]?.toLowerCase();
  const items = body.value as { id?: string }[];
  if (!items.some((item) => groupOf(item))) return body;
  const { nextLink: _, ...rest } = body;
  const value = items.filter((item) => own.has(groupOf(item) ?? ''));
  return { ...rest, value: value.sort((a, b) => ((a.id ?? '').toLowerCase() < (b.id ?? '').toLowerCase() ? -1 : 1)) };
}

/** The groups that the recording's own requests name, in lower case. */
function ownGroups({ pairs }: Recording): string[] {
  return pairs.flatMap(({ uri }) => /resourcegroups\/([^/?]+)/i.exec(uri)?.[1]?.toLowerCase() ?? []);
}

/** The places in which two values differ: `/properties/sku: 1, not 2`. */
function differences(ours: unknown, theirs: unknown, at: string): string[] {
  if (isObject(ours) && isObject(theirs)) {
    return [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].flatMap((name) =>
      differences(ours[name], theirs[name], `${at}/${name}`),
    );
  }

  if (Array.isArray(ours) && Array.isArray(theirs) && ours.length === theirs.length) {
    return ours.flatMap((item, index) => differences(item, theirs[index], `${at}/${index}`));
  }

  if (JSON.stringify(ours) === JSON.stringify(theirs)) return [];
  return [`${at}: ${short(ours)}, not ${short(theirs)}`];
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const namedCurves: Record<string, string> = {
  'P-256': 'P-256',
  'P-384': 'P-384',
  'P-521': 'P-521',
  'P-256K': 'secp256k1',
  SECP256K1: 'secp256k1',
};

const made = new Map<string, object>();

/** The body of a request. The recordings leave the private part of imported keys out: a key of the same type and size. */
function importableKey({ body }: Pair): unknown {
  const key = body?.key as Record<string, string> | undefined;
  if (!key?.d?.startsWith('(left out')) return body;
  const { kty = '', crv, n } = key;
  const size = `${kty} ${crv ?? Buffer.from(n ?? '', 'base64url').length * 8}`;
  const fresh = made.get(size) ?? generate(crv, n);
  made.set(size, fresh);
  return { ...body, key: { ...key, ...fresh, kty, ...(crv ? { crv } : {}) } };
}

function generate(crv: string | undefined, n: string | undefined): object {
  const pair = crv
    ? generateKeyPairSync('ec', { namedCurve: namedCurves[crv] ?? crv })
    : generateKeyPairSync('rsa', { modulusLength: Buffer.from(n ?? '', 'base64url').length * 8 });
  return pair.privateKey.export({ format: 'jwk' });
}
