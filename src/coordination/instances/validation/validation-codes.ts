import type { CompanyFault, Health } from '../instance-views.ts';

type Meaning = { severity: CompanyFault['severity']; meaning: string; remedy: string };

/** Every code of a company's fault. docs/validation.md explains each one; a test holds the two together. */
export const VALIDATION_CODES = {
  FOLDER_MISSING: {
    severity: 'error',
    meaning: 'The folder of the company is not there or cannot be read.',
    remedy: 'Put it back, or let reconcile lay it out anew.',
  },
  FOLDER_OPEN: {
    severity: 'warning',
    meaning: 'Other users of the machine may enter the folder.',
    remedy: 'chmod 700 on the folder.',
  },
  FILE_MISSING: {
    severity: 'warning',
    meaning: 'A file of the company is not there; its defaults count.',
    remedy: 'Write it; the example of the template shows how.',
  },
  FILE_UNREADABLE: {
    severity: 'error',
    meaning: 'A file cannot be read, is too large, or is no text; it counts as missing.',
    remedy: 'Correct the file or the permissions.',
  },
  FILE_OUTSIDE: {
    severity: 'error',
    meaning: 'A link leads out of the folder; it is never followed.',
    remedy: 'Put a copy in its place.',
  },
  ENV_OPEN: {
    severity: 'error',
    meaning: 'Other users of the machine may read .env.',
    remedy: 'chmod 600 on .env, and rotate the secrets that stood in it.',
  },
  ENV_INVALID: {
    severity: 'error',
    meaning: 'A line of .env is no assignment; it is passed over.',
    remedy: 'Write it as NAME=value.',
  },
  JSON_INVALID: {
    severity: 'error',
    meaning: 'A file is no JSON; it counts as missing.',
    remedy: 'Correct it at the line and column that the message names.',
  },
  VALUE_INVALID: {
    severity: 'error',
    meaning: 'A value breaks the schema of its file; the whole file counts as missing.',
    remedy: 'Correct the value; editors show the schema that the file names.',
  },
  UNKNOWN_KEY: {
    severity: 'warning',
    meaning: 'A name in a file is not known and is passed over.',
    remedy: 'Correct its spelling, or remove it.',
  },
  PLAIN_SECRET: {
    severity: 'warning',
    meaning: 'A secret stands in a file as plain text.',
    remedy: 'init moves it into the encrypted store and leaves a reference.',
  },
  SECRET_MISSING: {
    severity: 'error',
    meaning: 'A file refers to a secret that is not in the store.',
    remedy: 'Set the secret under the name of the reference.',
  },
  SQL_FILE_INVALID: {
    severity: 'error',
    meaning: 'A file of SQL has a wrong name, or a number that another one has; it is passed over.',
    remedy: 'Name migrations as 0001_customers.sql and seeds as customers.sql.',
  },
  COMPONENT_INVALID: {
    severity: 'error',
    meaning: 'A component cannot be read, or its manifest names another component.',
    remedy: 'Correct component.json of the component.',
  },
  COMPONENT_WITHOUT_MANIFEST: {
    severity: 'info',
    meaning: 'A component has no component.json, so nothing is known of it.',
    remedy: 'Write one with name, version, description and category.',
  },
  SETTING_DIFFERS: {
    severity: 'warning',
    meaning: 'The registry and config.json say different things; the registry counts.',
    remedy: 'Reconcile, which takes the value of the folder, or correct config.json.',
  },
  NOT_INITIALIZED: {
    severity: 'info',
    meaning: 'Its database and accounts are not made yet.',
    remedy: 'Initialize the company.',
  },
  DATABASE_UNREACHABLE: {
    severity: 'error',
    meaning: 'The database of the company does not answer.',
    remedy: 'Start the database; check its address and password.',
  },
  MIGRATION_PENDING: {
    severity: 'warning',
    meaning: 'A migration of the folder is not applied.',
    remedy: 'Initialize the company again: only what is missing is done.',
  },
  MIGRATION_CHANGED: {
    severity: 'error',
    meaning: 'A migration was changed or taken away after it was applied.',
    remedy: 'Put the old file back and add a new migration.',
  },
  RLS_OFF: {
    severity: 'error',
    meaning: 'A table has no row level security.',
    remedy: 'alter table … enable row level security, in a new migration.',
  },
  RLS_NOT_FORCED: {
    severity: 'error',
    meaning: 'Row level security of a table does not hold for its owner.',
    remedy: 'alter table … force row level security, in a new migration.',
  },
  RLS_WITHOUT_POLICY: {
    severity: 'warning',
    meaning: 'A table has row level security and no policy: nobody sees a row of it.',
    remedy: 'Add a policy in a new migration.',
  },
  ROLE_PRIVILEGED: {
    severity: 'error',
    meaning: 'The role of the company may more than its own data needs.',
    remedy: 'Take the privilege away; initialize the company again.',
  },
  KEY_EXPIRED: {
    severity: 'warning',
    meaning: 'A key has expired and was not revoked.',
    remedy: 'Rotate or revoke it.',
  },
  KEY_WITHOUT_ADMINISTRATOR: {
    severity: 'info',
    meaning: 'No key of the company has the scope administer: only operators can look after it.',
    remedy: 'Make one, if its owners are to look after it themselves.',
  },
  KEY_UNUSED: {
    severity: 'warning',
    meaning: 'A key was not used for 90 days.',
    remedy: 'Revoke it.',
  },
  KEY_ALL_SCOPES: {
    severity: 'info',
    meaning: 'A key of the company has every scope.',
    remedy: 'Make one with the scopes that its holder needs.',
  },
  ACCOUNT_FAILED: {
    severity: 'warning',
    meaning: 'An outside account (Supabase, Jira, Confluence) does not answer or refuses the credentials.',
    remedy: 'Check the credentials and the site; the company works on meanwhile.',
  },
  MCP_COMMAND_MISSING: {
    severity: 'warning',
    meaning: 'The command of an MCP server is not on PATH, or is not executable.',
    remedy: 'Install it, or correct mcp.json.',
  },
  MCP_URL_INSECURE: {
    severity: 'error',
    meaning: 'The URL of an MCP server is neither https nor of this machine.',
    remedy: 'Use https.',
  },
  MCP_URL_UNREACHABLE: {
    severity: 'warning',
    meaning: 'The URL of an MCP server does not answer within two seconds.',
    remedy: 'Start the server, or correct mcp.json.',
  },
  DISK_LOW: {
    severity: 'warning',
    meaning: 'Little room is left on a disk.',
    remedy: 'Make room.',
  },
  DISK_FULL: {
    severity: 'error',
    meaning: 'So little room is left on a disk that writing may fail at any time.',
    remedy: 'Make room now.',
  },
  CLOCK_SKEW: {
    severity: 'warning',
    meaning: 'The clock of this machine differs from that of the database or of a site.',
    remedy: 'Synchronize the clocks.',
  },
  BUDGET_EXCEEDED: {
    severity: 'warning',
    meaning: 'Language models cost more this month than the budget.',
    remedy: 'Raise the budget, or wait for the next month.',
  },
  CHECK_TIMEOUT: {
    severity: 'warning',
    meaning: 'A check did not end in time; what it looks at may hang.',
    remedy: 'Look at what it names.',
  },
  CHECK_FAILED: {
    severity: 'warning',
    meaning: 'A check itself broke.',
    remedy: 'The log has the details.',
  },
} as const satisfies Record<string, Meaning>;
export type ValidationCode = keyof typeof VALIDATION_CODES;

/** A fault with the severity and the remedy of its code. Neither place nor message may hold a value out of a file. */
export function companyFault(code: ValidationCode, place: string, message: string, remedy?: string): CompanyFault {
  const known: Meaning = VALIDATION_CODES[code];
  return { code, severity: known.severity, place, message, remedy: remedy ?? known.remedy };
}

/** Information does not make a company unwell. */
export function healthOf(faults: readonly CompanyFault[]): Health {
  if (faults.some((fault) => fault.severity === 'error')) return 'unhealthy';
  return faults.some((fault) => fault.severity === 'warning') ? 'degraded' : 'healthy';
}
