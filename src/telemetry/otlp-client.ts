import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import {
  JsonMetricsSerializer,
  JsonTraceSerializer,
  MetricsExporterMetricsHelper,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer';
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';

/** Exporter for OTLP over HTTP in JSON. It reads endpoint, headers and certificates from `OTEL_EXPORTER_OTLP_…`. */
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

export function otlpMetrics(timeoutMillis: number): PushMetricExporter {
  const options = convertLegacyHttpOptions({ timeoutMillis }, 'METRICS', 'v1/metrics', JSON_TYPE);
  return new OTLPExporterBase<ResourceMetrics>(
    createOtlpHttpExportDelegate(
      options,
      JsonMetricsSerializer,
      'otlp_http_json_metric_exporter',
      MetricsExporterMetricsHelper,
      undefined,
    ),
  );
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
