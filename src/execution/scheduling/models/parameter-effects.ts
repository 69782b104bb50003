import type { TicketSpec } from '../../plans/ticket.ts';

/**
 * What the parameters of a type's tickets say about their log-durations beyond the type. Which parameters matter is found
 * online: each is tried as a slope (log of the number, or of the length of a long text) and as buckets (one per value), and
 * counts once it has made predictions better by a tenth. Sums of effects, fitted by turns (backfitting).
 */
export type ParameterEffects = {
  effects: Effect[];
  /** Tried and found useless: form and name; emptied now and then, so that all get another chance. */
  useless: string[];
  /** Observations since `useless` was emptied. */
  age: number;
};

type Effect = {
  name: string;
  form: 'slope' | 'bucket';
  active: boolean;
  n: number;
  /** Mean absolute error without it, and what it takes off; both decayed. */
  loss: number;
  gain: number;
  /** Of a slope: decayed means and sums around them of the parameter (x) and of what is left to explain (y). */
  x: number;
  y: number;
  xx: number;
  xy: number;
  /** Of buckets: value → weight and mean, the least recent first. */
  buckets: Map<string, { n: number; mean: number }>;
};
export type ParameterEffectsSnapshot = {
  effects: (Omit<Effect, 'buckets'> & { buckets: [string, number, number][] })[];
};

const MAX_EFFECTS = 14;
/** Of a ticket's parameters the first are looked at. */
const MAX_NAMES = 32;
const MAX_ACTIVE = 4;
const MAX_BUCKETS = 32;
const MAX_USELESS = 32;
const TRIAL = 48;
const RETRY = 1_024;
const LONGEST_BUCKET = 64;
const RIDGE = 0.5;
/** Names that no parameter can have: what is not a parameter but may matter as one. */
const CAPABILITIES = '\ncapabilities';
const ESTIMATE = '\nestimate';

export const noEffects = (): ParameterEffects => ({ effects: [], useless: [], age: 0 });

/** Log factor by which the ticket differs from its type. */
export function effectOf({ effects }: ParameterEffects, spec: TicketSpec): number {
  let sum = 0;
  for (const effect of effects) if (effect.active) sum += valueOf(effect, textOf(effect.name, spec));
  return sum;
}

/**
 * @param rest log-duration − what the type predicts, before effects
 * @param keep what remains of older observations
 * @returns whether other effects count now than before
 */
export function learnEffects(own: ParameterEffects, spec: TicketSpec, rest: number, keep: number): boolean {
  if (++own.age > RETRY) [own.age, own.useless] = [0, []];
  let names = 0;
  for (const name in spec.parameters) {
    if (++names > MAX_NAMES) break;
    consider(own, name, spec.parameters[name]!);
  }
  if (spec.required_capabilities.length > 0) consider(own, CAPABILITIES, textOf(CAPABILITIES, spec)!);
  if (spec.estimated_duration_ms !== null) consider(own, ESTIMATE, textOf(ESTIMATE, spec)!);
  const values = own.effects.map((effect) => valueOf(effect, textOf(effect.name, spec)));
  let left = rest;
  own.effects.forEach((effect, i) => (left -= effect.active ? values[i]! : 0));
  own.effects.forEach((effect, i) => {
    const text = textOf(effect.name, spec);
    if (text === undefined) return;
    const target = effect.active ? left + values[i]! : left;
    effect.n = effect.n * keep + 1;
    const loss = Math.abs(target);
    effect.loss += (loss - effect.loss) / effect.n;
    effect.gain += (loss - Math.abs(target - values[i]!) - effect.gain) / effect.n;
    fit(effect, text, target, keep);
  });
  return choose(own);
}

function consider(own: ParameterEffects, name: string, text: string): void {
  if (own.effects.length >= MAX_EFFECTS) return;
  for (const form of ['slope', 'bucket'] as const) {
    if (form === 'slope' ? numberOf(text) === null : text.length > LONGEST_BUCKET || name === ESTIMATE) continue;
    if (own.effects.some((effect) => effect.name === name && effect.form === form)) continue;
    if (own.useless.length >= MAX_USELESS || own.useless.includes(form + name)) continue;
    const sums = { n: 0, loss: 0, gain: 0, x: 0, y: 0, xx: 0, xy: 0 };
    own.effects.push({ name, form, active: false, ...sums, buckets: new Map() });
  }
}

