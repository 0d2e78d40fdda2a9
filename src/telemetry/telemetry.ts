export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanPlace {
  readonly attributes?: SpanAttributes;
  /** W3C trace context (`traceparent`) of the parent span. Absent: the current span, or a new trace. */
  readonly parent?: string | undefined;
  /** W3C trace context of a related trace. */
  readonly link?: string | undefined;
  /** Start of the span, if earlier than the call that creates it. */
  readonly since?: Date;
  /** Whether the span is a call to an external service. */
  readonly isCall?: boolean;
}

export interface Measurement {
  readonly name: MetricName;
  readonly value: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Metrics with their unit in OpenTelemetry's notation, and their instrument. */
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

/** Spans and metrics. No call waits for the exporter or fails because of it. */
export interface Telemetry {
  /** Resolves within two seconds, when spans can be recorded or loading takes longer. */
  ready(): Promise<void>;
  /** Runs work as a span; rethrows its errors. */
  span<T>(name: string, place: SpanPlace, run: () => Promise<T>, cameTo?: (result: T) => SpanAttributes): Promise<T>;
  /** W3C trace context of the current span, to pass on in messages. */
  traceparent(): string | undefined;
  measure(measurement: Measurement): void;
  /** Exports buffered telemetry; resolves within three seconds, even after a failure. */
  flush(): Promise<void>;
}

/** Telemetry of a process without an exporter. */
export const NO_TELEMETRY: Telemetry = {
  ready: async () => {},
  span: (_name, _place, run) => run(),
  traceparent: () => undefined,
  measure: () => {},
  flush: async () => {},
};

/** Position in a trace, in OpenTelemetry's form. */
interface TracePlace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

/** W3C Trace Context, version 00; a later version may append fields. */
export const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}(?:-.{0,100})?$/;

/** Parses a trace context; undefined for any other text. The sampled flag is ignored. */
export function parseTraceparent(text: string | undefined): TracePlace | undefined {
  const [, traceId, spanId] = TRACEPARENT.exec(text ?? '') ?? [];
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
}

export function formatTraceparent({ traceId, spanId }: TracePlace): string {
  return `00-${traceId}-${spanId}-01`;
}
