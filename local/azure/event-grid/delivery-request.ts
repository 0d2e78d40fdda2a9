import { deliveryBody, type PublishedEvent } from './event-body.ts';
import type { Subscription } from './subscription.ts';

/**
 * The request that delivers an event to the Event Grid extension of the Functions host, or to a webhook. `count` is the
 * number of earlier attempts. Throws if there is no address to send it to.
 */
export function deliveryRequest(
  event: PublishedEvent,
  subscription: Subscription,
  count: number,
  functionsHost: string | undefined,
): Request {
  const { body, contentType } = deliveryBody(event, subscription.schema);

  return new Request(targetUrl(subscription, functionsHost), {
    method: 'POST',
    body,
    redirect: 'manual',
    headers: {
      'content-type': contentType,
      'aeg-subscription-name': subscription.name.toUpperCase(),
      'aeg-delivery-count': String(count),
      'aeg-event-type': 'Notification',
      'aeg-metadata-version': subscription.schema.toLowerCase().startsWith('cloudevent') ? '1.0' : '1',
      'aeg-data-version': '1',
    },
  });
}

function targetUrl({ endpointType, functionName, endpointUrl }: Subscription, host: string | undefined): string {
  if (endpointType === 'AzureFunction' && functionName) {
    if (!host) throw new Error('No Functions host is up.');
    return `${host}/runtime/webhooks/eventgrid?functionName=${encodeURIComponent(functionName)}`;
  }
  // The local Azure sends nothing beyond this machine.
  if (endpointUrl && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpointUrl).hostname)) return endpointUrl;
  throw new Error(`The local Event Grid delivers to functions and to webhooks on loopback, not to ${endpointType}.`);
}
