import { z } from 'zod';

/** Target versions that a pass announces before its first PATCH: versionless key identifier → version identifier. */
const TARGETS = z.record(z.string().max(300), z.string().max(400)).readonly();
export type Targets = z.output<typeof TARGETS>;

const ANNOUNCEMENT = z.object({
  startedOn: z.iso.datetime().transform((text) => new Date(text)),
  targets: TARGETS,
});
/** Targets that this pass, or the pass of a dead worker, announced before its first PATCH. */
export type Announcement = Readonly<z.output<typeof ANNOUNCEMENT>>;

const CALLS = z.tuple([z.number(), z.number()]).readonly();
const USAGE = z.record(z.string().max(200), z.array(CALLS).max(100).readonly()).readonly();
/**
 * State of a subscription's passes. It is in the lease's blob, because a table's property is too small for all keys of a
 * subscription. It decides what to read and how to attribute changes, never what to write to an account.
 */
export const PASS_STATE = z
  .object({
    /** The pass that runs, or whose worker died. */
    pass: ANNOUNCEMENT.optional().catch(undefined),
    /** What dead workers announced, until the `verify` item is done. */
    unverified: ANNOUNCEMENT.optional().catch(undefined),
    /** Consecutive passes that did not end, including the pass that runs. */
    unclean: z.number().int().min(0).catch(0),
    usage: USAGE.catch({}),
  })
  .catch({ unclean: 0, usage: {} });
type State = z.output<typeof PASS_STATE>;
/** The state as JSON. */
export type PassState = z.input<typeof PASS_STATE>;

export function formatState({ pass, unverified, unclean, usage }: State): PassState {
  return {
    ...(pass ? { pass: format(pass) } : {}),
    ...(unverified ? { unverified: format(unverified) } : {}),
    unclean,
    usage,
  };
}

function format({ startedOn, targets }: Announcement): z.input<typeof ANNOUNCEMENT> {
  return { startedOn: startedOn.toISOString(), targets };
}

/** Merges announcements of dead workers; a later target of a key replaces an earlier one. */
export function mergeAnnouncements(before: Announcement | undefined, later: Announcement): Announcement {
  if (!before) return later;
  const startedOn = new Date(Math.min(before.startedOn.getTime(), later.startedOn.getTime()));
  return { startedOn, targets: { ...before.targets, ...later.targets } };
}

export function hasTargets({ targets }: Announcement): boolean {
  return Object.keys(targets).length > 0;
}
