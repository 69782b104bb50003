/** How a simulated plan ended. Times in ms from the start. */
export type PlanEnd = {
  plan: number;
  name: string;
  instance: string;
  tier: string;
  arrivedAt: number;
  /** null = it did not end. */
  endedAt: number | null;
  deadlineAt: number;
  /** A ticket of it failed for good. */
  failed: boolean;
};

/** An attempt of a company: since when its ticket was ready, and from when to when an agent worked on it. ms from the start. */
export type Service = { instance: string; readyAt: number; from: number; to: number };

export type SimulationResult = {
  plans: PlanEnd[];
  /** From the first arrival to the last end, ms. */
  makespanMs: number;
  /** Share of the agents' slot-time in which they worked. */
  utilisation: number;
  /** How long each ticket waited from being ready to its first start, ms. */
  waits: number[];
  attempts: number;
  /** Attempts by agent. */
  attemptsOf: Record<string, number>;
  services: Service[];
  /** Plans that nothing moved any more when the simulation stopped. */
  stuck: number;
};
