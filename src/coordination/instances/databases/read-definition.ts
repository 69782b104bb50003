import { type Row } from '../../../platform/store/store.ts';
import { type Session } from '../../../platform/store/transaction.ts';
import { COMPANY_ROLE, type SchemaDefinition } from './schema-definition.ts';

// $1 = the schema, $2 = the company's role. The schema has to be in search_path, so that names in it are written without it: then
// an operator or function of the company might stand in for one of the catalog, which is why only its own role may run these.
const SCHEMA = `(select oid from pg_namespace where nspname = $1)`;
const ofExtension = (catalog: string, oid: string): string =>
  `exists (select from pg_depend e where e.classid = '${catalog}'::regclass and e.objid = ${oid} and e.deptype = 'e')`;
const roleName = (oid: string): string =>
  `case when ${oid} = 0 then 'public' when ${oid} = (select oid from pg_roles where rolname = $2) then '${COMPANY_ROLE}'
    else (select rolname::text from pg_roles where oid = ${oid}) end`;
const relations = (kinds: string): string =>
  `pg_class c where c.relnamespace = ${SCHEMA} and c.relkind in (${kinds}) and not ${ofExtension('pg_class', 'c.oid')}`;

const EXTENSIONS = `select extname::text as name from pg_extension where extnamespace = ${SCHEMA} order by 1`;

const ENUMS = `select t.typname::text as name, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
  from pg_type t join pg_enum e on e.enumtypid = t.oid
  where t.typnamespace = ${SCHEMA} and not ${ofExtension('pg_type', 't.oid')} group by 1 order by 1`;

const DOMAINS = `select t.typname::text as name, format_type(t.typbasetype, t.typtypmod) as type, t.typnotnull as not_null,
    t.typdefault as "default", coalesce((select jsonb_agg(jsonb_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid)) order by k.conname)
      from pg_constraint k where k.contypid = t.oid and k.contype = 'c'), '[]') as checks
  from pg_type t where t.typtype = 'd' and t.typnamespace = ${SCHEMA} and not ${ofExtension('pg_type', 't.oid')} order by 1`;

const COMPOSITES = `select c.relname::text as name,
    jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum) as columns
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relkind = 'c' and c.relnamespace = ${SCHEMA} and not ${ofExtension('pg_type', 'c.reltype')} group by 1 order by 1`;

const TABLES = `select c.relname::text as name, c.relpersistence = 'u' as unlogged, coalesce(c.reloptions, '{}') as options,
    c.relrowsecurity as rls, c.relforcerowsecurity as forced,
    coalesce((select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'collation', case when a.attcollation <> t.typcollation then
          (select format('%I.%I', n.nspname, l.collname) from pg_collation l join pg_namespace n on n.oid = l.collnamespace where l.oid = a.attcollation) end,
        'not_null', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity::text, 'generated', a.attgenerated::text)
        order by a.attnum)
      from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns
  from ${relations(`'r'`)} order by 1`;

const SEQUENCES = `select c.relname::text as name, format_type(s.seqtypid, null) as type, s.seqstart::text as start,
    s.seqincrement::text as increment, s.seqmin::text as min, s.seqmax::text as max, s.seqcache::text as cache, s.seqcycle as cycle,
    o.relname::text as "table", a.attname::text as "column", coalesce(d.deptype = 'i', false) as identity
  from pg_class c join pg_sequence s on s.seqrelid = c.oid
    left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
      and d.refobjsubid > 0 and d.deptype in ('a', 'i')
    left join pg_class o on o.oid = d.refobjid left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
  where c.relnamespace = ${SCHEMA} and not ${ofExtension('pg_class', 'c.oid')} order by 1`;

/** Of the kinds that are not told by their column: NOT NULL has a constraint of its own only in later versions. */
const CONSTRAINTS = `select c.relname::text as "table", k.conname::text as name, k.contype::text as type, pg_get_constraintdef(k.oid) as definition
  from pg_constraint k join pg_class c on c.oid = k.conrelid
  where k.connamespace = ${SCHEMA} and c.relkind = 'r' and k.contype in ('c', 'p', 'u', 'x', 'f') and k.conparentid = 0 order by 1, 2`;

const INDEXES = `select c.relname::text as "table", i.relname::text as name, pg_get_indexdef(x.indexrelid, 0, true) as definition
  from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
  where c.relnamespace = ${SCHEMA} and c.relkind in ('r', 'm') and not ${ofExtension('pg_class', 'c.oid')}
    and not exists (select from pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x')) order by 1, 2`;

