import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDuration, formatTable, formatTime, type Column } from './table.ts';

type Row = { name: string; n: number | null };
const columns: Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name, shrinks: true },
  { title: 'N', value: (row) => row.n, align: 'right' },
];

describe('formatTable', () => {
  it('aligns columns, numbers to the right, and shows nothing as -', () => {
    assert.equal(
      formatTable(
        [
          { name: 'a', n: 5 },
          { name: 'padaria', n: null },
          { name: 'b', n: 1000 },
        ],
        columns,
        null,
      ),
      'NAME        N\na           5\npadaria     -\nb        1000\n',
    );
  });

  it('cuts only columns that may shrink, to the width of the terminal', () => {
    assert.equal(formatTable([{ name: 'a-very-long-name', n: 12 }], columns, 14), 'NAME         N\na-very-lo…  12\n');
  });

  it('lets no text move the cursor or colour the screen', () => {
    assert.equal(
      formatTable([{ name: '\u001b[31mred\u001b[0m\nline\u0007', n: 1 }], columns, null),
      'NAME       N\nred line   1\n',
    );
  });
});

it('formatDuration picks the unit that a person would', () => {
  assert.deepEqual([0, 999, 1_500, 65_000, 7_380_000].map(formatDuration), [
    '0 ms',
    '999 ms',
    '1.5 s',
    '1 min 05 s',
    '2 h 03 min',
  ]);
  assert.equal(formatDuration(null), null);
});

it('formatTime takes epoch milliseconds and ISO 8601', () => {
  assert.equal(formatTime('2026-11-21T12:00:00.000Z'), formatTime(Date.parse('2026-11-21T12:00:00.000Z')));
  assert.equal(formatTime(null), null);
});
