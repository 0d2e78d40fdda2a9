import { AsyncLocalStorage } from 'node:async_hooks';
import type { TokenCredential } from '@azure/identity';
import { AzureMonitorMetricExporter, AzureMonitorTraceExporter } from '@azure/monitor-opentelemetry-exporter';
import {
  type Context,
  DiagLogLevel,
  diag,
  type Link,
  type Meter,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { messageOf } from '../errors.ts';
import { otlpMetrics, otlpSpans } from './otlp-client.ts';
import {
  formatTraceparent,
  METRICS,
  type Measurement,
  type MetricName,
  parseTraceparent,
  type SpanAttributes,
  type SpanPlace,
  type Telemetry,
} from './telemetry.ts';

interface OpenTelemetryOptions {
  /**
   * Telemetry settings of the Functions host: `APPLICATIONINSIGHTS_CONNECTION_STRING`, `OTEL_EXPORTER_OTLP_ENDPOINT`
   * and related variables.
   */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Identity for Application Insights; undefined: Application Insights accepts unauthenticated telemetry. */
  readonly credential: TokenCredential | undefined;
  /** Age of the oldest message of each queue, in seconds. */
  readonly queueAges: () => Promise<ReadonlyMap<string, number>>;
  /** Receives the reason of a failed export. */
  readonly failed: (message: string) => void;
}

/** Deadline of an export, in milliseconds. */
const EXPORT_MS = 10_000;
/** Default interval between exports of spans and metrics, in milliseconds; OpenTelemetry's variables override it. */
const SPANS_EVERY_MS = 5_000;
const METRICS_EVERY_MS = 60_000;
/** Maximum number of buffered spans; further spans are dropped, so telemetry never blocks work. */
const MOST_SPANS = 4_096;
const NAME = 'cmk-autopilot';
/** Histogram boundaries in seconds: from events handled immediately to events that waited overnight. */
const BOUNDARIES = [1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];

/** Starts the SDK. Exports to Application Insights, an OTLP endpoint, or both, like the Functions host. */
export function startOpenTelemetry(options: OpenTelemetryOptions): Telemetry {
  const { environment } = options;
  // The SDK logs errors as JSON with a stack, or after a text that names their subject.
  const log = (...said: readonly unknown[]): void =>
    options.failed(said.map((part) => /"message":"([^"]+)/.exec(String(part))?.[1] ?? String(part)).join(' '));
  const quiet = { info: () => {}, debug: () => {}, verbose: () => {}, warn: () => {} };
  diag.setLogger({ ...quiet, error: log }, { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
  const resource = resourceFromAttributes({
    'service.name': environment.WEBSITE_SITE_NAME ?? NAME,
    'service.instance.id': environment.WEBSITE_INSTANCE_ID ?? String(process.pid),
  }).merge(detectResources({ detectors: [envDetector] }));
  const { spans, metrics } = exportersOf(options);
  const tracers = new TracerProvider({
    resource,
    // A rotation is a single trace and rotations are rare, so every span is sampled, whatever the host decides for its
    // spans.
    sampler: new AlwaysOnSampler(),
    spanProcessors: spans.map(
      (exporter) =>
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: MOST_SPANS,
          scheduledDelayMillis: milliseconds(environment.OTEL_BSP_SCHEDULE_DELAY, SPANS_EVERY_MS),
          exportTimeoutMillis: EXPORT_MS,
        }),
    ),
  });
  const metricsEveryMs = milliseconds(environment.OTEL_METRIC_EXPORT_INTERVAL, METRICS_EVERY_MS);
  const meters = new MeterProvider({
    resource,
    readers: metrics.map(
      (exporter) =>
        new PeriodicExportingMetricReader({
          exporter,
          exportIntervalMillis: metricsEveryMs,
          exportTimeoutMillis: Math.min(EXPORT_MS, metricsEveryMs),
        }),
    ),
  });
  return new OpenTelemetry(tracers, meters, options);
}

class OpenTelemetry implements Telemetry {
  readonly #tracers: TracerProvider;
  readonly #meters: MeterProvider;
  readonly #tracer: Tracer;
  readonly #instruments: Readonly<Record<MetricName, (value: number, attributes: SpanAttributes) => void>>;
  readonly #running = new AsyncLocalStorage<Span>();

