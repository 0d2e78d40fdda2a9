import { apiVersionsOf } from '../../local/azure/arm/api-versions.ts';
import { parseArmPath } from '../../local/azure/arm/arm-path.ts';

/** The newest stable api-version of what an ARM path is about. */
export function newestApiVersion(path: string): string {
  const parsed = parseArmPath(path.split('?')[0] ?? '');
  const known = (parsed && apiVersionsOf(parsed.pattern)) ?? [];
  return known.findLast((version) => !version.endsWith('-preview')) ?? known.at(-1) ?? '2025-08-01';
}
