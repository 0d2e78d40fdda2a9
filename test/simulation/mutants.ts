import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import pMap from 'p-map';

/**
 * Breaks the product on purpose, one way at a time, and says whether the simulation notices: `npm run mutants`. A mutant
 * that lives means that a promise is not held by any history.
 */
interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Worlds that are to notice (`--worlds`). */
  readonly worlds?: 'controller' | 'shapes' | 'forgery' | 'grants';
}

const REVOCATION = 'src/revocation/revocation.ts';
const PLANS = 'src/revocation/revocation-plans.ts';

/** What a writer of the queues, tables and leases is kept from. */
const FORGERY_MUTANTS: readonly Omit<Mutant, 'worlds'>[] = [
  {
    name: 'a message that says that the key is being restored is believed',
    file: 'src/revocation/verify-revocation.ts',
    from: '    // After what the tags alone can decide',
    to: `    const { open } = readRevocation(versions, services.now());
    if (open && work.cause.by === 'restore') await finish(key, open, open.revokedBy, versions, services, log);
    // After what the tags alone can decide`,
  },
  {
    name: 'the time of a message is believed to be that of the change',
    file: 'src/probe/probe-work.ts',
    from: '? await followChange(key, change, before',
    to: '? await followChange(key, { ...change, since: work.cause.since }, before',
  },
  {
    name: 'an item waits as long as its row says',
    file: 'src/index/work-items.ts',
    from: 'now.getTime() + getLongestWait(kind) + CLOCKS_MS ? new Date(0) : due',
    to: 'Infinity ? now : due',
  },
  {
    name: 'calls from the future count',
    file: 'src/azure/limiter.ts',
    from: ' || bucket > now + 1)',
    to: ')',
  },
  {
    name: 'a record is made of what a row says',
    file: 'src/controller/decide-use.ts',
    from: 'resultOf(observe(row, read, announced), state);',
    to: 'resultOf(row.movedFrom ? { row } : observe(row, read, announced), state);',
  },
  {
    name: 'the version that a row names is written',
    file: 'src/controller/reconcile-use.ts',
    from: 'answer = await writeUse(read, plan.pin, ',
    to: "answer = await writeUse(read, (plan.pin && seen.target?.split('/').at(-1)) || plan.pin, ",
  },
];

