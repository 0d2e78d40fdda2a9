import { z } from 'zod';
import type { HeaderReader } from './answers.ts';
import { HttpProblem } from './problem.ts';
import { isReadable, NOT_READABLE, TEXT_LENGTHS } from './readable.ts';

/** Schema of a caller's text in a body. @param least and most characters */
function readableText([least, most]: readonly [number, number]) {
  return z.string().trim().min(least).max(most).refine(isReadable, NOT_READABLE);
}

/** An operator's reason, in a body or a query. */
export const REASON = readableText(TEXT_LENGTHS.reason).describe('Reason in your own words, for the audit trail.');
export const TICKET = readableText(TEXT_LENGTHS.ticket).optional().describe('Incident or change number.');

/** Outcome of the audit record, in an answer. */
export const AUDITED = z.string().describe('`written`, or why the app could not write the audit trail.');

/** Limit of the body size, in bytes. */
export const MAX_BODY_BYTES = 16 * 1024;

/** A request with a body; `HttpRequest` of `@azure/functions` and `Request` both fit. */
interface BodyRequest {
  readonly headers: HeaderReader;
  readonly body: AsyncIterable<unknown> | null;
}

/**
 * Reads and validates a JSON body. The schema should be a `z.strictObject`, so a misspelled field is rejected.
 *
 * @throws {@link HttpProblem} 400 (missing, not JSON, or invalid fields, which it lists), 413 or 415
 */
export async function readJsonBody<T extends z.ZodType>(request: BodyRequest, schema: T): Promise<z.output<T>> {
  checkEncoding(request.headers);

  const bytes = await readBounded(request);
  if (bytes.length === 0) throw new HttpProblem('BodyMissing');

  const result = schema.safeParse(parseJson(bytes));
  if (result.success) return result.data;

  const issues = result.error.issues.map((issue) => ({
    field: issue.path.map(String).join('.') || '(body)',
    message: issue.message,
  }));
  const detail = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');

  throw new HttpProblem('BodyInvalid', { detail, extensions: { issues } });
}

function checkEncoding(headers: HeaderReader): void {
  const type = headers.get('content-type') ?? '';
  const isJson = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(type.trim());
  const encoding = headers.get('content-encoding');
  if (isJson && (encoding === null || /^identity$/i.test(encoding.trim()))) return;
  throw new HttpProblem('BodyTypeUnsupported');
}

async function readBounded(request: BodyRequest): Promise<Buffer> {
  const declared = request.headers.get('content-length');
  if (declared !== null && Number(declared) > MAX_BODY_BYTES) throw tooLarge();

  const chunks: Uint8Array[] = [];
  let size = 0;

  for await (const chunk of request.body ?? []) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
    size += bytes.byteLength;
    if (size > MAX_BODY_BYTES) throw tooLarge();

    chunks.push(bytes);
  }

  return Buffer.concat(chunks);
}

function tooLarge(): HttpProblem {
  return new HttpProblem('BodyTooLarge', { detail: `The body is larger than ${MAX_BODY_BYTES} bytes.` });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new HttpProblem('BodyNotJson');
  }
}
