import type { FastifyReply, FastifyRequest } from 'fastify';
import type { JsonSchema } from '../../platform/contracts/json-schema.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import type { Principal } from '../../trust/identity/principal.ts';
import type { ValueOf } from './value-of.ts';

/** A schema as the document shows it: all of JSON Schema, with references such as `ExecutionTicket#`. */
export type DocSchema = { readonly [keyword: string]: unknown };

/** Groups of the document, in its order. */
export const TAGS = {
  decisions: 'Hand in consolidated decisions: the control plane runs the plan inside.',
  plans: 'See plans and steer them: pause, resume, approve, replan, cancel.',
  workflows: 'Plans as the workflows that older callers know.',
  tickets: 'One ticket for each task of a plan.',
  agents: 'Agents register, say that they are alive, and take leases.',
  scheduling: 'How tickets are ordered and placed, what was learned, and how the fleet bears its load.',
  leases: 'Report on an attempt: extend it, complete it, fail it.',
  instances: 'The companies of the fleet: their life, health, owners, files.',
  operations: 'What is done to a company in steps: followed, gone on with, taken back.',
  keys: 'Keys for operators, companies and agents.',
  secrets: 'Secrets of companies and of the fleet: set and named, never shown.',
  audit: 'The journal and its hash chain.',
  events: 'What happens, as it happens.',
  process: 'Health, metrics and this document.',
} as const;
export type Tag = keyof typeof TAGS;

export type BodySpec = {
  /** What is checked here. Left out: the body is checked by what takes it, so that it is not checked twice. */
  schema?: JsonSchema;
  /** What the document shows; default: `schema`. */
  shown?: DocSchema;
  example: unknown;
  /** The call may come without a body. */
  optional?: boolean;
  /** Further content types, taken as bytes. */
  binary?: readonly string[];
};

export type AnswerSpec = {
  status: number;
  description: string;
  /** Left out: there is no body. */
  schema?: DocSchema;
  example?: unknown;
  /** Default application/json. */
  contentType?: string;
  /** For hot routes: serialised by this schema, which must be complete, as what it does not name is left out. */
  serialisedBy?: DocSchema;
};

export type Fields = { readonly [name: string]: JsonSchema };

/** One route: all that the server, the document and the tests have to know about it. */
export type Operation = {
  id: string;
  tag: Tag;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As in the document: `/api/v1/plans/{plan_id}`. */
  path: string;
  summary: string;
  description?: string;
  /** Names of the path are strings; here is what they mean. */
  params?: { readonly [name: string]: string };
  query?: Fields;
  headers?: Fields;
  body?: BodySpec;
  answer: AnswerSpec;
  /** Answers of the same route that are no errors, as 503 of /ready. */
  otherAnswers?: readonly AnswerSpec[];
  /** Beside those that every such route has. */
  errors?: readonly ErrorCode[];
  public?: boolean;
  run: (call: Call) => unknown;
};

export type Call<Params = Record<string, string>, Query = Record<string, unknown>, Body = unknown> = {
  who: Principal;
  params: Params;
  query: Query;
  body: Body;
  request: FastifyRequest;
  reply: FastifyReply;
};

type ParamsOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Record<Name, string> & ParamsOf<Rest>
  : unknown;
type QueryOf<Query> = { -readonly [Name in keyof Query]?: ValueOf<Query[Name]> };

/** States a route; what `run` gets is typed by the path and the schemas. */
export function operation<
  const Path extends string,
  const Query extends Fields = {},
  const Body extends JsonSchema = never,
>(
  spec: Omit<Operation, 'path' | 'query' | 'body' | 'run'> & {
    path: Path;
    query?: Query;
    body?: Omit<BodySpec, 'schema'> & { schema?: Body };
    run: (call: Call<ParamsOf<Path>, QueryOf<Query>, [Body] extends [never] ? unknown : ValueOf<Body>>) => unknown;
  },
): Operation {
  return spec as unknown as Operation;
}
