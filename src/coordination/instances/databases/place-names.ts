/** The names a company has inside of a database server. At most 40 letters of a name make them fit PostgreSQL's 63. */
export type PlaceNames = { role: string; schema: string; database: string };

/** The database that all companies of the strategy `schema` share on a server. */
export const COMMON_DATABASE = 'colmeia_companies';
/** Its counterpart when embedded: no company's name begins like this. */
export const COMMON_FOLDER = '$common';

export function placeNames(instance: string): PlaceNames {
  const name = instance.replaceAll('-', '_');
  return { role: `company_${name}`, schema: `company_${name}`, database: `colmeia_company_${name}` };
}