/** What the controller is protected by. */
const CONTROLLER_MUTANTS: readonly Omit<Mutant, 'worlds'>[] = [
  {
    name: 'what a dead worker had in flight is not verified',
    file: 'src/controller/reconcile-subscription.ts',
    from: 'if (hasTargets(left)) await items.put(',
    to: 'if (hasTargets(left)) void (',
  },
  {
    name: 'a worker forgets what the one before it announced',
    file: 'src/controller/pass.ts',
    from: 'return this.#isVerifying && this.#unverified ? [this.#unverified] : [];',
    to: 'return [];',
  },
  {
    name: 'a worker counts its own announcements as moves',
    file: 'src/controller/reconcile-use.ts',
    from: 'decideUse(request, read, state, pass.announced, ',
    to: "decideUse(request, read, state, [...pass.announced, { startedOn: since, targets: { [key.id]: state.versions?.value.at(-1)?.id ?? '' } }], ",
  },
  {
    name: 'an item is deleted although it was queued again',
    file: 'src/controller/pass.ts',
    from: '          await items.finish(started.item);\n          return;',
    to: `          if (!(await items.finish(started.item)))
            for (const one of await items.of(this.#subscription)) if (workRow(one) === workRow(started.item)) await items.finish(one);
          return;`,
  },
  {
    name: 'the items are not read again after the lease is released',
    file: 'src/controller/reconcile-subscription.ts',
    from: '    await pMap(progressed, (key) => ports.reconcileKey(key), { concurrency: CONCURRENCY });',
    to: '    await pMap(progressed, (key) => ports.reconcileKey(key), { concurrency: CONCURRENCY });\n    if (progressed) return undefined;',
  },
  {
    name: "the id of a move is made without Azure's time stamp",
    file: 'src/index/use-row.ts',
    from: 'version.toLowerCase(), stamp];',
    to: 'version.toLowerCase()];',
  },
  {
    name: 'a record of a move does not know which key it left',
    file: 'src/controller/use-result.ts',
    from: '  const left = parseKeyIdentifier(movedFrom);',
    to: '  const left = parseKeyIdentifier(row.key);',
  },
  {
    name: 'a stage is widened by two',
    file: 'src/controller/decide-rollout.ts',
    from: '      stage = this.#nextStage(stage);',
    to: '      stage = this.#nextStage(this.#nextStage(stage));',
  },
  {
    name: 'a list writes the rows of moves that are not recorded',
    file: 'src/controller/listing.ts',
    from: 'const known = this.#pass.results.find(row ?? use) ?? row;',
    to: 'const known = row ? undefined : row;',
  },
  {
    name: 'accounts that come while scopes are listed are forgotten',
    file: 'src/controller/pass-results.ts',
    from: 'await items.put(wanted.map(',
    to: 'await items.putNew(wanted.map(',
  },
  {
    name: 'the scopes of one account are not listed when one of them changed',
    file: 'src/controller/pass.ts',
    from: 'return listing.accountScopes(started);',
    to: 'return listing.account(started);',
  },
  {
    name: 'an account that is gone keeps its rows',
    file: 'src/controller/listing.ts',
    from: 'this.#pass.results.dropAccount(account, rows)',
    to: 'rows.slice(0, 0)',
  },
  {
    name: 'an account that moved to another resource group keeps its former id',
    file: 'src/controller/listing.ts',
    from: 'known && { ...known, account: use.account }',
    to: 'known',
  },
  {
    name: 'a list is not requested for an account that Azure does not find',
    file: 'src/controller/pass-results.ts',
    from: 'this.#wantsList = true;',
    to: 'this.#wantsList = false;',
  },
  {
    name: 'an account moves although its stage has not begun',
    file: 'src/controller/gate.ts',
    from: 'if (isAdmitted(rollout, row)) return undefined;',
    to: 'if (rollout.target) return undefined;',
  },
  {
    name: 'a pause is not read',
    file: 'src/controller/gate.ts',
    from: '  if (pause) {',
    to: '  if (pause && !pause) {',
  },
  {
    name: 'the list that a plan was made from may be old',
    file: 'src/controller/reconcile-use.ts',
    from: 'now().getTime() - listedAt > LIST_MS ?',
    to: 'now().getTime() - listedAt < 0 ?',
  },
  {
    name: 'a worker does not wait for a write in flight',
    file: 'src/controller/reconcile-use.ts',
    from: 'new Date(now.getTime() + GIVEN_UP_MS + MARGIN_MS)',
    to: 'new Date(now.getTime() - GIVEN_UP_MS - MARGIN_MS)',
  },
  {
    name: 'a list of versions is used for a minute',
    file: 'src/controller/key-states.ts',
    from: `export const LIST_MS = 5_000;
/** A plan needs a list that is newer than this, so that the list is valid until the PATCH. Milliseconds. */
const RENEW_MS = 3_000;`,
    to: 'export const [LIST_MS, RENEW_MS] = [60_000, 60_000];',
  },
  {
    name: 'the gate believes what it read before the item',
    file: 'src/controller/fresh-reads.ts',
    from: ' && last.begunAt >= since.getTime()) return',
    to: ') return',
  },
];

/** What holds at every shape of what is managed: two spellings, a vault that hangs, hundreds of keys. */
const SHAPE_MUTANTS: readonly Omit<Mutant, 'worlds'>[] = [
  {
    name: 'a key whose name is spelled in capitals is another key',
    file: 'src/keys/key-identifier.ts',
    from: 'return formatSpelledKeyIdentifier(key, version).toLowerCase();',
    to: 'return formatSpelledKeyIdentifier(key, version);',
  },
  {
    name: 'a use waits in its lane for a list of versions',
    file: 'src/controller/pass.ts',
    from: '      const selected = await this.#select(task, row);',
    to: `      await this.#ports.states.listVersions(task.key, this.#ports.now()).catch(() => undefined);
      const selected = await this.#select(task, row);`,
  },
  {
    name: "the keys of an account's scopes are one property of a table",
    file: 'src/index/fleet-index.ts',
    from: 'const MOST_KEYS = MOST / 200;',
    to: 'const MOST_KEYS = MOST;',
  },
];

