/** What a company is called on a database server. Nothing of it tells whose it is: other logins can read it. */
export type PlaceNames = { role: string; schema: string; database: string };

/** Folder of the embedded database that all companies of the strategy `schema` share; no company's id is like this. */
export const COMMON_FOLDER = '$common';

/** `id`: of a CompanyPlace. */
export function placeNames(id: string): PlaceNames {
  return { role: `company_${id}`, schema: `company_${id}`, database: `colmeia_company_${id}` };
}

/** Its counterpart on a server: each hive has one, called after the hive's own database. */
export const commonDatabase = (own: string): string => `${own.slice(0, 53)}_companies`;
