import { stripVTControlCharacters } from 'node:util';

export type Column<T> = {
  title: string;
  /** null and undefined are shown as "-". */
  value: (row: T) => string | number | boolean | null | undefined;
  align?: 'left' | 'right';
  /** Columns that may be cut when the terminal is too narrow. */
  shrinks?: boolean;
};

const GAP = 2;
const LEAST = 8;

/** Aligned lines without borders. `width` null = never cut. What comes from outside cannot move the cursor or colour the screen. */
export function formatTable<T>(rows: readonly T[], columns: readonly Column<T>[], width: number | null): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map((column, i) => Math.max(column.title.length, ...cells.map((line) => lengthOf(line[i]!))));
  if (width !== null) shrink(widths, columns, width);
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => fit(text, widths[i]!, columns[i]!.align ?? 'left', i === texts.length - 1))
      .join(' '.repeat(GAP))
      .trimEnd();
  return [columns.map((column) => column.title), ...cells].map((texts) => `${line(texts)}\n`).join('');
}

export function printable(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined || value === '') return '-';
  // oxlint-disable-next-line no-control-regex
  return stripVTControlCharacters(String(value)).replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

function lengthOf(text: string): number {
  return [...text].length;
}

function fit(text: string, width: number, align: 'left' | 'right', last: boolean): string {
  const letters = [...text];
  const cut = letters.length > width ? `${letters.slice(0, width - 1).join('')}…` : text;
  const space = ' '.repeat(Math.max(0, width - lengthOf(cut)));
  return align === 'right' ? space + cut : last ? cut : cut + space;
}

/** Takes from the widest column that may shrink until the line fits or nothing is left to take. */
function shrink<T>(widths: number[], columns: readonly Column<T>[], width: number): void {
  let over = widths.reduce((sum, one) => sum + one, GAP * (widths.length - 1)) - width;
  while (over > 0) {
    let widest = -1;
    for (let i = 0; i < widths.length; i++)
      if (columns[i]!.shrinks && widths[i]! > LEAST && (widest < 0 || widths[i]! > widths[widest]!)) widest = i;
    if (widest < 0) return;
    widths[widest]!--;
    over--;
  }
}

/** `2026-11-21 12:41:49`, local time. */
export function formatTime(at: number | string | Date | null | undefined): string | null {
  if (at === null || at === undefined) return null;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const pad = (n: number): string => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** `850 ms`, `12.3 s`, `4 min 05 s`, `3 h 20 min`. */
export function formatDuration(ms: number | null | undefined): string | null {
  if (ms === null || ms === undefined) return null;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3_600)} h ${String(Math.floor((seconds % 3_600) / 60)).padStart(2, '0')} min`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `312 B`, `4.1 kB`, `18.0 MB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1_000 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${power === 0 ? bytes : (bytes / 1_000 ** power).toFixed(1)} ${BYTE_UNITS[power]}`;
}

/** Three digits that count: `0.123`, `1.5`, `12.3`. */
export const formatNumber = (value: number): string => String(Number(value.toPrecision(3)));

/** `98.2 %`. */
export const formatShare = (share: number): string => `${(100 * share).toFixed(1)} %`;
