import { describe, expect, it } from 'vitest';
import { OPERATIONS, ROWS, type Row } from '../support/calls.ts';

describe('the table of calls in docs/reference/api.md', () => {
  it('The table of calls has one row for each operation, and no other row', () => {
    expect(ROWS.map(({ call }) => call).sort()).toEqual(OPERATIONS.map(({ call }) => call).sort());
  });

  it('The table of calls has the roles of the OpenAPI document', () => {
    const roles = (of: readonly Pick<Row, 'call' | 'roles'>[]) => new Map(of.map((one) => [one.call, [...one.roles]]));
    // Which of the two it takes is told by what was asked for: the document says so in words.
    const byRequest = new Set(ROWS.filter(({ narrowed }) => narrowed === 'by the request').map(({ call }) => call));
    expect(roles(ROWS.filter(({ call }) => !byRequest.has(call)))).toEqual(
      roles(OPERATIONS.filter(({ call }) => !byRequest.has(call))),
    );
  });

  it('The table of calls states whether narrowed roles and applications may make each call, in the words of the role matrix', () => {
    const known = ['what it reaches', 'its keys', 'no', 'by the request', '–'];
    expect(ROWS.filter(({ narrowed }) => !known.includes(narrowed))).toEqual([]);
    const kinds = ['yes', 'if named', 'by the request'];
    expect(ROWS.filter(({ applications }) => !kinds.includes(applications))).toEqual([]);
  });
});
