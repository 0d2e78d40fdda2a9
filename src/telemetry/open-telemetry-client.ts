import { AsyncLocalStorage } from 'node:async_hooks';
import type { TokenCredential } from '@azure/identity';
import { AzureMonitorMetricExporter, AzureMonitorTraceExporter } from '@azure/monitor-opentelemetry-exporter';
import {
  DiagLogLevel,
  diag,
  type Meter,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import {
  JsonMetricsSerializer,
  JsonTraceSerializer,
  MetricsExporterMetricsHelper,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { getMessage } from '../errors/errors.ts';
import {
  formatTraceparent,
  METRICS,
  type Measurement,
  type MetricName,
  parseTraceparent,
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
  // The SDK logs errors as JSON with a stack, or after a text that names their subject.
  const log = (...said: readonly unknown[]): void =>
    options.failed(said.map((part) => /"message":"([^"]+)/.exec(String(part))?.[1] ?? String(part)).join(' '));
  const quiet = { info: () => {}, debug: () => {}, verbose: () => {}, warn: () => {} };

  diag.setLogger({ ...quiet, error: log }, { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });

  const { tracers, meters } = providersOf(options);
  const tracer = tracers.getTracer(NAME);
  const instruments = instrumentsOf(meters.getMeter(NAME), options);
  const running = new AsyncLocalStorage<Span>();

  return {
    ready: async () => {},
    async span(name, { attributes = {}, parent, link, since, isCall }, run, cameTo) {
      const place = remote(parent) ?? running.getStore()?.spanContext();
      const related = remote(link);
      const span = tracer.startSpan(
        name,
        {
          kind: isCall ? SpanKind.CLIENT : SpanKind.INTERNAL,
          attributes: { ...attributes },
          links: related ? [{ context: related }] : [],
          ...(since ? { startTime: since } : {}),
        },
        place ? trace.setSpanContext(ROOT_CONTEXT, place) : ROOT_CONTEXT,
      );

      try {
        const result = await running.run(span, run);
        if (cameTo) span.setAttributes(cameTo(result));
        return result;
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: getMessage(error).slice(0, 300) });
        throw error;
      } finally {
        span.end();
      }
    },
    traceparent() {
      const span = running.getStore();
      return span && formatTraceparent(span.spanContext());
    },
    measure: ({ name, value, attributes }) => instruments[name](value, attributes),
    async flush() {
      await Promise.allSettled([tracers.forceFlush(), meters.forceFlush()]);
    },
  };
}

function providersOf(options: OpenTelemetryOptions) {
  const { environment } = options;
  const resource = resourceFromAttributes({
    'service.name': environment.WEBSITE_SITE_NAME ?? NAME,
    'service.instance.id': environment.WEBSITE_INSTANCE_ID ?? String(process.pid),
  }).merge(detectResources({ detectors: [envDetector] }));
  const { spans, metrics } = exportersOf(options);
  const exportIntervalMillis = milliseconds(environment.OTEL_METRIC_EXPORT_INTERVAL, METRICS_EVERY_MS);
  const limits = { exportIntervalMillis, exportTimeoutMillis: Math.min(EXPORT_MS, exportIntervalMillis) };

  const buffer = {
    maxQueueSize: MOST_SPANS,
    scheduledDelayMillis: milliseconds(environment.OTEL_BSP_SCHEDULE_DELAY, SPANS_EVERY_MS),
    exportTimeoutMillis: EXPORT_MS,
  };

  return {
    tracers: new TracerProvider({
      resource,
      // A rotation is a single trace and rotations are rare, so every span is sampled, whatever the host decides for its
      // spans.
      sampler: new AlwaysOnSampler(),
      spanProcessors: spans.map((exporter) => new BatchSpanProcessor({ exporter, ...buffer })),
    }),
    meters: new MeterProvider({
      resource,
      readers: metrics.map((exporter) => new PeriodicExportingMetricReader({ exporter, ...limits })),
    }),
  };
}

type Instruments = Readonly<Record<MetricName, (value: number, attributes: Measurement['attributes']) => void>>;

function instrumentsOf(meter: Meter, { queueAges }: OpenTelemetryOptions): Instruments {
  meter
    .createObservableGauge('cmk.queue.age', { unit: 's', description: 'Age of the oldest message.' })
    .addCallback(async (result) => {
      for (const [queue, seconds] of await queueAges()) result.observe(seconds, { queue });
    });

  const instruments = Object.entries(METRICS).map(([name, { kind, unit, about: description }]) => {
    if (kind === 'counter') {
      const counter = meter.createCounter(name, { unit, description });
      return [name, counter.add.bind(counter)] as const;
    }
    const made =
      kind === 'gauge'
        ? meter.createGauge(name, { unit, description })
        : meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: BOUNDARIES } });
    return [name, made.record.bind(made)] as const;
  });

  return Object.fromEntries(instruments) as unknown as Instruments;
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
    // OTLP over HTTP in JSON. Endpoint, headers and certificates are read from `OTEL_EXPORTER_OTLP_…`.
    const type = { 'Content-Type': 'application/json' };
    const options = (signal: 'TRACES' | 'METRICS') =>
      convertLegacyHttpOptions({ timeoutMillis: EXPORT_MS }, signal, `v1/${signal.toLowerCase()}`, type);
    const traceExport = createOtlpHttpExportDelegate(
      options('TRACES'),
      JsonTraceSerializer,
      'otlp_http_json_span_exporter',
      TraceExporterMetricsHelper,
      undefined,
    );

    const metricExport = createOtlpHttpExportDelegate(
      options('METRICS'),
      JsonMetricsSerializer,
      'otlp_http_json_metric_exporter',
      MetricsExporterMetricsHelper,
      undefined,
    );

    spans.push(new OTLPExporterBase(traceExport));
    metrics.push(new OTLPExporterBase(metricExport));
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
