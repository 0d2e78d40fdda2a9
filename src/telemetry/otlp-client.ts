import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import {
  JsonMetricsSerializer,
  JsonTraceSerializer,
  MetricsExporterMetricsHelper,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer';
import {
  AggregationTemporality,
  InstrumentType,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';

/** OTLP over HTTP in JSON. Where to, and with which headers and certificates, is read from `OTEL_EXPORTER_OTLP_…`. */
export function otlpSpans(timeoutMillis: number): SpanExporter {
  const options = convertLegacyHttpOptions({ timeoutMillis }, 'TRACES', 'v1/traces', JSON_TYPE);
  return new OTLPExporterBase<ReadableSpan[]>(
    createOtlpHttpExportDelegate(
      options,
      JsonTraceSerializer,
      'otlp_http_json_span_exporter',
      TraceExporterMetricsHelper,
      undefined,
    ),
  );
}

export function otlpMetrics(
  timeoutMillis: number,
  environment: Readonly<Record<string, string | undefined>>,
): PushMetricExporter {
  const options = convertLegacyHttpOptions({ timeoutMillis }, 'METRICS', 'v1/metrics', JSON_TYPE);
  const delegate = createOtlpHttpExportDelegate(
    options,
    JsonMetricsSerializer,
    'otlp_http_json_metric_exporter',
    MetricsExporterMetricsHelper,
    undefined,
  );
  const preference = environment.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE ?? 'cumulative';
  return new OtlpMetrics(new OTLPExporterBase<ResourceMetrics>(delegate), preference.toLowerCase() === 'delta');
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const UP_AND_DOWN: readonly InstrumentType[] = [
  InstrumentType.UP_DOWN_COUNTER,
  InstrumentType.OBSERVABLE_UP_DOWN_COUNTER,
];

class OtlpMetrics implements PushMetricExporter {
  readonly #exporter: OTLPExporterBase<ResourceMetrics>;
  readonly #isDelta: boolean;

  constructor(exporter: OTLPExporterBase<ResourceMetrics>, isDelta: boolean) {
    this.#exporter = exporter;
    this.#isDelta = isDelta;
  }

  export(metrics: ResourceMetrics, done: Parameters<PushMetricExporter['export']>[1]): void {
    this.#exporter.export(metrics, done);
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  /** As the specification of the exporter has it for `cumulative` and `delta`. */
  selectAggregationTemporality(type: InstrumentType): AggregationTemporality {
    return this.#isDelta && !UP_AND_DOWN.includes(type)
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE;
  }
}
