/** A level that does not flap, and since when it stands there (epoch ms). Level 0 is the ordinary one. */
export type SteadyLevel = { level: number; since: number };

/**
 * The level after a measurement. It rises at once to the highest whose threshold in `enter` the value reaches; it falls by
 * one, and only below `exitShare` of the threshold it is above and after `dwellMs` there. So there are at most
 * `enter.length` rises for that many falls, and one fall per dwell. A clock set back makes it wait no longer than a dwell.
 */
export function nextLevel(
  { level, since }: SteadyLevel,
  value: number,
  enter: readonly number[],
  { exitShare, dwellMs }: { exitShare: number; dwellMs: number },
  now: number,
): SteadyLevel {
  let reached = 0;
  while (reached < enter.length && value >= enter[reached]) reached++;
  if (reached > level) return { level: reached, since: now };
  const stoodMs = now - Math.min(since, now);
  if (level > 0 && value < exitShare * enter[level - 1] && stoodMs >= dwellMs) return { level: level - 1, since: now };
  return { level, since: now - stoodMs };
}
