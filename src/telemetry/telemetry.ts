export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanPlace {
  readonly attributes?: SpanAttributes;
  /** W3C trace context (`traceparent`) of what it goes on with. Absent: the span that runs now, or the beginning of a trace. */
  readonly parent?: string | undefined;
  /** W3C trace context of another trace that it has to do with. */
  readonly link?: string | undefined;
  /** When it began, where that is before it is known that it is a span. */
  readonly since?: Date;
  /** It is a call to a service outside. */
  readonly isCall?: boolean;
}

export interface Measurement {
  readonly name: MetricName;
  readonly value: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What is measured, with its unit as OpenTelemetry writes it, and how its numbers are put together. */
export const METRICS = {
  'cmk.accounts.moved': { kind: 'counter', unit: '{account}', about: 'Accounts and scopes moved to another version.' },
  'cmk.rotation.duration': { kind: 'histogram', unit: 's', about: 'From a new key version to its last account.' },
  'cmk.drift.findings': { kind: 'gauge', unit: '{finding}', about: 'Findings of the newest drift check, by code.' },
  'cmk.drift.change.delay': {
    kind: 'histogram',
    unit: 's',
    about: 'From a change in Azure to its findings, by event.',
  },
  'cmk.revocations.open': { kind: 'gauge', unit: '{key}', about: 'Keys with an open revocation.' },
} as const;

export type MetricName = keyof typeof METRICS;

/** Spans and metrics. No call here waits for the exporter, or fails because of it. */
export interface Telemetry {
  /** Resolves when spans are taken, or will not be for now: within two seconds. */
  ready(): Promise<void>;
  /** Runs a piece of work as a span; what it throws is thrown on. */
  span<T>(name: string, place: SpanPlace, run: () => Promise<T>, cameTo?: (result: T) => SpanAttributes): Promise<T>;
  /** W3C trace context of the current span, to pass on in messages. */
  traceparent(): string | undefined;
  measure(measurement: Measurement): void;
  /** Hands over what is not handed over yet; resolves within three seconds, whatever comes of it. */
  flush(): Promise<void>;
}

/** For a process without an exporter. */
export const NO_TELEMETRY: Telemetry = {
  ready: async () => {},
  span: (_name, _place, run) => run(),
  traceparent: () => undefined,
  measure: () => {},
  flush: async () => {},
};

/** A place in a trace, as OpenTelemetry has it. */
interface TracePlace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

/** W3C Trace Context, version 00; a later version may have more behind it. */
export const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}(?:-.{0,100})?$/;

/** Undefined: not a trace context. The sampled flag is ignored. */
export function parseTraceparent(text: string | undefined): TracePlace | undefined {
  const [, traceId, spanId] = TRACEPARENT.exec(text ?? '') ?? [];
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
}

export function formatTraceparent({ traceId, spanId }: TracePlace): string {
  return `00-${traceId}-${spanId}-01`;
}
