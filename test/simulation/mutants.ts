import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Breaks the product on purpose, one way at a time, and says whether the simulation notices: `npm run mutants`. A mutant
 * that lives means that a promise is not held by any history.
 */
interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const REVOCATION = 'src/revocation/revocation.ts';
const PLANS = 'src/revocation/revocation-plans.ts';

const MUTANTS: readonly Mutant[] = [
  {
    name: 'a re-key that was taken back meanwhile moves one more account',
    file: 'src/accounts/rekey-task.ts',
    from: 'return way?.back === this.#way.back ? undefined : OVERTAKEN;',
    to: 'return way || !way ? undefined : OVERTAKEN;',
  },
  {
    name: 'a re-key does not say beforehand what it moves',
    file: 'src/accounts/rekey-task.ts',
    from: "if (!this.#way.back) await this.#put(scope, 'begun');",
    to: '',
  },
  {
    name: 'no fence: the lease is let go before anything is done',
    file: 'src/accounts/reconcile-account.ts',
    from: 'if (!lease) return BUSY;\n    const result',
    to: 'if (!lease) return BUSY;\n    await lease.release();\n    const result',
  },
  {
    name: 'no fence: the lease is let go although a write may still take effect',
    file: 'src/accounts/move-journal.ts',
    from: 'if (this.#isOpen) this.#lease.abandon();\n    else await this.#lease.release();',
    to: 'await this.#lease.release();',
  },
  {
    name: 'what a killed process has under way is not waited for',
    file: 'src/accounts/move-journal.ts',
    from: 'return Math.max(0, ...left);',
    to: 'return left.length - left.length;',
  },
  {
    name: 'no intent: a move is not announced before it is made',
    file: 'src/accounts/move-journal.ts',
    from: 'this.#moves = [...this.#moves, begun];\n    try {\n      await this.#save();',
    to: 'try {\n      await Promise.resolve();',
  },
  {
    name: 'a move that may be recorded already is recorded again',
    file: 'src/accounts/move-journal.ts',
    from: 'this.#found.has(id) ? new Date(at) : undefined',
    to: 'undefined',
  },
  {
    name: 'a move whose answer was lost counts as not made',
    file: 'src/accounts/reconciliation.ts',
    from: 'if (isUnknown) this.journal.giveUp(intent, this.services.now());\n    else this.journal.drop(intent);',
    to: 'this.journal.drop(intent);',
  },
  {
    name: 'backwards: any other version than the target is moved',
    file: 'src/accounts/plan.ts',
    from: "if (versionsNamed(use).some((version) => isNewerVersion(version, target, versions)))\n    return stay('NeverBackwards', target);",
    to: '',
  },
  {
    name: 'no second list: a version that the list lacks is moved off at once',
    file: 'src/accounts/plan.ts',
    from: 'return versionsNamed(use).some((version) => !findVersion(versions, version));',
    to: 'return false;',
  },
  {
    name: 'the mode is not kept: an automatic account is pinned',
    file: 'src/accounts/plan.ts',
    from: "target, pin: '' };",
    to: 'target, pin: target.version as never };',
  },
  {
    name: 'no fence: the key is let go although a rotation may still take effect',
    file: 'src/rotation/rotate-when-due.ts',
    from: 'if (looked.keepTaken) lease.abandon();\n      else await lease.release();',
    to: 'await lease.release();',
  },
  {
    name: 'two instances rotate one key',
    file: 'src/rotation/rotate-when-due.ts',
    from: 'let looked: Looked = LEAVE;',
    to: 'let looked: Looked = LEAVE;\n    await lease.release();',
  },
  {
    name: 'revoked without proof: what the list does not show any more is not looked at',
    file: 'src/revocation/revoke-key.ts',
    from: 'if (changes.length === 0) return this.#result(proof);',
    to: 'return this.#result(proof);',
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
    name: 'no second look after a revocation',
    file: 'src/revocation/settle-revocation.ts',
    from: 'if (work.finished) {',
    to: 'if (work.finished && false) {',
  },
  {
    name: 'a killed revocation is recorded while its own record may still come',
    file: 'src/revocation/record-revocation.ts',
    from: 'const IF_KILLED = [60, 275];',
    to: 'const IF_KILLED = [60];',
  },
  {
    name: 'what a late write opened stays open',
    file: PLANS,
    from: '(alsoLate && !isUnderWay(version, now))',
    to: '(alsoLate && false)',
  },
  {
    name: 'a revocation is not newer than the one whose clock is ahead',
    file: REVOCATION,
    from: 'revokedOn: newest < revokedOn.getTime() ? revokedOn : new Date(Math.max(newest + 1, 0)),',
    to: 'revokedOn,',
  },
  {
    name: 'a version that a person has just disabled is recorded as on',
    file: PLANS,
    from: 'fresh.enabled ? {',
    to: 'true ? {',
  },
];

const ROOT = join(import.meta.dirname, '../..');
const HISTORIES = Number(process.argv[2] ?? 5_000);

async function survives(mutant: Mutant): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'mutant-'));
  try {
    for (const part of ['src', 'test/simulation', 'test/support/keys.ts', 'package.json', 'tsconfig.json']) {
      await cp(join(ROOT, part), join(folder, part), { recursive: true });
    }
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const file = join(folder, mutant.file);
    const text = await readFile(file, 'utf8');
    if (text.split(mutant.from).length !== 2)
      throw new Error(`${mutant.name}: ${mutant.file} does not have its text once.`);
    await writeFile(file, text.replace(mutant.from, mutant.to));
    const args = ['test/simulation/main.ts', '--histories', String(HISTORIES), '--stop-at-first', '--as-found'];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
    return (await new Promise<number | null>((resolve) => child.on('exit', resolve))) === 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

let alive = 0;
for (const mutant of MUTANTS.filter(({ name }) => name.includes(process.argv[3] ?? ''))) {
  const lives = await survives(mutant);
  if (lives) alive += 1;
  console.log(`${lives ? 'LIVES ' : 'caught'}  ${mutant.name}`);
}
console.log(`${MUTANTS.length - alive} of ${MUTANTS.length} mutants caught within ${HISTORIES} histories`);
process.exitCode = alive === 0 ? 0 : 1;