/** What decides who reaches a key, and whether that has ended. */
const GRANTS_MUTANTS: readonly Omit<Mutant, 'worlds'>[] = [
  {
    name: 'a role at a management group reaches no key',
    file: 'src/identities/role-grant.ts',
    from: ' || isManagementGroup(parent);',
    to: ';',
  },
  {
    name: 'a role at a key reaches the key whose name begins alike',
    file: 'src/identities/role-grant.ts',
    from: 'child === parent || child.startsWith(`',
    to: 'child.startsWith(parent) || child.startsWith(`',
  },
  {
    name: 'a role with a condition always counts',
    file: 'src/identities/role-grant.ts',
    from: ' && !grant.conditional);',
    to: ');',
  },
  {
    name: 'what a role excludes counts',
    file: 'src/identities/role-grant.ts',
    from: ' && !among(role.notDataActions);',
    to: ';',
  },
  {
    name: 'the role of a group is taken for that of the identity',
    file: 'src/identities/key-grants.ts',
    from: 'if (assignee.toLowerCase() !== principalId.toLowerCase()) {',
    to: "if (assignee === '') {",
  },
  {
    name: 'a revocation of an account is complete while what it cannot remove stands',
    file: 'src/cli/procedures/account/account-break-glass.ts',
    from: 'left.removable.length === 0 && left.standing.length === 0;',
    to: 'left.removable.length === 0;',
  },
  {
    name: 'a revocation of an account is complete while a key of a scope can be used',
    file: 'src/cli/procedures/account/revocation-reach.ts',
    from: "complete: 'value' in read && scopes.length === 0,",
    to: "complete: 'value' in read,",
  },
  {
    name: 'an access policy of another who may be a group counts for nothing',
    file: 'src/identities/key-access.ts',
    from: '  if (missing.length === 0 || !mayHaveAll) return { lacking };',
    to: '  if (missing.length === 0 || mayHaveAll || !mayHaveAll) return { lacking };',
  },
];

export const MUTANTS: readonly Mutant[] = [
  ...GRANTS_MUTANTS.map((mutant) => ({ ...mutant, worlds: 'grants' as const })),
  ...SHAPE_MUTANTS.map((mutant) => ({ ...mutant, worlds: 'shapes' as const })),
  ...FORGERY_MUTANTS.map((mutant) => ({ ...mutant, worlds: 'forgery' as const })),
  ...CONTROLLER_MUTANTS.map((mutant) => ({ ...mutant, worlds: 'controller' as const })),
  {
    name: 'backwards: any other version than the target is moved',
    worlds: 'controller',
    file: 'src/controller/plan.ts',
    from: "if (versionsNamed(use).some((version) => mayBeNewer(version, target, versions))) {\n    return stay('NeverBackwards', target);\n  }",
    to: '',
  },
  {
    name: 'the mode is not kept: an automatic account is pinned',
    worlds: 'controller',
    file: 'src/controller/plan.ts',
    from: "target, pin: '' };",
    to: 'target, pin: target.version as never };',
  },
  {
    name: 'revoked without proof: what the list no longer shows is not read',
    file: 'src/revocation/revoke.ts',
    from: 'if (changes.length === 0) return confirmed;',
    to: 'return confirmed;',
  },
  {
    name: 'no second list: a restore does not see that it was overtaken',
    file: 'src/revocation/restore-key.ts',
    from: 'if (open && open.id !== revocation.id && isNewer(open, revocation)) {',
    to: 'if (open && false) {',
  },
  {
    name: 'a restore leaves no trace: a late record opens the revocation again',
    file: REVOCATION,
    from: 'if (restored && !isNewer(record, restored)) continue;',
    to: '',
  },
  {
    name: 'no verification pass after a revocation',
    file: 'src/revocation/verify-revocation.ts',
    from: "if ('events' in read) await repair(key, read.events, services, log);",
    to: '',
  },
  {
    name: 'what a late write enabled stays enabled',
    file: PLANS,
    from: '(!alsoLate || isUnderWay(version, now))',
    to: '(!alsoLate || alsoLate)',
  },
  {
    name: 'a revocation is not newer than the one whose clock is ahead',
    file: REVOCATION,
    from: 'revokedOn: newest < revokedOn.getTime() ? revokedOn : new Date(Math.max(newest + 1, 0)),',
    to: 'revokedOn,',
  },
  {
    name: 'a version that a person has just disabled is recorded as enabled',
    file: PLANS,
    from: 'fresh.enabled\n      ? {',
    to: 'true\n      ? {',
  },
  {
    name: 'nothing finds a revocation whose record another tool removed',
    file: 'src/drift/gather/known-revocations.ts',
    from: '  subject.lostRevocation = revoked;\n',
    to: '',
  },
  {
    name: 'a restore is complete although it left a version disabled whose record another tool removed',
    file: 'src/revocation/left-disabled.ts',
    from: "  const end = lost.length > 0 ? 'RestoreIncomplete' : result.end;\n",
    to: '  const { end } = result;\n',
  },
  {
    name: 'no deadline: an answer to a caller waits for the queue',
    file: 'src/revocation/follow-ups.ts',
    from: "await withDeadline(QUEUE_WAIT_MS, 'No answer', run);",
    to: 'await run();',
  },
];