/** The best of those that wait joins when it is good enough; what does not help leaves. */
function choose(own: ParameterEffects): boolean {
  let best: Effect | null = null;
  let active = 0;
  let changed = false;
  for (const effect of own.effects) {
    if (effect.active && effect.n >= TRIAL / 2 && effect.gain < 0.02 * effect.loss) {
      effect.active = false;
      changed = true;
    }
    if (effect.active) active++;
    else if (effect.n >= 6 && effect.gain > 0.1 * effect.loss && (best === null || effect.gain > best.gain))
      best = effect;
  }
  if (best !== null && active < MAX_ACTIVE) best.active = changed = true;
  const gone = own.effects.find((effect) => !effect.active && effect.n >= TRIAL && effect.gain < 0.05 * effect.loss);
  if (gone === undefined) return changed;
  own.effects.splice(own.effects.indexOf(gone), 1);
  own.useless.push(gone.form + gone.name);
  return changed;
}

function valueOf(effect: Effect, text: string | undefined): number {
  if (text === undefined) return 0;
  if (effect.form === 'bucket') {
    const bucket = effect.buckets.get(text);
    return bucket === undefined ? 0 : (bucket.mean * bucket.n) / (bucket.n + 0.5);
  }
  const x = numberOf(text);
  if (x === null || effect.n < 3) return 0;
  const most = 3 * Math.sqrt(effect.xx / effect.n); // far outside of what was seen a slope says little
  return effect.y + (effect.xy / (effect.xx + RIDGE)) * Math.max(-most, Math.min(most, x - effect.x));
}

function fit(effect: Effect, text: string, target: number, keep: number): void {
  if (effect.form === 'bucket') {
    if (text.length > LONGEST_BUCKET) return;
    const bucket = effect.buckets.get(text) ?? { n: 0, mean: 0 };
    bucket.n = bucket.n * keep + 1;
    bucket.mean += (target - bucket.mean) / bucket.n;
    effect.buckets.delete(text);
    effect.buckets.set(text, bucket);
    if (effect.buckets.size > MAX_BUCKETS) effect.buckets.delete(effect.buckets.keys().next().value!);
    return;
  }
  const x = numberOf(text);
  if (x === null) return;
  const off = x - effect.x;
  effect.x += off / effect.n;
  effect.y += (target - effect.y) / effect.n;
  effect.xx = effect.xx * keep + off * (x - effect.x);
  effect.xy = effect.xy * keep + off * (target - effect.y);
}

/** undefined = the ticket has no such parameter. */
function textOf(name: string, spec: TicketSpec): string | undefined {
  if (name === CAPABILITIES) return spec.required_capabilities.join(' ');
  if (name === ESTIMATE) return spec.estimated_duration_ms === null ? undefined : String(spec.estimated_duration_ms);
  return Object.hasOwn(spec.parameters, name) ? spec.parameters[name] : undefined;
}

/** Log of the number that the text is, or of the length of a long text; null = neither. */
function numberOf(text: string): number | null {
  if (text.length > LONGEST_BUCKET) return Math.log(text.length);
  const value = Number(text);
  return value > 0 && value < Infinity ? Math.log(value) : null;
}

/** Only what is in use: the rest is found again. At most 4 effects of 32 values of 64 characters. */
export function snapshotEffects({ effects }: ParameterEffects): ParameterEffectsSnapshot {
  const active = effects.filter((effect) => effect.active);
  return {
    effects: active.map((effect) => ({
      ...effect,
      buckets: [...effect.buckets].map(([value, { n, mean }]) => [value, n, mean]),
    })),
  };
}

export function restoreEffects(snapshot: ParameterEffectsSnapshot | undefined): ParameterEffects {
  const effects = (snapshot?.effects ?? []).map((effect) => ({
    ...effect,
    buckets: new Map(effect.buckets.map(([value, n, mean]) => [value, { n, mean }])),
  }));
  return { ...noEffects(), effects };
}
