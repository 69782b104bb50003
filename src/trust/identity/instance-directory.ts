import type { Row, Store } from '../../platform/store/store.ts';

export type Instance = { name: string; no: number; tier: string; state: string; createdAt: Date };

const COLUMNS = 'name, no, tier, state, created_at';
const instanceOf = (row: Row): Instance => ({
  name: row.name as string,
  no: row.no as number,
  tier: row.tier as string,
  state: row.state as string,
  createdAt: row.created_at as Date,
});

const CHANNEL = 'colmeia_instance';

/**
 * The companies by name and number. Those once seen are remembered; a name that is not there is asked for again. What changes
 * is said to every replica, which looks again.
 */
export class InstanceDirectory {
  readonly #store: Store;
  readonly #byName = new Map<string, Instance>();
  readonly #byNo = new Map<number, Instance>();
  #unlisten: () => void = () => {};
  /** Called on every replica once the directory knows what has changed; null = it is gone, or never was. */
  onChanged: (name: string, instance: Instance | null, before: Instance | null) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
  }

  async start(): Promise<void> {
    this.#unlisten = await this.#store.listen(CHANNEL, (name) => void this.#look(name).catch(() => {}));
    this.#store.onAvailability((why) => {
      if (why === null) void this.#lookAtAll().catch(() => {}); // news was lost meanwhile
    });
  }

  stop(): void {
    this.#unlisten();
  }

  /** A company was changed, made or taken away: known here when it resolves, and at the other replicas soon. */
  async changed(name: string): Promise<void> {
    await this.#look(name);
    if (this.#store.tier === 'server') await this.#store.notify(CHANNEL, name).catch(() => {}); // they look at all now and then
  }

  async #look(name: string): Promise<void> {
    const before = this.#byName.get(name) ?? null;
    const now = await this.#find('name', name);
    if (now === null) this.#forget(name);
    this.onChanged(name, now, before);
  }

  async #lookAtAll(): Promise<void> {
    const before = new Map(this.#byName);
    const now = new Map((await this.all()).map((instance) => [instance.name, instance]));
    for (const [name, was] of before) {
      const is = now.get(name) ?? null;
      if (is === null || is.tier !== was.tier || is.state !== was.state || is.no !== was.no)
        this.onChanged(name, is, was);
    }
  }

  #forget(name: string): void {
    const known = this.#byName.get(name);
    if (known === undefined) return;
    this.#byName.delete(name);
    if (this.#byNo.get(known.no)?.name === name) this.#byNo.delete(known.no);
  }

  async byName(name: string): Promise<Instance | null> {
    return this.#byName.get(name) ?? this.#find('name', name);
  }

  /** Of a company that was seen before; else the lowest. */
  tierOf(name: string): string {
    return this.#byName.get(name)?.tier ?? 'bronze';
  }

  async byNo(no: number): Promise<Instance | null> {
    return this.#byNo.get(no) ?? this.#find('no', no);
  }

  async all(): Promise<Instance[]> {
    const rows = await this.#store.read({ as: 'engine' }, (sql) =>
      sql.query(`select ${COLUMNS} from instance order by no`),
    );
    const all = rows.map((row) => this.#remember(row));
    const names = new Set(all.map(({ name }) => name));
    for (const name of [...this.#byName.keys()]) if (!names.has(name)) this.#forget(name);
    return all;
  }

  async #find(column: 'name' | 'no', value: string | number): Promise<Instance | null> {
    if (column === 'no' && ((value as number) < 1 || (value as number) > 2 ** 31 - 1)) return null;
    const [row] = await this.#store.read({ as: 'engine' }, (sql) =>
      sql.query(`select ${COLUMNS} from instance where ${column} = $1`, [value]),
    );
    return row === undefined ? null : this.#remember(row);
  }

  #remember(row: Row): Instance {
    const instance = instanceOf(row);
    this.#byName.set(instance.name, instance);
    this.#byNo.set(instance.no, instance);
    return instance;
  }
}
