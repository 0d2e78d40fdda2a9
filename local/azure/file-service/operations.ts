import type { FileShare, StorageAccount } from '../world.ts';
import type { FileAccess } from './authorization.ts';
import { createFile, deleteFile, readFile, writeRange } from './contents.ts';
import { FileServiceError } from './errors.ts';
import { listDirectory, listShares } from './listing.ts';

/** A parsed request to the file service. */
export interface FileRequest {
  readonly account: StorageAccount;
  /** Undefined for operations on the account. */
  readonly share: FileShare | undefined;
  /** Path in the share, without a leading slash. */
  readonly path: string;
  readonly url: URL;
  readonly body: Buffer;
  readonly header: (name: string) => string | undefined;
}

/** An operation: its requirements and its effect. */
export interface FileOperation {
  readonly access: FileAccess;
  /** Whether it needs the account's key. */
  readonly touchesData: boolean;
  run(request: FileRequest): FileAnswer;
}

export interface FileAnswer {
  readonly status: number;
  readonly body?: string | Buffer | null;
  readonly headers?: Record<string, string>;
}

const xml = { 'content-type': 'application/xml' };

/** Finds the operation by method, what the path names, restype and comp. Throws the 400 for an unknown one. */
export function findOperation(method: string, url: URL, share: string | undefined, path: string): FileOperation {
  const comp = url.searchParams.get('comp') ?? '';
  const restype = url.searchParams.get('restype') ?? '';
  const inShare = path ? 'path' : 'share';
  const what = [method, share ? inShare : 'account', restype, comp].join(' ').trim();
  const operation = operations[what.replace(/ {2,}/g, ' ')];
  if (operation) return operation;

  throw new FileServiceError(
    400,
    'InvalidQueryParameterValue',
    `The local file service has no operation for "${what}".`,
  );
}

/** The operations by method, what the path names, restype and comp. */
const operations: Record<string, FileOperation> = {
  'GET account list': {
    access: 'read',
    touchesData: false,
    run: ({ account, url }) => ({ status: 200, body: listShares(account, url), headers: xml }),
  },
  'GET share share': {
    access: 'read',
    touchesData: false,
    run: (request) => {
      const { shareQuota, enabledProtocols } = shareOf(request);
      return {
        status: 200,
        headers: { 'x-ms-share-quota': String(shareQuota), 'x-ms-enabled-protocols': enabledProtocols },
      };
    },
  },
  'GET share directory list': { access: 'read', touchesData: true, run: list },
  'GET path directory list': { access: 'read', touchesData: true, run: list },
  'GET path': { access: 'read', touchesData: true, run: download },
  'HEAD path': { access: 'read', touchesData: true, run: (request) => ({ ...download(request), body: null }) },
  'PUT path': { access: 'write', touchesData: true, run: create },
  'PUT path range': { access: 'write', touchesData: true, run: putRange },
  'DELETE path': { access: 'write', touchesData: true, run: remove },
};

function list(request: FileRequest): FileAnswer {
  const { account, path, url } = request;
  return { status: 200, body: listDirectory(account, shareOf(request), path, url), headers: xml };
}

function download(request: FileRequest): FileAnswer {
  const { path, header } = request;
  const content = readFile(shareOf(request), path);
  if (!content) throw notFound();

  const headers = { 'content-type': 'application/octet-stream', 'x-ms-type': 'File', 'accept-ranges': 'bytes' };
  const range = /^bytes=(\d+)-(\d*)$/.exec(header('x-ms-range') ?? header('range') ?? '');
  if (!range) return { status: 200, body: content, headers: { ...headers, 'content-length': String(content.length) } };

  const start = Number(range[1]);
  const part = content.subarray(start, range[2] ? Number(range[2]) + 1 : undefined);
  const end = start + part.length - 1;
  const contentRange = { 'content-range': `bytes ${start}-${end}/${content.length}` };

  return { status: 206, body: part, headers: { ...headers, ...contentRange, 'content-length': String(part.length) } };
}

function create(request: FileRequest): FileAnswer {
  const { path, header } = request;
  const length = Number(header('x-ms-content-length'));
  if (header('x-ms-type')?.toLowerCase() !== 'file' || !Number.isInteger(length) || length < 0) {
    throw new FileServiceError(400, 'MissingRequiredHeader', 'x-ms-type and x-ms-content-length are required.');
  }

  if (length > 4 * 1024 * 1024) {
    throw new FileServiceError(413, 'RequestBodyTooLarge', 'The local file service keeps files of at most 4 MiB.');
  }

  createFile(shareOf(request), path, length);

  return { status: 201 };
}

function putRange(request: FileRequest): FileAnswer {
  const { path, header, body } = request;
  const share = shareOf(request);
  const range = /^bytes=(\d+)-(\d+)$/.exec(header('x-ms-range') ?? header('range') ?? '');

  if (!readFile(share, path)) throw notFound();

  if (!range || !writeRange(share, path, Number(range[1]), body)) {
    throw new FileServiceError(
      416,
      'InvalidRange',
      'The range specified is invalid for the current size of the resource.',
    );
  }

  return { status: 201 };
}

function remove(request: FileRequest): FileAnswer {
  if (!deleteFile(shareOf(request), request.path)) throw notFound();
  return { status: 202 };
}

function notFound(): FileServiceError {
  return new FileServiceError(404, 'ResourceNotFound', 'The specified resource does not exist.');
}

function shareOf({ share }: FileRequest): FileShare {
  if (!share) throw new FileServiceError(404, 'ShareNotFound', 'The specified share does not exist.');
  return share;
}
