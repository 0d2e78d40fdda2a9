import { z } from 'zod';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { LoggedUse, UsageLog } from '../keys/usage-log.ts';
import type { KeyUsageLog } from '../keys/usage-log-client.ts';
import { readUsageEvidence } from '../retirement/retire-versions.ts';

const time = z.iso.datetime();
const lastUse = z.object({
  on: time,
  objectId: z.string().optional().describe('Object id of who asked, as the log has it.'),
  appId: z.string().optional().describe('Client id of the application.'),
});

/** Who used a key, as answers show it. */
export const LOGGED_USAGE = z
  .object({
    trackedSince: time.optional().describe('The earliest entry of the vault: of the time before, nothing is known.'),
    trackedUntil: time.optional().describe('The latest entry of the vault: the log is some minutes behind.'),
    gaps: z
      .array(z.object({ from: time, to: time }))
      .optional()
      .describe(
        'Nothing of the whole vault was logged in between: nobody asked for a key, or the log was off. The last one first.',
      ),
    versions: z.array(
      z.object({
        version: z.string().optional().describe('Absent: whoever asked named none.'),
        wrapped: lastUse.optional().describe('When it was last asked to wrap, refused requests included.'),
        unwrapped: lastUse.optional(),
        other: lastUse.optional().describe('Encrypt, decrypt, sign or verify.'),
        unclear: lastUse
          .extend({ entry: z.string().optional().describe('What the log calls it.') })
          .optional()
          .describe('An entry of a Managed HSM that may be any request for any version, as its form is not known.'),
      }),
    ),
    unread: z.string().optional().describe('Why the log tells nothing now.'),
  })
  .describe("Who used which version last, by Key Vault's own log. Absent: CMK_USAGE_WORKSPACE is not set.");

export type KeyUsageView = z.output<typeof LOGGED_USAGE>;

/** What the log says of a key; undefined: there is no log. It never throws. */
export async function readKeyUsage(
  key: ManagedKey,
  workspace: string | undefined,
  services: { readonly usageLog: KeyUsageLog },
  ms: number,
): Promise<{ readonly usage?: KeyUsageView }> {
  if (workspace === undefined) return {};
  const evidence = await readUsageEvidence(key, services, ms);
  if ('missing' in evidence) return { usage: { versions: [], unread: evidence.missing } };
  return { usage: toView(evidence.log) };
}

function toView({ uses, trackedSince, trackedUntil, silences }: UsageLog): KeyUsageView {
  const names = [...new Set(uses.map(({ version }) => version))];
  return {
    ...(trackedSince ? { trackedSince: trackedSince.toISOString() } : {}),
    ...(trackedUntil ? { trackedUntil: trackedUntil.toISOString() } : {}),
    ...(silences.length > 0
      ? {
          gaps: silences
            .map(({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() }))
            .sort((a, b) => (a.from < b.from ? 1 : -1)),
        }
      : {}),
    versions: names.map((version) => {
      const last = (operation: LoggedUse['operation']) => {
        const of = uses.filter((use) => use.version === version && use.operation === operation);
        const use = of.sort((a, b) => b.lastOn.getTime() - a.lastOn.getTime())[0];
        if (!use) return undefined;
        const { lastOn, objectId, appId, entry } = use;
        const who = { ...(objectId ? { objectId } : {}), ...(appId ? { appId } : {}) };
        return { on: lastOn.toISOString(), ...who, ...(entry ? { entry } : {}) };
      };
      const [wrapped, unwrapped, other, unclear] = [last('wrap'), last('unwrap'), last('other'), last('unclear')];
      return {
        ...(version === undefined ? {} : { version }),
        ...(wrapped ? { wrapped } : {}),
        ...(unwrapped ? { unwrapped } : {}),
        ...(other ? { other } : {}),
        ...(unclear ? { unclear } : {}),
      };
    }),
  };
}