/** Settings whose value is a list that is quoted already. */
const LISTS = `'search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries'`;
const FUNCTIONS = `select p.oid::regprocedure::text as signature, case p.prokind when 'p' then 'procedure' else 'function' end as kind,
    format('create or replace %s %I(%s)%s language %I%s%s%s%s%s%s%s %s',
      case p.prokind when 'p' then 'procedure' else 'function' end, p.proname, pg_get_function_arguments(p.oid),
      case p.prokind when 'p' then '' else ' returns ' || pg_get_function_result(p.oid) end, l.lanname,
      case p.provolatile when 'i' then ' immutable' when 's' then ' stable' else '' end,
      case when p.proisstrict then ' strict' else '' end, case when p.prosecdef then ' security definer' else '' end,
      case p.proparallel when 's' then ' parallel safe' when 'r' then ' parallel restricted' else '' end,
      case p.prokind when 'p' then '' else ' cost ' || p.procost end,
      case when p.prorows > 0 then ' rows ' || p.prorows else '' end,
      (select coalesce(string_agg(format(' set %I to ', split_part(s, '=', 1)) || case when split_part(s, '=', 1) in (${LISTS})
          then substr(s, strpos(s, '=') + 1) else quote_literal(substr(s, strpos(s, '=') + 1)) end, ''), '') from unnest(p.proconfig) s),
      coalesce(pg_get_function_sqlbody(p.oid), 'as ' || quote_literal(p.prosrc))) as definition
  from pg_proc p join pg_language l on l.oid = p.prolang
  where p.pronamespace = ${SCHEMA} and p.prokind in ('f', 'p') and l.lanname not in ('c', 'internal')
    and not ${ofExtension('pg_proc', 'p.oid')} order by 1`;

const VIEWS = `select c.relname::text as name, c.relkind = 'm' as materialized, coalesce(c.reloptions, '{}') as options,
    pg_get_viewdef(c.oid, true) as definition from ${relations(`'v', 'm'`)} order by 1`;

const TRIGGERS = `select c.relname::text as "table", t.tgname::text as name, t.tgenabled::text as enabled, pg_get_triggerdef(t.oid, true) as definition
  from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace = ${SCHEMA} and not t.tgisinternal order by 1, 2`;

const POLICIES = `select c.relname::text as "table", p.polname::text as name, p.polpermissive as permissive,
    case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
    (select array_agg(${roleName('r.oid')} order by 1) from unnest(p.polroles) r(oid)) as roles,
    pg_get_expr(p.polqual, p.polrelid) as "using", pg_get_expr(p.polwithcheck, p.polrelid) as "check"
  from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace = ${SCHEMA} order by 1, 2`;

/** What the owner may is the owner's affair; MAINTAIN is not there before PostgreSQL 17. */
const GRANTS = `select g.kind, g.object, g."column", ${roleName('x.grantee')} as grantee, lower(x.privilege_type) as privilege, x.is_grantable as grantable
  from (
    select case c.relkind when 'S' then 'sequence' else 'table' end as kind, quote_ident(c.relname) as object, null::text as "column", c.relowner as owner,
        coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)) as acl
      from ${relations(`'r', 'v', 'm', 'S'`)}
    union all select 'table', quote_ident(c.relname), a.attname::text, c.relowner, a.attacl
      from pg_class c join pg_attribute a on a.attrelid = c.oid where c.relnamespace = ${SCHEMA} and a.attacl is not null
    union all select case p.prokind when 'p' then 'procedure' else 'function' end, p.oid::regprocedure::text, null, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
      from pg_proc p where p.pronamespace = ${SCHEMA} and p.prokind in ('f', 'p') and not ${ofExtension('pg_proc', 'p.oid')}
    union all select 'type', quote_ident(t.typname), null, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
      from pg_type t left join pg_class c on c.oid = t.typrelid where t.typnamespace = ${SCHEMA}
        and (t.typtype in ('e', 'd') or c.relkind = 'c') and not ${ofExtension('pg_type', 't.oid')}
    union all select 'schema', '', null, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)) from pg_namespace n where n.nspname = $1
  ) g cross join lateral aclexplode(g.acl) x
  where x.grantee <> g.owner and x.privilege_type <> 'MAINTAIN' and (g.kind <> 'schema' or x.grantee <> 0)
    and x.grantee is distinct from (select oid from pg_roles where rolname = $2) order by 1, 2, 3, 4, 5`;

