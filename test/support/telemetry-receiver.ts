import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll } from 'vitest';
import { certificates } from '../../local/azure/wire/certificates.ts';
import { stateDir } from './local-azure.ts';

type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly kind: number;
  readonly links: number;
  readonly isError: boolean;
  readonly ms: number;
  readonly attributes: Attributes;
}

export interface ReceivedPoint {
  readonly name: string;
  /** Of a histogram: its sum. */
  readonly value: number;
  readonly attributes: Attributes;
}

/** A receiver of OTLP over HTTP in JSON, and of what is sent to Application Insights. */
export interface TelemetryReceiver {
  /** Also a proxy, which answers all requests itself, whatever their host. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** In the order in which they came. */
  readonly points: readonly ReceivedPoint[];
  /** The lines of bodies on other paths. */
  readonly envelopes: readonly Readonly<Record<string, unknown>>[];
  readonly requests: number;
  /** Headers of the last request. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** `refuse`: every request is answered 400; `hang`: it is never answered. */
  will(answer: 'take' | 'refuse' | 'hang'): void;
}

/** For one test file: at the top level, before `useApp`. */
export function useTelemetryReceiver(): TelemetryReceiver {
  let server: Server | undefined;
  let answer: 'take' | 'refuse' | 'hang' = 'take';
  let url = '';
  let requests = 0;
  let headers: Record<string, unknown> = {};
  const spans: ReceivedSpan[] = [];
  const points: ReceivedPoint[] = [];
  const envelopes: Record<string, unknown>[] = [];
  const take = (path: string, body: string): void => {
    if (path === '/v1/traces') spans.push(...spansOf(JSON.parse(body)));
    else if (path === '/v1/metrics') points.push(...pointsOf(JSON.parse(body)));
    else envelopes.push(...envelopesOf(body));
  };

  beforeAll(async () => {
    const heard = async (request: IncomingMessage, response: ServerResponse) => {
      requests += 1;
      headers = request.headers;

      const chunks: Buffer[] = [];

      for await (const chunk of request) chunks.push(chunk as Buffer);

      if (answer === 'hang') return;

      const bytes = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
      if (answer === 'take') take(request.url ?? '', body.toString());

      response.writeHead(answer === 'take' ? 200 : 400, { 'content-type': 'application/json' });
      response.end(answer === 'take' ? '{}' : '{"message":"no"}');
    };

    // What is sent to Application Insights always comes by TLS: it takes the way through the proxy, which this is too.
    const tls = createTlsServer(await certificates(stateDir()), heard);
    server = createServer(heard).on('connect', (_, socket) => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      tls.emit('connection', socket);
    });

    const listening = server;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });

  return {
    get url() {
      return url;
    },
    get requests() {
      return requests;
    },
    get headers() {
      return headers;
    },
    spans,
    points,
    envelopes,
    will(wanted) {
      answer = wanted;
    },
  };
}

interface OtlpAttribute {
  readonly key: string;
  /** One of `stringValue`, `boolValue`, `intValue` and `doubleValue`; a whole number may be text. */
  readonly value: Readonly<Record<string, string | number | boolean>>;
}
interface OtlpSpan extends Pick<ReceivedSpan, 'name' | 'traceId' | 'spanId' | 'parentSpanId' | 'kind'> {
  readonly links?: readonly unknown[];
  readonly status?: { readonly code?: number };
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
}
interface OtlpPoints {
  readonly dataPoints: readonly {
    readonly attributes: readonly OtlpAttribute[];
    readonly asInt?: number;
    readonly asDouble?: number;
    readonly sum?: number;
  }[];
}
interface OtlpMetric {
  readonly name: string;
  readonly sum?: OtlpPoints;
  readonly gauge?: OtlpPoints;
  readonly histogram?: OtlpPoints;
}

function spansOf(sent: { resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[] }): ReceivedSpan[] {
  const spans = sent.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  return spans.map(({ parentSpanId, links, status, attributes, startTimeUnixNano, endTimeUnixNano, ...span }) => ({
    ...span,
    parentSpanId: parentSpanId || undefined,
    links: links?.length ?? 0,
    isError: status?.code === 2,
    ms: Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6,
    attributes: attributesOf(attributes),
  }));
}

function pointsOf(sent: { resourceMetrics: { scopeMetrics: { metrics: OtlpMetric[] }[] }[] }): ReceivedPoint[] {
  const metrics = sent.resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return metrics.flatMap(({ name, sum, gauge, histogram }) =>
    ((sum ?? gauge ?? histogram)?.dataPoints ?? []).map((point) => ({
      name,
      value: Number(point.sum ?? point.asDouble ?? point.asInt),
      attributes: attributesOf(point.attributes),
    })),
  );
}

function attributesOf(attributes: readonly OtlpAttribute[]): Attributes {
  const plain = ({ stringValue, boolValue, intValue, doubleValue }: OtlpAttribute['value']) =>
    stringValue ?? boolValue ?? Number(intValue ?? doubleValue);
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));
}

function envelopesOf(body: string): Record<string, unknown>[] {
  return body.trimStart().startsWith('[') ? JSON.parse(body) : body.split('\n').map((line) => JSON.parse(line));
}
