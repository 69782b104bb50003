import type { SettingsOf, SettingTable } from '../setting.ts';
import type { BurnWindow, WindowCounts } from './time-buckets.ts';

/**
 * How a company's work is scheduled by the state of its error budget. tight: it may run further ahead of its fair share;
 * critical: critical-first inside the company, no exploration, its best effort waits.
 */
export type Mode = 'normal' | 'tight' | 'critical';
export const MODES: readonly Mode[] = ['normal', 'tight', 'critical'];

/** Thresholds are burn rates: 1 spends the budget of 28 days in 28 days. Source: Google SRE workbook, "Alerting on SLOs". */
export const BURN_SETTINGS = {
  criticalBurn: {
    default: 14.4,
    min: 1,
    max: 1000,
    what: 'Burn over 1 h and over 5 min from which a company is critical',
  },
  tightBurn: { default: 6, min: 1, max: 1000, what: 'Burn over 6 h and over 30 min from which a company is tight' },
  normalBurn: { default: 1, min: 0, max: 1000, what: 'Burn over 1 h and over 6 h below which it is normal again' },
  minEvents: { default: 20, min: 1, max: 1e6, what: 'Results in the long window below which no mode is raised' },
  minLate: { default: 3, min: 1, max: 1e6, what: 'Late results in the long window below which no mode is raised' },
  dwellMs: { default: 300_000, min: 0, max: 86_400_000, what: 'Time in a mode before it is relaxed, ms' },
  classesPerCompany: { default: 32, min: 1, max: 1000, what: 'Task classes counted apart for one company' },
  series: { default: 20_000, min: 10, max: 1e6, what: 'Companies and classes counted in all; 2 KB each' },
} as const satisfies SettingTable;
export type BurnSettings = SettingsOf<typeof BURN_SETTINGS>;

/** The counts of a window, as of now. */
export type Reader = (window: BurnWindow) => WindowCounts;

/** Times faster than allowed that the budget is spent; 0 = nothing came. */
export const burnOf = ({ late, allowed }: WindowCounts): number => (allowed > 0 ? late / allowed : 0);

/** What the burn rates ask for: both windows must agree, so that neither one spike nor what is long over raises it. */
export function raisedMode(counts: Reader, settings: BurnSettings): Mode {
  if (burns(counts('1h'), counts('5m'), settings.criticalBurn, 0.8, settings)) return 'critical';
  return burns(counts('6h'), counts('30m'), settings.tightBurn, 0.5, settings) ? 'tight' : 'normal';
}

/** The mode that a company in `mode` may relax to; the same mode when it may not. One step at a time. */
export function relaxedMode(mode: Mode, counts: Reader, settings: BurnSettings): Mode {
  const hour = burnThatCounts(counts('1h'), settings);
  if (mode === 'critical') return hour < settings.tightBurn ? 'tight' : mode;
  return hour < settings.normalBurn && burnThatCounts(counts('6h'), settings) < settings.normalBurn ? 'normal' : mode;
}

/** What is too little to raise a mode does not hold one either. */
const burnThatCounts = (counts: WindowCounts, settings: BurnSettings): number =>
  isEnough(counts, settings) ? burnOf(counts) : 0;

const isEnough = ({ total, late }: WindowCounts, settings: BurnSettings): boolean =>
  total >= settings.minEvents && late >= settings.minLate;

/** A lax objective cannot burn 14.4 times too fast even when all is late: there the share of late results decides. */
function burns(long: WindowCounts, short: WindowCounts, limit: number, share: number, settings: BurnSettings): boolean {
  return isEnough(long, settings) && reaches(long, limit, share) && reaches(short, limit, share);
}

function reaches(counts: WindowCounts, limit: number, share: number): boolean {
  return counts.late > 0 && burnOf(counts) >= Math.min(limit, (share * counts.total) / counts.allowed);
}
