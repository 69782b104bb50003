import pino from 'pino';
import type { LogLevel } from '../config.ts';
import { withoutUrlPasswords } from '../secret.ts';

export type Log = pino.Logger;

/** Names under which log lines say what they are about; the same as on events and traces. */
export type LogFields = {
  instance?: string;
  intent_id?: string;
  plan_id?: string;
  workflow_id?: string;
  ticket_id?: string;
  agent_id?: string;
  trace_id?: string;
};
const FIELDS = [
  'instance',
  'plan_id',
  'ticket_id',
  'agent_id',
  'intent_id',
  'workflow_id',
  'trace_id',
] satisfies (keyof LogFields)[];

export type LogOptions = {
  level: LogLevel;
  /** Default `auto`: text when the output is a terminal. */
  format?: 'auto' | 'json' | 'text';
  /** Default: standard error. */
  output?: { write(line: string): unknown; isTTY?: boolean };
  /** Takes out of a line what must not be there. */
  redact?: (line: string) => string;
};

const SECRET_NAMES = [
  'authorization',
  'Authorization',
  'key',
  'apiKey',
  'api_key',
  'secret',
  'password',
  'databaseUrl',
  'DATABASE_URL',
  'cookie',
];
const DEPTHS = ['', '*.', '*.*.'];

/** The log of the process: JSON lines, or short lines for a person. Secrets are replaced by their usual names and places. */
export function createLog(options: LogOptions): Log {
  const { output = process.stderr, redact = (line) => line } = options;
  const isText = options.format === 'text' || (options.format !== 'json' && output.isTTY === true);
  return pino(
    {
      level: options.level,
      base: { service: 'colmeia' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: DEPTHS.flatMap((depth) => SECRET_NAMES.map((name) => depth + name)), censor: '[secret]' },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
      hooks: {
        streamWrite: (json) => {
          const line = redact(json); // before a value is cut
          return withoutUrlPasswords(isText ? textLine(line) : line);
        },
      },
    },
    options.output ?? pino.destination({ fd: 2, sync: true }),
  );
}

function textLine(json: string): string {
  const { time, level, msg = '', service: _, err, error, stack: __, ...rest } = JSON.parse(json);
  const about = [
    ...FIELDS.filter((name) => name in rest),
    ...Object.keys(rest).filter((name) => !FIELDS.includes(name as keyof LogFields)),
  ];
  const fields = about.map((name) => ` ${name}=${shortValue(rest[name])}`).join('');
  const fault = err ?? error;
  const trace =
    fault === undefined ? '' : `\n  ${String(fault.stack ?? fault.message ?? fault).replaceAll('\n', '\n  ')}`;
  const clock = new Date(time).toTimeString().slice(0, 8);
  return `${clock} ${String(level).padEnd(5)} ${msg}${fields}${trace}\n`;
}

function shortValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
