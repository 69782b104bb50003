/** Companies are divided among replicas by shard: few enough to lock one by one, enough to divide evenly. */
export const SHARDS = 64;

/** FNV-1a over the name. Source: Fowler, Noll, Vo. */
export function shardOf(instance: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < instance.length; i++) hash = Math.imul(hash ^ instance.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % SHARDS;
}

/**
 * What a replica should do about its shards: take free ones up to its fair share, give up what is beyond it once others
 * are there to take it. Pure.
 */
export function divide(
  mine: ReadonlySet<number>,
  held: ReadonlySet<number>,
  replicas: number,
): { take: number[]; give: number[] } {
  const fair = Math.ceil(SHARDS / Math.max(1, replicas));
  const take: number[] = [];
  for (let shard = 0; shard < SHARDS && mine.size + take.length < fair; shard++) {
    if (!held.has(shard) && !mine.has(shard)) take.push(shard);
  }
  return { take, give: [...mine].slice(fair) };
}
