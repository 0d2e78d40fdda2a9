import type { FileShare, StorageAccount } from '../world.ts';
import { readFile } from './contents.ts';
import { FileServiceError } from './errors.ts';
import { element, type Xml, xmlDocument } from './xml.ts';

/** The root of a share: its files, and a directory for each name with a slash. */
export function listDirectory(account: StorageAccount, share: FileShare, directory: string, url: URL): string {
  const inside = share.files
    .filter((name) => directory === '' || name.startsWith(`${directory}/`))
    .map((name) => (directory === '' ? name : name.slice(directory.length + 1)));
  const directories = [...new Set(inside.filter((name) => name.includes('/')).map((name) => name.split('/')[0] ?? ''))];
  const files = inside.filter((name) => !name.includes('/'));

  if (directory !== '' && inside.length === 0) {
    throw new FileServiceError(404, 'ResourceNotFound', 'The specified resource does not exist.');
  }

  const entries = [
    ...directories.map((name) => ({
      name,
      xml: element('Directory', [element('Name', name), element('Properties', [])]),
    })),
    ...files.map((name) => ({ name, xml: fileEntry(share, directory, name) })),
  ];

  const { page, head, marker } = paged(entries, url);
  const attributes = { ServiceEndpoint: endpoint(account), ShareName: share.name, DirectoryPath: directory };

  return xmlDocument(
    element(
      'EnumerationResults',
      [
        ...head,
        element(
          'Entries',
          page.map(({ xml }) => xml),
        ),
        marker,
      ],
      attributes,
    ),
  );
}

/** The shares of an account. */
export function listShares(account: StorageAccount, url: URL): string {
  const entries = [...account.fileShares.values()].map((share) => ({
    name: share.name,
    xml: element('Share', [element('Name', share.name), element('Properties', shareProperties(share))]),
  }));
  const { page, head, marker } = paged(entries, url);

  return xmlDocument(
    element(
      'EnumerationResults',
      [
        ...head,
        element(
          'Shares',
          page.map(({ xml }) => xml),
        ),
        marker,
      ],
      {
        ServiceEndpoint: endpoint(account),
      },
    ),
  );
}

function fileEntry(share: FileShare, directory: string, name: string): Xml {
  const content = readFile(share, directory === '' ? name : `${directory}/${name}`);
  const length = String(content?.length ?? 0);
  return element('File', [element('Name', name), element('Properties', [element('Content-Length', length)])]);
}

function shareProperties(share: FileShare): Xml[] {
  return [
    element('Last-Modified', 'Thu, 01 Jan 2026 00:00:00 GMT'),
    element('Etag', '"0x8DE000000000000"'),
    element('Quota', String(share.shareQuota)),
    element('EnabledProtocols', share.enabledProtocols),
  ];
}

/**
 * `prefix`, `marker` and `maxresults` (up to 5,000) of Azure Storage's lists. The marker is the name of the next entry.
 */
function paged<T extends { name: string }>(entries: T[], url: URL): { page: T[]; head: Xml[]; marker: Xml } {
  const prefix = url.searchParams.get('prefix') ?? '';
  const from = url.searchParams.get('marker') ?? '';
  const asked = url.searchParams.get('maxresults');
  const size = asked === null ? 5000 : Number(asked);
  if (!Number.isInteger(size) || size < 1) {
    throw new FileServiceError(400, 'OutOfRangeQueryParameterValue', 'maxresults must be from 1 to 5000.');
  }

  const sorted = entries
    .filter(({ name }) => name.startsWith(prefix) && name >= from)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = sorted.slice(0, Math.min(size, 5000));

  const head = [
    ...(prefix ? [element('Prefix', prefix)] : []),
    ...(from ? [element('Marker', from)] : []),
    ...(asked ? [element('MaxResults', asked)] : []),
  ];

  return { page, head, marker: element('NextMarker', sorted[page.length]?.name ?? '') };
}

function endpoint(account: StorageAccount): string {
  return `https://${account.name}.file.core.windows.net/`;
}
