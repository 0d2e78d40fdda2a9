import { app } from '@azure/functions';
import { createAppCredential } from '../azure/credential.ts';
import { waitAtMost } from '../azure/deadline.ts';
import { AtMostEvery } from '../errors/at-most-every.ts';
import { getStack } from '../errors/errors.ts';
import { REASONS } from '../errors/reasons.ts';
import { HOUR_MS } from '../formats/spans.ts';
import type { Environment } from '../settings/settings.ts';
import { NO_TELEMETRY, type Telemetry } from '../telemetry/telemetry.ts';

/** Interval between reports of an unreachable exporter endpoint, in milliseconds. */
const LOG_INTERVAL_MS = HOUR_MS;
/** Longest wait for telemetry to load, in milliseconds; then work runs without a span. */
const READY_MS = 2_000;
/** Time limit of a flush in milliseconds, because the host ends an instance soon after its notice. */
const FLUSH_MS = 3_000;

/**
 * Creates telemetry from the Functions host's settings, so host and app export to the same places: Application
 * Insights, an OTLP endpoint, or both. Without these settings, or with `OTEL_SDK_DISABLED`, the function loads nothing.
 *
 * The host continues to export the app's log records. `WorkerOpenTelemetryEnabled` stays unset, because it would make
 * the host drop these records (azure-functions-host, ConfigureOpenTelemetry).
 */
export function createTelemetry(
  environment: Environment,
  queueAges: () => Promise<ReadonlyMap<string, number>>,
): Telemetry {
  const { APPLICATIONINSIGHTS_CONNECTION_STRING: insights, OTEL_EXPORTER_OTLP_ENDPOINT: otlp } = environment;
  if ((!insights && !otlp) || environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return NO_TELEMETRY;

  const logged = new AtMostEvery(LOG_INTERVAL_MS);
  const failed = (message: string): void => {
    if (!logged.due('', Date.now())) return;
    const record = {
      level: 'warning',
      reason: 'TelemetryFailed',
      message: `${REASONS.TelemetryFailed} ${message.slice(0, 1_000)}`,
    };
    console.warn(JSON.stringify(record));
  };

  const telemetry = createLazyTelemetry(
    async () => {
      const { startOpenTelemetry } = await import('../telemetry/open-telemetry-client.ts');
      return startOpenTelemetry({ environment, credential: credentialOf(environment), queueAges, failed });
    },
    (error) => failed(getStack(error)),
  );

  app.hook.appTerminate(() => telemetry.flush());

  return telemetry;
}

/**
 * Loads the exporters at first use, so an instance that only answers calls never loads them.
 *
 * @param failed receives a load error; work then runs without spans
 */
export function createLazyTelemetry(load: () => Promise<Telemetry>, failed: (error: unknown) => void): Telemetry {
  let loading: Promise<void> | undefined;
  let loaded = NO_TELEMETRY;
  const begin = () =>
    load().then((telemetry) => {
      loaded = telemetry;
    }, failed);

  return {
    ready() {
      loading ??= begin();
      return waitAtMost(READY_MS, loading);
    },
    span: (...work) => loaded.span(...work),
    traceparent: () => loaded.traceparent(),
    measure: (measurement) => loaded.measure(measurement),
    flush: () => waitAtMost(FLUSH_MS, loaded.flush()),
  };
}

/** Parses `Authorization=AAD;ClientId=…`: host and app sign in to Application Insights with the same identity. */
function credentialOf(environment: Environment): ReturnType<typeof createAppCredential> | undefined {
  const parts = (environment.APPLICATIONINSIGHTS_AUTHENTICATION_STRING ?? '').split(';').map((part) => part.split('='));
  const fields = new Map(parts.map(([name = '', value = '']) => [name.trim().toLowerCase(), value.trim()]));
  return fields.get('authorization')?.toLowerCase() === 'aad' ? createAppCredential(fields.get('clientid')) : undefined;
}
