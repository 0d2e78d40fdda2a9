/** A route template: `keys/{vault}/{key?}`, with constraints and a final `{*rest}`. */
export interface Route {
  /** The decoded parameters; undefined if the path does not match. */
  match(path: string): Record<string, string> | undefined;
}

interface Segment {
  readonly literal?: string;
  readonly name: string;
  readonly fallback: string | undefined;
  readonly optional: boolean;
  readonly catchAll: boolean;
  readonly constraints: readonly RegExp[];
}

/** The constraints of ASP.NET Core that depend only on the text. */
const CONSTRAINTS: Readonly<Record<string, RegExp>> = {
  int: /^-?\d+$/,
  long: /^-?\d+$/,
  bool: /^(?:true|false)$/i,
  alpha: /^[a-z]*$/i,
  guid: /^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i,
  required: /./,
};

/** `maxlength(8)`. With 0 it matches no segment, so that a route can have `/` behind an optional parameter. */
function ofLength(constraint: string): RegExp | undefined {
  const most = /^maxlength\((\d{1,4})\)$/i.exec(constraint)?.[1];
  return most === undefined ? undefined : new RegExp(`^.{0,${most}}$`, 's');
}

/** @throws if the template has an element that this host does not support */
export function parseRoute(template: string): Route {
  const segments = template.split('/').filter(Boolean).map(parseSegment);
  return { match: (path) => matchSegments(segments, path) };
}

function parseSegment(text: string): Segment {
  const match = /^\{(\*{0,2})([^{}:=?]+)((?::[^{}:=?]+)*)(?:=([^{}?]*))?(\?)?\}$/.exec(text);
  if (!match) {
    if (/[{}]/.test(text)) throw new Error(`Route segment "${text}" is not understood.`);
    return {
      literal: text.toLowerCase(),
      name: '',
      fallback: undefined,
      optional: false,
      catchAll: false,
      constraints: [],
    };
  }

  const [, star = '', name = '', constraints = '', fallback, optional] = match;

  return {
    name,
    fallback,
    optional: optional === '?',
    catchAll: star !== '',
    constraints: constraints
      .split(':')
      .filter(Boolean)
      .map((constraint) => {
        const known = CONSTRAINTS[constraint.toLowerCase()] ?? ofLength(constraint);
        if (!known) throw new Error(`Route constraint "${constraint}" of "${text}" is not imitated by this host.`);
        return known;
      }),
  };
}

function matchSegments(segments: readonly Segment[], path: string): Record<string, string> | undefined {
  const parts = path.split('/').filter(Boolean);
  const params: Record<string, string> = {};

  for (const [index, segment] of segments.entries()) {
    const part = segment.catchAll ? parts.slice(index).join('/') : parts[index];

    if (segment.literal !== undefined) {
      // Compares literals without regard to case, as ASP.NET does.
      if (part === undefined || decode(part)?.toLowerCase() !== segment.literal) return undefined;
      continue;
    }

    if (part === undefined || part === '') {
      if (segment.fallback !== undefined) params[segment.name] = segment.fallback;
      else if (!segment.optional && !segment.catchAll) return undefined;
      continue;
    }

    const value = decode(part);
    if (value === undefined || segment.constraints.some((constraint) => !constraint.test(value))) return undefined;

    params[segment.name] = value;
  }

  const tail = segments.at(-1)?.catchAll === true;

  return tail || parts.length <= segments.length ? params : undefined;
}

/** Undefined unless the text is percent-encoded UTF-8. A slash stays encoded, as in ASP.NET Core. */
function decode(part: string): string | undefined {
  try {
    return part
      .split(/(%2f)/i)
      .map((piece) => (/^%2f$/i.test(piece) ? piece : decodeURIComponent(piece)))
      .join('');
  } catch {
    return undefined;
  }
}
