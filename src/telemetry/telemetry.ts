export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Where a span has its place. */
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

/** One number of what is measured. */
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

/** Spans and metrics. Nothing that is called here waits for, or fails because of, whoever takes them. */
export interface Telemetry {
  /** Resolves when spans are taken, or will not be for now: within two seconds. */
  ready(): Promise<void>;
  /** Runs a piece of work as a span; what it throws is thrown on. */
  span<T>(name: string, place: SpanPlace, run: () => Promise<T>, cameTo?: (result: T) => SpanAttributes): Promise<T>;
  /** W3C trace context of the span that runs now, for whoever goes on elsewhere. */
  traceparent(): string | undefined;
  measure(measurement: Measurement): void;
  /** Hands over what is not handed over yet; resolves within three seconds, whatever comes of it. */
  flush(): Promise<void>;
}

/** For whoever has nobody to send anything to. */
export const NO_TELEMETRY: Telemetry = {
  ready: async () => {},
  span: (_name, _place, run) => run(),
  traceparent: () => undefined,
  measure: () => {},
  flush: async () => {},
};
