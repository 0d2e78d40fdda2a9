import { describeFailure } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';

type Place = Pick<ResourceId, 'subscriptionId'> & { readonly location: string };

/**
 * Stops a search in a subscription and region after its first throttled read there, because further calls only extend the
 * wait. Azure Storage counts lists by subscription and region.
 */
export class ThrottledRegions {
  readonly #refusals = new Map<string, unknown>();

  /** @throws errors of the read, or the error that throttled the region */
  async read<T>({ subscriptionId, location }: Place, read: () => Promise<T>): Promise<T> {
    const region = `${subscriptionId}/${location}`.toLowerCase();
    if (this.#refusals.has(region)) throw this.#refusals.get(region);
    try {
      return await read();
    } catch (error) {
      if (describeFailure(error).kind === 'throttled') this.#refusals.set(region, error);
      throw error;
    }
  }
}
