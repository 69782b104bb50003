import { ColmeiaError, type Fault } from '../../../platform/errors.ts';

/** Longest name of a new company: it fits names of databases and projects. */
const NAME_LIMIT = 40;

/** Names that were given before there was a rule may be longer; all of them are safe as names of files. */
const EXISTING = /^[a-z][a-z0-9-]{0,62}$/;

/** Words of SQL and of operating systems that a database, schema, role or file of this name would collide with. */
const RESERVED = new Set(
  `public postgres template0 template1 information-schema system colmeia all analyse analyze and any array as asc
  asymmetric authorization between both case cast check collate column constraint create cross current-user default-role
  deferrable desc distinct do else end except false fetch for foreign from full grant group having in initially inner
  instead intersect into is join lateral leading left like limit natural not null offset on only or order outer primary
  references returning right role select session-user similar some symmetric table then to trailing true union unique
  user using variadic verbose when where window with con nul aux prn`
    .split(/\s+/)
    .filter((word) => word !== ''),
);
const RESERVED_PATTERN = /^(pg-|colmeia|com\d$|lpt\d$)/;

const RULE = `must be 1 to ${NAME_LIMIT} lower-case letters, digits or single hyphens, beginning with a letter and not ending with a hyphen`;

/** Everything that is wrong with the name of a company to be made; empty = it may be given. */
export function nameFaults(name: unknown, path = 'name'): Fault[] {
  if (typeof name !== 'string') return [{ path, message: RULE }];
  const faults: Fault[] = [];
  const isShaped = /^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(name) && !name.includes('--') && name.length <= NAME_LIMIT;
  if (!isShaped) faults.push({ path, message: RULE });
  if (RESERVED.has(name) || RESERVED_PATTERN.test(name)) faults.push({ path, message: 'is a reserved word' });
  return faults;
}

/** A name that a company can have, also one made by an older rule. */
export const isCompanyName = (name: string): boolean => EXISTING.test(name);

/** Throws INVALID_REQUEST unless the name is safe as part of a path. */
export function mustBeCompanyName(name: string): void {
  if (isCompanyName(name)) return;
  const faults = nameFaults(name).slice(0, 1);
  throw new ColmeiaError('INVALID_REQUEST', `the name of a company ${RULE}`, { faults });
}
