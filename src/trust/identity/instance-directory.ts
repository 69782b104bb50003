import type { Row, Scope, Store } from '../../platform/store/store.ts';

export type Instance = { name: string; no: number; tier: string; state: string; createdAt: Date };

const COLUMNS = 'name, no, tier, state, created_at';
const instanceOf = (row: Row): Instance => ({
  name: row.name as string,
  no: row.no as number,
  tier: row.tier as string,
  state: row.state as string,
  createdAt: row.created_at as Date,
});

/** The companies by name and number. Those once seen are remembered; a name that is not there is asked for again. */
export class InstanceDirectory {
  readonly #store: Store;
  readonly #byName = new Map<string, Instance>();
  readonly #byNo = new Map<number, Instance>();

  constructor(store: Store) {
    this.#store = store;
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
    return rows.map((row) => this.#remember(row));
  }

  async list(scope: Scope, query: { after: string; limit: number }): Promise<Instance[]> {
    const rows = await this.#store.read(scope, (sql) =>
      sql.query(`select ${COLUMNS} from instance where name > $1 and name not like '$%' order by name limit $2`, [
        query.after,
        query.limit,
      ]),
    );
    return rows.map(instanceOf);
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

/** Statements that make a company: its row and the head of its journal. */
export const insertInstance = (name: string, tier: string) => [
  { text: 'insert into instance (name, tier) values ($1, $2)', values: [name, tier] },
  { text: 'insert into journal_head (instance) values ($1)', values: [name] },
];