  constructor(tracers: TracerProvider, meters: MeterProvider, { queueAges }: OpenTelemetryOptions) {
    this.#tracers = tracers;
    this.#meters = meters;
    this.#tracer = tracers.getTracer(NAME);
    const meter = meters.getMeter(NAME);
    this.#instruments = instrumentsOf(meter);
    meter
      .createObservableGauge('cmk.queue.age', { unit: 's', description: 'Age of the oldest message.' })
      .addCallback(async (result) => {
        for (const [queue, seconds] of await queueAges()) result.observe(seconds, { queue });
      });
  }

  async ready(): Promise<void> {}

  async span<T>(
    name: string,
    { attributes = {}, parent, link, since, isCall }: SpanPlace,
    run: () => Promise<T>,
    cameTo?: (result: T) => SpanAttributes,
  ): Promise<T> {
    const kind = isCall ? SpanKind.CLIENT : SpanKind.INTERNAL;
    const options = {
      kind,
      attributes: { ...attributes },
      links: linksTo(link),
      ...(since ? { startTime: since } : {}),
    };
    const span = this.#tracer.startSpan(name, options, this.#under(parent));
    try {
      const result = await this.#running.run(span, run);
      if (cameTo) span.setAttributes(cameTo(result));
      return result;
    } catch (error) {
      const message = messageOf(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: message.slice(0, 300) });
      throw error;
    } finally {
      span.end();
    }
  }

  #under(parent: string | undefined): Context {
    const place = remote(parent) ?? this.#running.getStore()?.spanContext();
    return place ? trace.setSpanContext(ROOT_CONTEXT, place) : ROOT_CONTEXT;
  }

  traceparent(): string | undefined {
    const running = this.#running.getStore();
    return running && formatTraceparent(running.spanContext());
  }

  measure({ name, value, attributes }: Measurement): void {
    this.#instruments[name](value, attributes);
  }

  async flush(): Promise<void> {
    await Promise.allSettled([this.#tracers.forceFlush(), this.#meters.forceFlush()]);
  }
}

function instrumentsOf(meter: Meter): Record<MetricName, (value: number, attributes: SpanAttributes) => void> {
  const instrument = (name: MetricName) => {
    const { kind, unit, about: description } = METRICS[name];
    if (kind === 'counter') {
      const counter = meter.createCounter(name, { unit, description });
      return (value: number, attributes: SpanAttributes) => counter.add(value, attributes);
    }
    const made =
      kind === 'gauge'
        ? meter.createGauge(name, { unit, description })
        : meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: BOUNDARIES } });
    return (value: number, attributes: SpanAttributes) => made.record(value, attributes);
  };
  const names = Object.keys(METRICS) as MetricName[];
  return Object.fromEntries(names.map((name) => [name, instrument(name)])) as ReturnType<typeof instrumentsOf>;
}

function exportersOf({ environment, credential }: OpenTelemetryOptions): {
  readonly spans: readonly SpanExporter[];
  readonly metrics: readonly PushMetricExporter[];
} {
  const spans: SpanExporter[] = [];
  const metrics: PushMetricExporter[] = [];
  const connectionString = environment.APPLICATIONINSIGHTS_CONNECTION_STRING;
  if (connectionString) {
    // The exporter would otherwise send statistics about itself to Microsoft.
    process.env.APPLICATION_INSIGHTS_NO_STATSBEAT = 'true';
    // The exporter writes nothing to the instance's disk. Failed exports are dropped, because the log has the same
    // data.
    const insights = { connectionString, disableOfflineStorage: true, ...(credential ? { credential } : {}) };
    spans.push(new AzureMonitorTraceExporter(insights));
    metrics.push(new AzureMonitorMetricExporter(insights));
  }
  if (environment.OTEL_EXPORTER_OTLP_ENDPOINT) {
    spans.push(otlpSpans(EXPORT_MS));
    metrics.push(otlpMetrics(EXPORT_MS));
  }
  return { spans, metrics };
}

/** Reads a number from a variable of OpenTelemetry; any other text counts as absent. */
function milliseconds(text: string | undefined, otherwise: number): number {
  const ms = Number(text);
  return Number.isFinite(ms) && ms >= 1 ? ms : otherwise;
}

function remote(traceparent: string | undefined): SpanContext | undefined {
  const place = parseTraceparent(traceparent);
  return place && { ...place, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

function linksTo(traceparent: string | undefined): Link[] {
  const context = remote(traceparent);
  return context ? [{ context }] : [];
}
