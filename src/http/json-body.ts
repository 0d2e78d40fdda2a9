import type { z } from 'zod';
import type { HeaderReader } from './headers.ts';
import { HttpProblem } from './problem.ts';

/** Largest body that is read, in bytes, unless told otherwise. */
export const MAX_BODY_BYTES = 16 * 1024;

/** What is asked of a request with a body; `HttpRequest` of `@azure/functions` and `Request` both fit. */
interface BodyRequest {
  readonly headers: HeaderReader;
  readonly body: AsyncIterable<unknown> | null;
}

/**
 * Reads a JSON body and checks it. The schema should be a `z.strictObject`, so that a misspelled field is refused.
 *
 * @param maxBytes largest body accepted, in bytes
 * @throws {@link HttpProblem} 400 (missing, not JSON, wrong fields: every one named), 413 or 415
 */
export async function readJsonBody<T extends z.ZodType>(
  request: BodyRequest,
  schema: T,
  maxBytes = MAX_BODY_BYTES,
): Promise<z.output<T>> {
  checkEncoding(request.headers);
  const bytes = await readBounded(request, maxBytes);
  if (bytes.length === 0) {
    throw new HttpProblem(
      400,
      'BodyMissing',
      'The call has no body.',
      'Send the fields of this call as a JSON object.',
    );
  }
  const [value, twice] = parseJson(bytes);
  if (twice !== undefined) {
    const detail = `${JSON.stringify(twice.slice(0, 50))} is there twice.`;
    throw new HttpProblem(
      400,
      'BodyInvalid',
      detail,
      'Send each field once: whoever reads the body must read the same.',
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => ({
    field: issue.path.map(String).join('.') || '(body)',
    message: issue.message,
  }));
  throw new HttpProblem(
    400,
    'BodyInvalid',
    issues.map((issue) => `${issue.field}: ${issue.message}`).join('; '),
    'Correct the fields named in "issues"; openapi.json describes every one.',
    { extensions: { issues } },
  );
}

function checkEncoding(headers: HeaderReader): void {
  const type = headers.get('content-type') ?? '';
  const isJson = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(type.trim());
  const encoding = headers.get('content-encoding');
  if (isJson && (encoding === null || /^identity$/i.test(encoding.trim()))) return;
  throw new HttpProblem(
    415,
    'BodyTypeUnsupported',
    'The body is accepted as JSON in UTF-8, not compressed.',
    'Send the header "Content-Type: application/json" and no "Content-Encoding".',
  );
}

async function readBounded(request: BodyRequest, maxBytes: number): Promise<Buffer> {
  const declared = request.headers.get('content-length');
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
    size += bytes.byteLength;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number): HttpProblem {
  return new HttpProblem(
    413,
    'BodyTooLarge',
    `The body is larger than ${maxBytes} bytes.`,
    'Send only the fields of this call; shorten the longest.',
  );
}

/** The value, and the name of a field that an object in it has twice: `JSON.parse` takes the last one, others the first. */
function parseJson(bytes: Buffer): readonly [value: unknown, twice: string | undefined] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return [JSON.parse(text), fieldTwice(text)];
  } catch {
    throw new HttpProblem(
      400,
      'BodyNotJson',
      'The body is not JSON in UTF-8.',
      'Check quotes, commas and brackets of the body; `jq . body.json` shows where it breaks.',
    );
  }
}

/** @param text JSON */
function fieldTwice(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (string && colon) {
      const name: string = JSON.parse(string);
      const names = open.at(-1);
      if (names?.has(name)) return name;
      names?.add(name);
    }
  }
  return undefined;
}