const ROOT = join(import.meta.dirname, '../..');

const USAGE = `npm run mutants -- [--seed N] [--histories N] [--only TEXT]

Takes out of the app what protects it, one thing at a time, and says whether random histories notice: each mutant is to be
caught within so many (1,500), from the given seed on (1). With --only, those mutants whose name has the text.`;

const OPTIONS = {
  seed: { type: 'string', default: '1' },
  histories: { type: 'string', default: '1500' },
  only: { type: 'string', default: '' },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

/** In how many histories a mutant was caught; undefined: it lives. */
async function caughtAfter(mutant: Mutant, seed: number, histories: number): Promise<number | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'mutant-'));
  try {
    for (const part of [
      'src',
      'test/simulation',
      'test/support/keys.ts',
      'test/support/memory-fleet-table.ts',
      'test/support/table-limits.ts',
      'test/support/memory-work-items.ts',
      'package.json',
      'tsconfig.json',
    ]) {
      await cp(join(ROOT, part), join(folder, part), { recursive: true });
    }

    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));

    const file = join(folder, mutant.file);
    const text = await readFile(file, 'utf8');
    if (text.split(mutant.from).length !== 2) {
      throw new Error(`${mutant.name}: ${mutant.file} does not have its text once.`);
    }

    await writeFile(
      file,
      text.replace(mutant.from, () => mutant.to),
    );

    const range = ['--seed', String(seed), '--histories', String(histories)];
    const worlds = ['--worlds', mutant.worlds ?? 'others'];
    const args = ['test/simulation/main.ts', ...range, ...worlds, '--stop-at-first', '--as-found'];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });

    // A mutant that does not run proves nothing: a history has to be reported as broken.
    const [, ran, broken] = /^(\d+) histories, ([01]) broken$/m.exec(await readAll(child.stdout)) ?? [];
    if (ran === undefined) throw new Error(`${mutant.name}: its histories did not come to their end.`);

    return broken === '1' ? Number(ran) : undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const seed = Number(values.seed);
  const histories = Number(values.histories);
  const mutants = MUTANTS.filter(({ name }) => name.includes(values.only));
  if (values.help || !Number.isInteger(seed) || !(histories >= 1) || mutants.length === 0) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }

  let alive = 0;
  const judge = async (mutant: Mutant): Promise<void> => {
    const after = await caughtAfter(mutant, seed, histories);
    if (after === undefined) alive += 1;
    console.log(
      `${after === undefined ? 'LIVES'.padEnd(22) : `caught by history ${after}`.padEnd(22)}  ${mutant.name}`,
    );
  };

  await pMap(mutants, judge, { concurrency: availableParallelism() });
  console.log(`${mutants.length - alive} of ${mutants.length} mutants caught within ${histories} histories`);

  return alive === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
