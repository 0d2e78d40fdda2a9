import { createEmptyPipeline, createHttpHeaders, createPipelineRequest, proxyPolicy } from '@azure/core-rest-pipeline';
import { deadlineHttp } from '../azure/deadline.ts';

/** A receiver that takes longer is asked again later: Slack and Teams answer within a second or two. Milliseconds. */
const DEADLINE_MS = 10_000;
/** Of a body, for a person to read. Characters. */
const MOST_SHOWN = 300;
/** A body that comes slower is done without. Milliseconds. */
const BODY_MS = 2_000;

/** What came back. */
export interface PostAnswer {
  /** Undefined: nothing did. */
  readonly status: number | undefined;
  /** Why nothing did, as a code (`ECONNREFUSED`): messages have the address in them. */
  readonly failure?: string;
  /** The header Retry-After, as it was sent. */
  readonly retryAfter?: string | undefined;
  /** The beginning of the body. It may contain the webhook's secret address: redact it before logging. */
  readonly text?: string;
}

/** Sends a body to an address by POST, within seconds. It follows no redirect, and never throws. */
export type PostWebhook = (
  address: string,
  headers: Readonly<Record<string, string>>,
  body: string,
) => Promise<PostAnswer>;

/** By the HTTP client of the Azure SDKs, and so by the proxy that they go through, if there is one. */
export function createPostWebhook(): PostWebhook {
  const pipeline = createEmptyPipeline();
  pipeline.addPolicy(proxyPolicy());
  const http = deadlineHttp(() => DEADLINE_MS);
  return async (url, headers, body) => {
    const request = createPipelineRequest({
      url,
      method: 'POST',
      headers: createHttpHeaders({ 'user-agent': 'cmk-autopilot', ...headers }),
      body,
      // A body of any length is read no further than is shown of it.
      streamResponseStatusCodes: new Set([Number.POSITIVE_INFINITY]),
    });
    try {
      const response = await pipeline.sendRequest(http, request);
      const text = await beginningOf(response.readableStreamBody);
      return { status: response.status, retryAfter: response.headers.get('retry-after'), text };
    } catch (error) {
      return { status: undefined, failure: codeOf(error) };
    }
  };
}

async function beginningOf(stream: NodeJS.ReadableStream | undefined): Promise<string> {
  if (!stream) return '';
  const body = stream as NodeJS.ReadableStream & { destroy(): void };
  const timer = setTimeout(() => body.destroy(), BODY_MS);
  let text = '';
  try {
    for await (const chunk of body) {
      text += String(chunk);
      if (text.length >= MOST_SHOWN) break;
    }
  } catch {
    // The status is what counts.
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  return text.slice(0, MOST_SHOWN);
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'Unknown';
}
