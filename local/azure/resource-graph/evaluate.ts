import { asObject } from '../json.ts';
import { QueryError, type Stage } from './query.ts';

export type Row = Readonly<Record<string, unknown>>;

/** Runs the stages of a query in order. */
export function evaluate(stages: readonly Stage[], rows: readonly Row[]): Row[] {
  return stages.reduce<Row[]>(run, [...rows]);
}

function run(rows: Row[], stage: Stage): Row[] {
  switch (stage.stage) {
    case 'type': {
      const fold = (text: string): string => (stage.ignoreCase ? text.toLowerCase() : text);
      const wanted = new Set(stage.types.map(fold));
      return rows.filter((row) => wanted.has(fold(String(column(row, 'type')))));
    }
    case 'contains': {
      const wanted = stage.texts.map((text) => text.toLowerCase());
      return rows.filter((row) => {
        const text = JSON.stringify(column(row, 'properties')).toLowerCase();
        return wanted.some((one) => text.includes(one));
      });
    }
    case 'in': {
      const wanted = new Set(stage.texts.map((text) => text.toLowerCase()));
      return rows.filter((row) => wanted.has(String(valueAt(row, stage.path) ?? '').toLowerCase()));
    }
    case 'project':
      // A path becomes a column of its own: `properties.encryption` is `properties_encryption`.
      return rows.map((row) =>
        Object.fromEntries(stage.columns.map((path) => [path.replaceAll('.', '_'), valueAt(row, path)])),
      );
    case 'order': {
      const sign = stage.descending ? -1 : 1;
      return rows.sort((a, b) => sign * compare(column(a, stage.column), column(b, stage.column)));
    }
    case 'limit':
      return rows.slice(0, stage.rows);
  }
}

function valueAt(row: Row, path: string): unknown {
  const [first = '', ...rest] = path.split('.');
  return rest.reduce<unknown>((value, name) => asObject(value)?.[name] ?? null, column(row, first));
}

function column(row: Row, name: string): unknown {
  if (name in row) return row[name];
  throw new QueryError(`Failed to resolve the column '${name}'.`);
}

function compare(a: unknown, b: unknown): number {
  const left = String(a);
  const right = String(b);
  return left < right ? -1 : Number(left > right);
}
