import { isReached, type Row } from './row.ts';

/** The rows of one bench as a table. */
export function printRows(rows: readonly Row[], say: (text: string) => void): void {
  const table = [
    ['work', 'value', 'unit', 'target', '', 'baseline', 'ratio'],
    ...rows.map((row) => [
      row.work,
      digits(row.value),
      row.unit,
      row.target ?? '',
      { true: 'ok', false: 'MISSED', null: '' }[`${isReached(row)}`],
      row.baseline === undefined ? '' : digits(row.baseline),
      row.ratio === undefined ? '' : `${row.ratio}`,
    ]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((cells) => cells[column]!.length)));
  for (const cells of table) {
    const padded = cells.map((cell, column) =>
      column === 1 || column >= 5 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    );
    say(`  ${padded.join('  ')}`.trimEnd());
  }
}

const digits = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 2 });
