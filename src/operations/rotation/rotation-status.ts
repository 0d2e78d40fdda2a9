import { z } from 'zod';
import { CmkError } from '../../errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import { type ListPorts, listRotations, type RotationList } from '../../rollout/list-rotations.ts';
import { type ControlPorts, type Ordered, orderPause, orderResume } from '../../rollout/order-pause.ts';
import { endProblem } from '../../rollout/pause.ts';
import { readRotation } from '../../rollout/read-rotation.ts';
import { type RotationView, viewRotation } from '../../rollout/rotation-view.ts';
import type { AppApi } from '../app-api.ts';
import { callBy } from '../key/app-record.ts';
import type { Operator } from '../operator.ts';

const SILENT: Log = () => {};

/** How the rotations stand, and how one of them does. */
export interface RotationStatus {
  list(): Promise<Omit<RotationList, 'next'>>;
  of(key: ManagedKey): Promise<RotationView>;
}

/** By the app's own storage. Errors are the SDK's. */
export function statusFromStorage(ports: ListPorts): RotationStatus {
  return {
    async list() {
      await ports.control.refresh(SILENT, true);
      const all: RotationList['value'][number][] = [];
      let pauses: RotationList['pauses'] = [];
      for (let after: string | undefined = ''; after !== undefined; ) {
        const page: RotationList = await listRotations(after, ports);
        all.push(...page.value);
        ({ pauses } = page);
        after = page.next;
      }
      return { value: all, pauses };
    },
    async of(key) {
      await ports.control.refresh(SILENT, true);
      return viewRotation(key, await readRotation(key, ports), ports.control.pauseNow(key.id));
    },
  };
}

/** What is read of `GET /rotations`. An older app has no `pauses`. */
const ROTATION = z.object({
  key: z.string(),
  state: z.string(),
  pause: z.object({ since: z.string(), until: z.string().optional(), reason: z.string() }).optional(),
  stage: z.object({ name: z.string(), state: z.string() }).optional(),
});
const PAGE = z.object({
  value: z.array(ROTATION),
  pauses: z.array(z.object({ reason: z.string(), since: z.string() })).optional(),
  nextLink: z.string().optional(),
});
const uses = z.array(z.object({ account: z.string(), reason: z.string() })).optional();
const WHOLE = ROTATION.extend({
  places: z.array(z.object({ subscription: z.string(), region: z.string() })).optional(),
  failedUses: uses,
  waitingUses: uses,
});

/** By the app's API, for an operator who may not read its storage. @throws {@link CmkError} `ServiceUnavailable` with what the app says */
export function statusFromApi(api: AppApi): RotationStatus {
  return {
    async list() {
      const all: RotationList['value'][number][] = [];
      let pauses: RotationList['pauses'] = [];
      for (let path: string | undefined = '/rotations'; path !== undefined; ) {
        const page: z.output<typeof PAGE> = await api.get(path, PAGE);
        all.push(...(page.value as unknown as RotationList['value']));
        pauses = (page.pauses ?? []) as unknown as RotationList['pauses'];
        path = page.nextLink?.replace(/^\/api/, '');
      }
      return { value: all, pauses };
    },
    of: async ({ vault, name }) =>
      (await api.get(`/rotations/${vault.name}/${name}`, WHOLE)) as unknown as RotationView,
  };
}

interface ControlCommand {
  readonly key: ManagedKey | undefined;
  readonly reason: string;
  readonly ticket?: string | undefined;
}

/**
 * Pauses on the operator's own sign-in, as the app's API does it. Errors are the SDK's.
 *
 * @throws {@link CmkError} `ArgumentInvalid` for a time that is over, or too far away
 */
export async function pauseRotations(
  { key, ...said }: ControlCommand & { readonly until?: Date | undefined },
  operator: Operator,
  ports: ControlPorts,
): Promise<Ordered> {
  const problem = said.until && endProblem(said.until, ports.now());
  if (problem) {
    throw new CmkError(
      'ArgumentInvalid',
      `${problem} Nothing was changed.`,
      'Give a time to come (--until PT4H), or leave it out.',
    );
  }
  return orderPause({ ...said, ...callBy(operator), key: key?.id }, ports, SILENT);
}

export function resumeRotations(
  { key, ...said }: ControlCommand,
  operator: Operator,
  ports: ControlPorts,
): Promise<Ordered> {
  return orderResume({ ...said, ...callBy(operator), key: key?.id }, ports, SILENT);
}
