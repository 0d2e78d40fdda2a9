import type { HttpResponseInit } from '@azure/functions';
import { conditional } from '../../http/etag.ts';
import type { HeaderReader } from '../../http/headers.ts';
import { jsonResponse } from '../../http/json-response.ts';
import { orUnavailable } from '../../http/or-unavailable.ts';
import type { ReadTrendPorts, TrendReader } from '../trend/read-trend.ts';

/** The last 30 days. @throws {@link HttpProblem} 503 */
export async function showTrend(
  headers: HeaderReader,
  reader: TrendReader,
  ports: ReadTrendPorts,
): Promise<HttpResponseInit> {
  const value = await orUnavailable(
    () => reader.read(ports),
    (why) => `What is kept of the last days cannot be read: ${why}`,
    'Repeat the call in a minute; if it stays, check the storage account of the app.',
  );
  return conditional(headers, jsonResponse(200, { value }), value);
}
