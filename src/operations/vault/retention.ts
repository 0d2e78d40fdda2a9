import { CmkError } from '../../errors.ts';

/**
 * How long deleted keys may be kept.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
export function checkRetention(days: number): void {
  if (Number.isInteger(days) && days >= 7 && days <= 90) return;
  throw new CmkError('ArgumentInvalid', `${days} days of retention are not possible.`, 'Choose 7 to 90.');
}
