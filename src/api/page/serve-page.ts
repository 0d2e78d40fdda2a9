import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { HttpResponseInit } from '@azure/functions';
import { type HeaderReader, parseIfNoneMatch } from '../../http/answers.ts';
import type { Settings } from '../../settings/settings.ts';
import { createPageConfig, type PageConfig } from './page-config.ts';

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly gzipped: Uint8Array;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Folder beside the bundled app, which `scripts/bundle.ts` fills. */
const FOLDER = join(import.meta.dirname, 'page');

let files: ReadonlyMap<string, PageFile> | undefined;

/** Files of the page by name, read and compressed at first use. Empty: this build has no page. */
function pageFiles(): ReadonlyMap<string, PageFile> {
  files ??= new Map(
    (existsSync(FOLDER) ? readdirSync(FOLDER) : []).flatMap((name) => {
      const type = TYPES[extname(name)];
      if (type === undefined) return [];
      const bytes = readFileSync(join(FOLDER, name));
      return [[name, { type, bytes, gzipped: gzipSync(bytes, { level: 9 }) }]];
    }),
  );
  return files;
}

/** Serves a file of the page. Undefined `settings` are invalid, and the page is then unavailable. */
export function servePage(
  name: string,
  settings: Pick<Settings, 'auth' | 'cloud' | 'page'> | undefined,
  headers: HeaderReader,
): HttpResponseInit {
  const file = pageFiles().get(name);
  if (!file || !settings?.page.on) {
    const body = 'This address has no page. The API is at /api.\n';
    return { status: 404, headers: { 'content-type': 'text/plain' }, body };
  }

  const isDocument = file.type.startsWith('text/html');

  return isDocument ? serveDocument(file, createPageConfig(settings), headers) : serveFile(file, headers);
}

/** Content security policy that allows only the page's files, its API, and the sign-in service. */
const policy = (signIn: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${signIn}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');

const COMMON = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

const CONFIG = '{{config}}';

/**
 * Serves a document with this deployment's sign-in configuration. Browsers revalidate it and get 304 while it is
 * unchanged.
 */
export function serveDocument(file: PageFile, config: PageConfig | undefined, headers: HeaderReader): HttpResponseInit {
  const text = Buffer.from(file.bytes).toString('utf8');
  const body = text.replace(CONFIG, () => inAttribute(JSON.stringify(config ?? {})));
  const tag = createHash('sha256').update(body).digest('base64url').slice(0, 27);
  const common = {
    ...COMMON,
    'cache-control': 'no-cache',
    etag: `"${tag}"`,
    'content-security-policy': policy(config?.signIn ?? ''),
    // The sign-in window leaves this origin and returns.
    'cross-origin-opener-policy': 'same-origin-allow-popups',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'x-frame-options': 'DENY',
  };

  const had = parseIfNoneMatch(headers);
  if (had.includes(tag) || had.includes('*')) return { status: 304, headers: common };

  return { status: 200, headers: { ...common, 'content-type': file.type }, body };
}

/** Serves a file whose name includes a hash of its content, so browsers may cache it forever. */
export function serveFile({ type, bytes, gzipped }: PageFile, headers: HeaderReader): HttpResponseInit {
  const takesGzip = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(headers.get('accept-encoding') ?? '');

  return {
    status: 200,
    headers: {
      ...COMMON,
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
      ...(takesGzip ? { 'content-encoding': 'gzip' } : {}),
    },
    body: takesGzip ? gzipped : bytes,
  };
}

function inAttribute(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
