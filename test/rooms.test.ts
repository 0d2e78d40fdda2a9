import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { wrongArrows } from '../scripts/arrows.ts';

const files = (entries: Record<string, string>) => wrongArrows(new Map(Object.entries(entries)));

describe('imports', () => {
  it('Imports run down', () => {
    expect(
      files({
        'src/drift/gather.ts': "import { known } from '../azure/read-or-why.ts';\n",
        'src/azure/read-or-why.ts': "import { describe } from './failure.ts';\n",
        'src/azure/failure.ts': '',
      }),
    ).toEqual([]);
  });

  it.each([
    ['a value', "import { services } from '../services.ts';\n"],
    ['a type alone', "import type { Services } from '../services.ts';\n"],
    ['over several lines', "import {\n  one,\n  type Services,\n} from '../services.ts';\n"],
    ['handed on', "export { services } from '../services.ts';\n"],
    ['at run time', "const late = await import('../services.ts');\n"],
  ])('The lint rejects an import upwards: %s', (_, text) => {
    expect(files({ 'src/drift/apply.ts': text, 'src/services.ts': '' })).toEqual([
      'src/drift/apply.ts imports src/services.ts: src/drift stands below or beside src/services.ts',
    ]);
  });

  it('The lint rejects imports between rooms of one level, and into a folder of a lower room', () => {
    expect(files({ 'src/vaults/a.ts': "import '../work/b.ts';\n", 'src/work/b.ts': '' })).toHaveLength(1);
    expect(files({ 'src/drift/http/b.ts': "import '../../api/c.ts';\n", 'src/api/c.ts': '' })).toHaveLength(1);
  });

  it('Imports make no circle, not even of types in one room', () => {
    const circle = files({
      'local/a.ts': "import { b } from './b.ts';\n",
      'local/b.ts': "import type { C } from './deep/c.ts';\n",
      'local/deep/c.ts': "import type { A } from '../a.ts';\n",
    });
    expect(circle).toEqual(['a circle: local/a.ts -> local/b.ts -> local/deep/c.ts -> local/a.ts']);
  });

  it('Imports make no circle between the folders of a room', () => {
    const circle = files({
      'src/drift/run.ts': "import './checks/check.ts';\n",
      'src/drift/checks/check.ts': "import '../report.ts';\n",
      'src/drift/report.ts': '',
    });
    expect(circle).toEqual(['a circle: src/drift -> src/drift/checks -> src/drift']);
  });

  it('Imports of Azure are for clients, types included, and those of the host for all modules', () => {
    const sdk = {
      value: "import { A } from '@azure/arm-storage';\n",
      type: "import type { B } from '@azure/identity';\n",
    };
    expect(files({ 'src/controller/plan.ts': sdk.value + sdk.type })).toEqual([
      'src/controller/plan.ts imports @azure/arm-storage: that is for *-client.ts, src/azure and src/services.ts',
      'src/controller/plan.ts imports @azure/identity: that is for *-client.ts, src/azure and src/services.ts',
    ]);

    for (const file of ['src/accounts/storage-client.ts', 'src/azure/cloud.ts', 'src/services.ts', 'test/a.ts']) {
      expect(files({ [file]: sdk.value })).toEqual([]);
    }

    expect(files({ 'src/errors/log.ts': "import type { C } from '@azure/functions';\n" })).toEqual([]);
  });

  it('The lint rejects imports from outside src/', () => {
    expect(files({ 'src/errors/log.ts': "import { World } from '../../local/azure/world.ts';\n" })).toEqual([
      'src/errors/log.ts imports local/azure/world.ts: src/ knows nothing of what is beside it',
    ]);
  });

  it('Imports come from known rooms', () => {
    expect(files({ 'src/cellar/a.ts': '' })).toEqual(['src/cellar/a.ts is in no room of scripts/arrows.ts']);
  });
});

describe('exports', () => {
  it('No two exports have the same name', () => {
    const one = 'export interface Pause {}\nconst hidden = 1;\n';
    const other = 'export async function Pause() {}\nexport const hidden = 2;\n';
    expect(files({ 'src/errors/log.ts': one, 'src/formats/csv.ts': other, 'test/a.ts': one })).toEqual([
      'src/formats/csv.ts exports Pause, and so does src/errors/log.ts',
    ]);
  });

  it('Exports are declared in the module that exports them', () => {
    const lists = globSync('src/**/*.ts').filter((file) =>
      /^export (?:\{|\*|default)/m.test(readFileSync(file, 'utf8')),
    );
    expect(lists).toEqual([]);
  });
});
