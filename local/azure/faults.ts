import type { DeliveryRule, RequestRule, requestEffects } from './fault-rule.ts';
import { parseRules } from './fault-rule.ts';

export type RequestFault = Pick<RequestRule, (typeof requestEffects)[number]>;
export type DeliveryFault = Pick<DeliveryRule, 'drop' | 'duplicate' | 'delayMs' | 'reorder'>;

interface Armed<Rule> {
  readonly rule: Rule;
  skip: number;
  /** How often it still applies; Infinity: always. */
  left: number;
}

/** The ordered faults that are not used up. Only the first matching rule applies. */
export class Faults {
  #requests: (Armed<RequestRule> & { matches: (host: string, method: string, path: string) => boolean })[] = [];
  #deliveries: Armed<DeliveryRule>[] = [];

  /** Adds rules after the present ones. Throws all problems, and adds no rule, if any rule is wrong. */
  add(rules: readonly unknown[]): void {
    const parsed = parseRules(rules);
    if ('problems' in parsed) throw new TypeError(parsed.problems.join('; '));
    for (const rule of parsed.rules) {
      const state = { skip: rule.skip ?? 0, left: rule.times ?? Number.POSITIVE_INFINITY };
      if (isDeliveryRule(rule)) this.#deliveries.push({ rule, ...state });
      else this.#requests.push({ rule, ...state, matches: requestMatcher(rule) });
    }
  }

  clear(): void {
    this.#requests = [];
    this.#deliveries = [];
  }

  /** The fault for a request, and counts it as used. `path` includes the query. */
  takeRequest(host: string, method: string, path: string): RequestFault | undefined {
    const rule = take(this.#requests, (armed) => armed.matches(host, method, path));
    this.#requests = this.#requests.filter((armed) => armed.left > 0);
    return rule;
  }

  /** The same for a request to the app's storage. Only a rule with a host applies to it. */
  takeStorageRequest(host: string, method: string, path: string): RequestFault | undefined {
    const rule = take(
      this.#requests,
      (armed) => armed.rule.match.host !== undefined && armed.matches(host, method, path),
    );
    this.#requests = this.#requests.filter((armed) => armed.left > 0);
    return rule;
  }

  /** The fault for one delivery to a function, and counts it as used. */
  takeDelivery(functionName: string): DeliveryFault | undefined {
    const rule = take(this.#deliveries, ({ rule: { match } }) => (match.function ?? functionName) === functionName);
    this.#deliveries = this.#deliveries.filter((armed) => armed.left > 0);
    return rule;
  }

  /** The faults that still apply, for users to read. */
  list(): unknown[] {
    return [...this.#requests, ...this.#deliveries].map(({ rule, skip, left }) => ({
      ...rule,
      skip,
      ...(Number.isFinite(left) ? { times: left } : {}),
    }));
  }
}

function take<A extends Armed<unknown>>(rules: A[], matches: (armed: A) => boolean): A['rule'] | undefined {
  for (const armed of rules) {
    if (!matches(armed)) continue;

    if (armed.skip > 0) {
      armed.skip--;
      continue;
    }

    armed.left--;

    return armed.rule;
  }

  return undefined;
}

function isDeliveryRule(rule: RequestRule | DeliveryRule): rule is DeliveryRule {
  return 'delivery' in rule.match;
}

function requestMatcher(rule: RequestRule): (host: string, method: string, path: string) => boolean {
  const { host, method, path } = rule.match;
  const hostPattern = host === undefined ? undefined : glob(host);
  const pathPattern = path === undefined ? undefined : new RegExp(path);
  return (askedHost, askedMethod, askedPath) =>
    (hostPattern?.test(askedHost) ?? true) &&
    (method === undefined || method.toUpperCase() === askedMethod.toUpperCase()) &&
    (pathPattern?.test(askedPath) ?? true);
}

function glob(pattern: string): RegExp {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 'i');
}
