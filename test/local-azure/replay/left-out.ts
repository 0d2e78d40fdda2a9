import type { Pair } from './more-recordings.ts';

/** What is not replayed, by rule: what the local Azure does not serve. `local/README.md` tells why. */
const rules: readonly { readonly recording?: RegExp; readonly uri?: RegExp; readonly reason: string }[] = [
  { recording: /^advanced_filters$/, reason: 'custom topics of Event Grid' },
  {
    recording: /^(create_event_subscriptions_with_20180501_features|event_subscription_with_storagequeuemessage_ttl)$/,
    uri: /Microsoft\.EventGrid/i,
    reason: 'events delivered to storage queues, Service Bus and hybrid connections',
  },
  { recording: /^rg_(?!query_error)/, reason: 'data of the recorded tenant, of types that are not served' },
  {
    uri: /federatedIdentityCredentials|listAssociatedResources/i,
    reason: 'federated credentials and users of identities',
  },
  { uri: /Microsoft\.ManagedIdentity\/operations/i, reason: 'the list of operations of a resource provider' },
];

/** Why a pair is not replayed; undefined when it is. */
export function leftOut(recording: string, { uri }: Pair): string | undefined {
  return rules.find((rule) => (rule.recording?.test(recording) ?? true) && (rule.uri?.test(uri) ?? true))?.reason;
}
