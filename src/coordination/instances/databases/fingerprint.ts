import { type Row } from '../../../platform/store/store.ts';
import { type Session, sqlIdentifier } from '../../../platform/store/transaction.ts';
import { type Sight } from './company-host.ts';
import { readMoment } from './prepare-database.ts';
import { readDefinition } from './read-definition.ts';
import { describeObjects, type SchemaDefinition } from './schema-definition.ts';

/** What a company's database holds, so that two of them can be compared, on whatever tier each is. */
export type DatabaseFingerprint = {
  /** Without `company`, which says whose it is. The checksum does not depend on the order of rows. */
  tables: Record<string, { rows: number; checksum: string }>;
  /** `<last value> <called or not>`. */
  sequences: Record<string, string>;
  /** Every definition, by what it is called: `policy record.owner`. */
  objects: Record<string, string>;
  /** What reaches beyond the company's schema: objects and functions' texts that point into another company's. */
  outside: string[];
};

/** Says whose database it is: the one table that differs between a company and its copy. */
export const WHOSE_TABLE = 'company';
/** Scanned by one statement. */
const TABLES_AT_ONCE = 40;

const SCHEMA = `(select oid from pg_namespace where nspname = $1)`;
const NAMESPACES = `(select oid from pg_namespace where nspname in ('pg_catalog', 'information_schema', 'auth', 'pg_toast', $1))`;
/** Objects of the schema that point to what lies in neither it, the catalog, `auth` nor an extension. */
const DEPENDENCIES = `
  with own(classid, objid) as (
    select 'pg_class'::regclass::oid, oid from pg_class where relnamespace = ${SCHEMA}
    union all select 'pg_type'::regclass, oid from pg_type where typnamespace = ${SCHEMA}
    union all select 'pg_proc'::regclass, oid from pg_proc where pronamespace = ${SCHEMA}
    union all select 'pg_constraint'::regclass, oid from pg_constraint where connamespace = ${SCHEMA}
    union all select 'pg_attrdef'::regclass, d.oid from pg_attrdef d join pg_class c on c.oid = d.adrelid where c.relnamespace = ${SCHEMA}
    union all select 'pg_rewrite'::regclass, r.oid from pg_rewrite r join pg_class c on c.oid = r.ev_class where c.relnamespace = ${SCHEMA}
    union all select 'pg_trigger'::regclass, t.oid from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace = ${SCHEMA}
    union all select 'pg_policy'::regclass, p.oid from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace = ${SCHEMA}
  )
  select distinct pg_describe_object(d.classid, d.objid, d.objsubid) || ' uses ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) as text
  from own join pg_depend d using (classid, objid)
    left join pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
    left join pg_type t on d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid
    left join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
  where coalesce(c.relnamespace, t.typnamespace, p.pronamespace) not in ${NAMESPACES}
    and not exists (select from pg_depend e where e.classid = d.refclassid and e.objid = d.refobjid and e.deptype = 'e')
  union all
  select 'function ' || p.oid::regprocedure || ' names schema ' || n.nspname
  from pg_proc p join pg_namespace n on n.nspname like 'company\\_%' and n.nspname <> $1
  where p.pronamespace = ${SCHEMA} and concat(p.prosrc, p.proconfig) ~ ('\\m' || n.nspname || '\\M')
  order by 1`;

/** What is there at one moment: definitions, and what they and the rows come to. */
export type Moment = { definition: SchemaDefinition; fingerprint: DatabaseFingerprint };

/**
 * Takes the fingerprint, with one scan for each table. `meanwhile` runs in the same transaction of the owner, at the same moment.
 * `snapshot`: an exported one; null = now.
 */
export async function takeFingerprint(
  { owner, company, schema, role }: Sight,
  snapshot: string | null = null,
  meanwhile: (moment: Moment) => Promise<void> = async () => undefined,
): Promise<Moment> {
  const definition = await readMoment(company, { schema }, () => readDefinition(company, schema, role));
  return readMoment(owner, { schema: null, snapshot }, async () => {
    const outside = await owner.query(DEPENDENCIES, [schema]);
    const fingerprint = {
      tables: await checksumTables(owner, schema, definition),
      sequences: await readSequences(owner, schema, definition),
      objects: describeObjects(definition),
      outside: outside.map(({ text }) => String(text)),
    };
    await meanwhile({ definition, fingerprint });
    return { definition, fingerprint };
  });
}

/**
 * A row becomes text by record_out, not by a cast: a company may have made a cast of its own rows, and we may be a superuser. Two
 * sums of hashes with different seeds: 128 bits, in any order of rows, the same on every version.
 */
async function checksumTables(
  session: Session,
  schema: string,
  { tables }: SchemaDefinition,
): Promise<DatabaseFingerprint['tables']> {
  const names = tables.map(({ name }) => name).filter((name) => name !== WHOSE_TABLE);
  const sums: DatabaseFingerprint['tables'] = {};
  for (let at = 0; at < names.length; at += TABLES_AT_ONCE) {
    const scans = names.slice(at, at + TABLES_AT_ONCE).map(
      (name, i) =>
        `select ${at + i} as n, count(*) as rows, coalesce(sum(hashtextextended(r, 0)), 0)::text as a, coalesce(sum(hashtextextended(r, 1)), 0)::text as b
         from (select textin(record_out(colmeia_row)) collate "C" as r
           from only ${sqlIdentifier(schema)}.${sqlIdentifier(name)} colmeia_row) x`,
    );
    for (const { n, rows, a, b } of await session.query(scans.join(' union all '), []))
      sums[names[Number(n)]!] = { rows: Number(rows), checksum: `${a}.${b}` };
  }
  return Object.fromEntries(Object.entries(sums).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function readSequences(
  session: Session,
  schema: string,
  { sequences }: SchemaDefinition,
): Promise<Record<string, string>> {
  if (sequences.length === 0) return {};
  const reads = sequences.map(
    ({ name }, i) =>
      `select ${i} as n, last_value::text as value, is_called from ${sqlIdentifier(schema)}.${sqlIdentifier(name)}`,
  );
  const found: Row[] = await session.query(`${reads.join(' union all ')} order by n`, []);
  return Object.fromEntries(
    found.map(({ n, value, is_called }) => [
      sequences[Number(n)]!.name,
      `${value} ${is_called === true ? 'called' : 'not called'}`,
    ]),
  );
}

/** How two databases differ, a sentence each; none = they hold the same. */
export function compareFingerprints(source: DatabaseFingerprint, target: DatabaseFingerprint): string[] {
  const tables = (of: DatabaseFingerprint): Record<string, string> =>
    Object.fromEntries(
      Object.entries(of.tables).map(([name, { rows, checksum }]) => [name, `${rows} rows, ${checksum}`]),
    );
  return [
    ...differences('rows of table ', tables(source), tables(target)),
    ...differences('value of sequence ', source.sequences, target.sequences),
    ...differences('', source.objects, target.objects),
    ...target.outside.map((text) => `beyond the company: ${text}`),
  ];
}

function differences(what: string, source: Record<string, string>, target: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(source), ...Object.keys(target)])].sort();
  return names.flatMap((name) => {
    const [was, is] = [source[name], target[name]];
    if (was === is) return [];
    if (is === undefined) return [`${what}${name}: missing`];
    if (was === undefined) return [`${what}${name}: not in the source`];
    return [`${what}${name}: ${is} instead of ${was}`];
  });
}
