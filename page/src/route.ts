import { useEffect, useState } from 'preact/hooks';

/**
 * The view in the address: `#/keys/kv-files/files-key?tab=users`. The hash has it, since the app serves one document.
 */
export interface Route {
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

function parseRoute(hash: string): Route {
  const [, path = '', query = ''] = /^#?\/?([^?]*)\??(.*)$/s.exec(hash) ?? [];
  const parts = path.split('/').filter(Boolean).map(decodePart);
  // These parts would change the path of an API request, however they are encoded. No resource has such a name.
  const isPlace = parts.every((part) => part !== '.' && part !== '..');
  return { parts: isPlace ? parts : [path], query: new URLSearchParams(query) };
}

/** A link to a view. Its query has no empty values. */
export function href(parts: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
  const text = new URLSearchParams(given).toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`;
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener('hashchange', changed);
    // The hash may have changed before the listener was added.
    changed();
    return () => removeEventListener('hashchange', changed);
  }, []);
  return parseRoute(hash);
}

/** Changes the query of the view without a new entry in the history, for each typed character. */
export function replaceQuery(parts: readonly string[], query: Readonly<Record<string, string | undefined>>): void {
  history.replaceState(null, '', href(parts, query));
  dispatchEvent(new HashChangeEvent('hashchange'));
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
