/** Path of a company in the API, and what follows it. */
export const pathOfCompany = (name: string, more = ''): string =>
  `/api/v1/instances/${encodeURIComponent(name)}${more}`;

export const pathOfOperation = (id: string): string => `/api/v1/operations/${encodeURIComponent(id)}`;

export const pathOfExport = (file: string): string => `/api/v1/exports/${encodeURIComponent(file)}`;
