import type { z } from 'zod';
import type { RotationSummary } from '../fleet/rotation-schemas.ts';
import type { AppApi } from '../operations/app-api.ts';
import { ROTATION_LIST, type RotationPage } from '../views/rotation.ts';

/** Every rotation under way or finished lately, and every pause. @throws {@link CmkError} with what the app says */
export async function readAllRotations(app: AppApi): Promise<Pick<RotationPage, 'value' | 'pauses'>> {
  const value: RotationSummary[] = [];
  let pauses: RotationPage['pauses'] = [];
  for (let path: string | undefined = '/rotations'; path !== undefined; ) {
    const page: z.output<typeof ROTATION_LIST> = await app.get(path, ROTATION_LIST);
    value.push(...page.value);
    ({ pauses } = page);
    path = page.nextLink?.replace(/^\/api/, '');
  }
  return { value, pauses };
}
