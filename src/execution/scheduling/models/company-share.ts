/** Another company, as the forecast sees it. */
export type CompanyLoad = {
  weight: number;
  /** Work that it has, ms at ordinary speed. */
  backlogMs: number;
  /** Work that arrives, ms per ms, as of late: the slots it needs to keep up. */
  arriving: number;
};

/**
 * Agent-slots that a company gets over the time to come when it wants as many as it can get: weighted max-min fairness
 * (water-filling) against the backlog of the others spread over that time, and what arrives of theirs. O(k log k).
 */
export function companyShare(weight: number, others: readonly CompanyLoad[], slots: number, horizonMs: number): number {
  let left = slots;
  let weights = weight;
  const wants = others.map((other) => {
    weights += other.weight;
    return { weight: other.weight, slots: other.backlogMs / Math.max(1, horizonMs) + other.arriving };
  });
  wants.sort((a, b) => a.slots / a.weight - b.slots / b.weight);
  for (const want of wants) {
    if (want.slots / want.weight > left / weights) break;
    left -= want.slots;
    weights -= want.weight;
  }
  return (left * weight) / weights;
}