const COMMENTS = `select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind, quote_ident(c.relname) as object, d.description as text
    from pg_description d join pg_class c on c.oid = d.objoid where d.classoid = 'pg_class'::regclass and d.objsubid = 0
      and c.relnamespace = ${SCHEMA} and c.relkind in ('r', 'v', 'm')
  union all select 'column', format('%I.%I', c.relname, a.attname), d.description
    from pg_description d join pg_class c on c.oid = d.objoid join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
    where d.classoid = 'pg_class'::regclass and d.objsubid > 0 and c.relnamespace = ${SCHEMA} and c.relkind in ('r', 'v', 'm')
  union all select case p.prokind when 'p' then 'procedure' else 'function' end, p.oid::regprocedure::text, d.description
    from pg_description d join pg_proc p on p.oid = d.objoid where d.classoid = 'pg_proc'::regclass and p.pronamespace = ${SCHEMA}
      and p.prokind in ('f', 'p') order by 1, 2`;

const OTHERS = `select kind || ' ' || name as other from (
    select case when c.relkind = 'f' then 'foreign table' else 'partitioned table' end as kind, c.oid::regclass::text as name from ${relations(`'f', 'p'`)}
    union all select 'inherited table', i.inhrelid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where c.relnamespace = ${SCHEMA} and c.relkind in ('r', 'f')
    union all select case p.prokind when 'a' then 'aggregate' when 'w' then 'window function' else 'function in C' end, p.oid::regprocedure::text
      from pg_proc p join pg_language l on l.oid = p.prolang where p.pronamespace = ${SCHEMA}
        and (p.prokind in ('a', 'w') or l.lanname in ('c', 'internal')) and not ${ofExtension('pg_proc', 'p.oid')}
        and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'i')
    union all select 'range type', t.typname::text from pg_type t where t.typtype = 'r' and t.typnamespace = ${SCHEMA} and not ${ofExtension('pg_type', 't.oid')}
    union all select 'base type', t.typname::text from pg_type t where t.typtype = 'b' and t.typcategory <> 'A' and t.typnamespace = ${SCHEMA} and not ${ofExtension('pg_type', 't.oid')}
    union all select 'rule', r.rulename || ' of ' || c.relname from pg_rewrite r join pg_class c on c.oid = r.ev_class where c.relnamespace = ${SCHEMA} and r.rulename <> '_RETURN'
    union all select 'operator', o.oid::regoperator::text from pg_operator o where o.oprnamespace = ${SCHEMA} and not ${ofExtension('pg_operator', 'o.oid')}
    union all select 'operator class', o.opcname::text from pg_opclass o where o.opcnamespace = ${SCHEMA} and not ${ofExtension('pg_opclass', 'o.oid')}
    union all select 'collation', l.collname::text from pg_collation l where l.collnamespace = ${SCHEMA}
    union all select 'text search configuration', s.cfgname::text from pg_ts_config s where s.cfgnamespace = ${SCHEMA}
    union all select 'text search dictionary', s.dictname::text from pg_ts_dict s where s.dictnamespace = ${SCHEMA} and not ${ofExtension('pg_ts_dict', 's.oid')}
    union all select 'statistics', s.stxname::text from pg_statistic_ext s where s.stxnamespace = ${SCHEMA}
    union all select 'large object', l.oid::text from pg_largeobject_metadata l join pg_roles r on r.oid = l.lomowner where r.rolname = $2
    union all select 'schema', n.nspname::text from pg_namespace n join pg_roles r on r.oid = n.nspowner where r.rolname = $2 and n.nspname not in ($1, 'auth')
    union all select 'cast', format_type(k.castsource, null) || ' as ' || format_type(k.casttarget, null) from pg_cast k join pg_type t on t.oid in (k.castsource, k.casttarget)
      where t.typnamespace = ${SCHEMA} and not ${ofExtension('pg_cast', 'k.oid')}
    union all select 'publication', p.pubname::text from pg_publication p join pg_roles r on r.oid = p.pubowner where r.rolname = $2
  ) found order by 1`;

const QUERIES = {
  enums: ENUMS,
  domains: DOMAINS,
  composites: COMPOSITES,
  tables: TABLES,
  sequences: SEQUENCES,
  constraints: CONSTRAINTS,
  indexes: INDEXES,
  functions: FUNCTIONS,
  views: VIEWS,
  triggers: TRIGGERS,
  policies: POLICIES,
  grants: GRANTS,
  comments: COMMENTS,
};

/** Reads the definition of a schema, in the transaction under way (`readMoment`). */
export async function readDefinition(session: Session, schema: string, role: string): Promise<SchemaDefinition> {
  const ask = (query: string): Promise<Row[]> => {
    const values = query.includes('$2') ? [schema, role] : [schema];
    return session.query(query, values);
  };
  const definition: Record<string, unknown> = {};
  for (const [name, query] of Object.entries(QUERIES)) definition[name] = await ask(query);
  definition.extensions = (await ask(EXTENSIONS)).map(({ name }) => name);
  definition.others = (await ask(OTHERS)).map(({ other }) => other);
  return definition as SchemaDefinition;
}
