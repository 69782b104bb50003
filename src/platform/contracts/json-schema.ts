/** The part of JSON Schema (2020-12, so also of OpenAPI 3.1) that the contracts need. */
export type JsonSchema = {
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type: JsonType | readonly JsonType[];
  readonly enum?: readonly (string | null)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  /** Fields of a record. A record takes unknown fields too: they are named in a warning and left out. */
  readonly properties?: { readonly [field: string]: JsonSchema };
  readonly required?: readonly string[];
  /** Values of a map; a record has none. */
  readonly additionalProperties?: JsonSchema;
  readonly default?: unknown;
};
export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';
