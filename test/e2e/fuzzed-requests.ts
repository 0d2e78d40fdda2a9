/** What a parameter, a field, or a header may hold beside what it should. Path segments are sent as they stand. */
const SEGMENTS = [
  '',
  '.',
  '..',
  '%2e%2e',
  '%2F',
  '%2e%2e%2fcmk-audit',
  '%00',
  '%',
  '%zz',
  '%c0%af',
  '*',
  '~',
  '-',
  'ä',
  '🔑',
  '%F0%9F%94%91',
  "'",
  "x'%20or%20'1",
  '%0d%0aHost:%20evil.example',
  'evil.example',
  'evil.example%2F',
  'kv-files.vault.azure.net',
  'kv-files%40evil.example',
  'kv-files%3F',
  'kv-files%23',
  'kv-files:443',
  '__proto__',
  'constructor',
  'versions',
  'deletedkeys',
  'rotations',
  'a'.repeat(300),
];
const TEXTS = [
  '',
  'found it',
  '\u0000',
  'x'.repeat(20_000),
  'jndi:ldap://evil.example',
  '<script>',
  '\ud800',
  '__proto__',
  '/',
  'https://evil.example/keys/k',
  'kv-files/files-key/x',
  'P999999Y',
  '9999-12-31',
  '2026-11-24.jsonl:99999999999999',
  '-1',
  '1e9',
];
const VALUES: readonly unknown[] = [null, 7, -1, 1e308, [], [[]], {}, { a: 1 }, true, false];
const BODIES = ['', '{', 'null', '[]', '"x"', '1e999', '\u0000', '[[[['.repeat(500), `"${'x'.repeat(20_000)}"`];
const METHODS = ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS'];
const ACCEPTS = ['text/html', '*/*;q=x', 'text/csv', 'a'.repeat(3_000)];
const TYPES = ['application/json; charset=utf-16', 'text/plain', 'multipart/form-data', ''];
const AUTHORIZATIONS = ['', 'Bearer', 'Bearer x.y.z', 'Basic dTpw', `Bearer ${'a'.repeat(20_000)}`, 'bearer null'];
const HEADERS: readonly Record<string, string>[] = [
  { 'x-forwarded-for': '203.0.113.9' },
  { 'x-forwarded-for': 'evil, <script>' },
  { 'x-forwarded-for': 'x'.repeat(5_000) },
  { 'content-encoding': 'gzip' },
  { 'if-none-match': '"' },
  { 'x-http-method-override': 'DELETE' },
  { 'x-forwarded-host': 'evil.example', 'x-original-url': '/admin' },
  { 'x-ms-client-principal': 'e30=' },
  { 'x-functions-key': 'x'.repeat(4_000) },
  { traceparent: 'nonsense', 'x-ms-client-request-id': '../../etc' },
];

/** What is not in the OpenAPI document: the page, and paths that are near to one that is. */
const OTHER_PATHS = [
  '/',
  '/page/index.html',
  '/page/app.js',
  '/page/..%2f..%2fhost.json',
  '/api',
  '/api/',
  '/api/admin',
  '/api/keys/',
  '/api/keys/kv-files/files-key/versions',
  '/api/keys/kv-files/files-key/%72evoke',
  '/api/keys/kv-files/files-key/revoke/restore',
  '/api/rekeys/x/y/z',
  '/admin/functions',
  '/runtime/webhooks/eventgrid?functionName=keyExpired',
];

interface Schema {
  readonly properties?: Readonly<Record<string, { readonly enum?: readonly string[]; readonly const?: unknown }>>;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: { readonly enum?: readonly string[] };
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>> };
}
/** The part of the API's own document that requests are made from: a new route is fuzzed as soon as it is in there. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface Fuzzed {
  /** Method and path of the document, or the path alone for what is not in it. */
  readonly route: string;
  readonly path: string;
  readonly init: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string };
}

/** What requests have to name for something to come of it. */
export interface Names {
  readonly keys: readonly (readonly [vault: string, key: string])[];
  readonly accounts: readonly string[];
  readonly tokens: readonly string[];
}

/** The same numbers for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Ids that are kept: the newest, since those before them are over. */
const MOST_IDS = 60;

/** Requests as they are meant and as they are not, about the same few things, so that some of them go all the way. */
export class FuzzedRequests {
  readonly #document: Document;
  readonly #names: Names;
  readonly #random: () => number;
  readonly #ids: string[] = ['a1b2c3d4e5f6'];

  constructor(document: Document, names: Names, seed: number) {
    this.#document = document;
    this.#names = names;
    this.#random = randomOf(seed);
  }

