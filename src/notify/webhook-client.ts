import { createEmptyPipeline, createHttpHeaders, createPipelineRequest, proxyPolicy } from '@azure/core-rest-pipeline';
import { deadlineHttp } from '../azure/deadline.ts';

/** Deadline of a receiver before a retry: Slack and Teams answer within two seconds. Milliseconds. */
const DEADLINE_MS = 10_000;
/** Maximum length of the body's text for operators. Characters. */
const MOST_SHOWN = 300;
/** Deadline for the body; a slower body is ignored. Milliseconds. */
const BODY_MS = 2_000;

export interface PostAnswer {
  readonly status: number | undefined;
  /** Error code if there is no answer (`ECONNREFUSED`): error messages contain the address. */
  readonly failure?: string;
  readonly retryAfter?: string | undefined;
  /** Start of the body. The text may contain the webhook's secret address: redact before logging. */
  readonly text?: string;
}

/** Sends a POST request within seconds. Follows no redirect, and never throws. */
export type PostWebhook = (
  address: string,
  headers: Readonly<Record<string, string>>,
  body: string,
) => Promise<PostAnswer>;

/** Uses the Azure SDKs' HTTP client, and so their proxy, if any. */
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
      // Reads only the needed start of a long body.
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
    // The caller needs only the status, so a broken body is ignored.
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
