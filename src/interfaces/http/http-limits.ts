/** Everything that the HTTP edge bounds. Sizes in bytes. */
export type HttpLimits = {
  /** Largest body. A plan of 8 MB may take twice that inside a decision, where its quotes are escaped. */
  bodyBytes: number;
  connections: number;
  /** Event streams open at once. */
  streams: number;
  /** An event stream with more than this waiting is dropped. */
  streamWaitingBytes: number;
  /** Between two comments on an event stream. */
  keepAliveMs: number;
  /** How long a connection without a call is kept. */
  idleConnectionMs: number;
  /** How long closing waits for calls under way before it cuts them. */
  closeGraceMs: number;
};

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  bodyBytes: 16 * 1024 * 1024,
  connections: 10_000,
  streams: 500,
  streamWaitingBytes: 1_000_000,
  keepAliveMs: 15_000,
  idleConnectionMs: 75_000,
  closeGraceMs: 5_000,
};