  /** Takes what an answer calls by an id: a revocation, an order. */
  learn(answer: string): void {
    for (const [, id = ''] of answer.matchAll(/"(?:id|revocation|report)":"([\w-]{4,64})"/g)) {
      if (!this.#ids.includes(id)) this.#ids.push(id);
    }
    this.#ids.splice(0, this.#ids.length - MOST_IDS);
  }

  next(): Fuzzed {
    const operations = Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );

    if (this.#chance(0.04)) return this.#request(this.#one(OTHER_PATHS), this.#one(METHODS), undefined);

    const { path, method, operation } = this.#one(operations);
    const names = this.#namesOfOne(path);
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
      this.#chance(0.8) ? this.#fitting(name, names) : this.#one(SEGMENTS),
    );
    const used = this.#chance(0.85) ? method.toUpperCase() : this.#one(METHODS);
    const wanted = operation.requestBody?.content['application/json']?.schema.$ref.split('/').at(-1) ?? '';
    const body = this.#body(this.#document.components.schemas[wanted], names);
    const request = this.#request(`/api${filled}${this.#query(operation, names)}`, used, body);

    return { ...request, route: `${method} ${path}` };
  }

  #request(path: string, method: string, body: string | undefined): Fuzzed {
    const token = this.#chance(0.9) ? `Bearer ${this.#one(this.#names.tokens)}` : this.#one(AUTHORIZATIONS);
    const headers: Record<string, string> = {
      ...(this.#chance(0.2) ? this.#one(HEADERS) : {}),
      ...(token ? { authorization: token } : {}),
      'content-type': this.#chance(0.95) ? 'application/json' : this.#one(TYPES),
      ...(this.#chance(0.1) ? { accept: this.#one(ACCEPTS) } : {}),
    };
    const hasBody = body !== undefined && method !== 'GET' && method !== 'HEAD';
    return { route: path, path, init: { method, headers, ...(hasBody ? { body } : {}) } };
  }

  /** A key and an account, the same in all of a request. */
  #namesOfOne(path: string): Readonly<Record<string, string>> {
    const [vault, key] = this.#one(this.#names.keys);
    const [otherVault, otherKey] = this.#one(this.#names.keys);
    const account = this.#one(this.#names.accounts);
    const from = `${vault}/${key}`;
    const to = `${otherVault}/${otherKey}`;
    return { vault, key, account, name: account, from, to, confirm: path.includes('{name}') ? account : from };
  }

  #fitting(name: string, names: Readonly<Record<string, string>>): string {
    const known = names[name];
    if (known !== undefined) return known;
    if (['id', 'report', 'revocation'].includes(name)) return this.#one(this.#ids);
    if (name === 'until') return new Date(Date.now() + 7_200_000).toISOString();
    if (name === 'since') return new Date(Date.now() - 7_200_000).toISOString();
    return this.#one(['A script runs wild', 'true', 'files-scope', 'restore', '2026']);
  }

  #query(operation: Operation, names: Readonly<Record<string, string>>): string {
    const parts = (operation.parameters ?? [])
      .filter((parameter) => parameter.in === 'query' && this.#chance(0.3))
      .map(({ name, schema }) => {
        const right = schema.enum ? this.#one(schema.enum) : this.#fitting(name, names);
        return `${name}=${this.#chance(0.75) ? encodeURIComponent(right) : this.#one(['', '%00', '%', ...SEGMENTS])}`;
      });
    if (this.#chance(0.06)) parts.push(this.#one(['dryRun', '__proto__=1', 'a[]=b', 'code=x', '%', ...parts, '']));
    return parts.length > 0 ? `?${parts.join('&')}` : '';
  }

  #body(schema: Schema | undefined, names: Readonly<Record<string, string>>): string | undefined {
    if (this.#chance(0.08)) return this.#one(BODIES);
    if (!schema) return this.#chance(0.9) ? undefined : '{}';
    const fields = Object.entries(schema.properties ?? {}).flatMap(([name, { enum: ofThese, const: fixed }]) => {
      if (this.#chance(['ticket', 'scope', 'maxFailures'].includes(name) ? 0.8 : 0.04)) return [];
      if (this.#chance(0.06)) return [[name, this.#one<unknown>([...TEXTS, ...VALUES])] as const];
      return [[name, fixed ?? (ofThese ? this.#one(ofThese) : this.#fittingField(name, names))] as const];
    });
    if (this.#chance(0.04)) fields.push([this.#one(['more', '__proto__', 'constructor']), this.#one<unknown>(VALUES)]);
    return JSON.stringify(Object.fromEntries(fields));
  }

  #fittingField(name: string, names: Readonly<Record<string, string>>): unknown {
    if (name === 'maxFailures') return 3;
    return name === 'key' && this.#chance(0.3) ? names.from : this.#fitting(name, names);
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  #one<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }
}
