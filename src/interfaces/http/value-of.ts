/** The TypeScript type of the values that a JSON Schema of {@link JsonSchema} accepts. */
export type ValueOf<S> = S extends { enum: readonly (infer Symbol)[] }
  ? Symbol
  : S extends { type: 'string' }
    ? string
    : S extends { type: 'integer' | 'number' }
      ? number
      : S extends { type: 'boolean' }
        ? boolean
        : S extends { type: 'array'; items: infer Item }
          ? ValueOf<Item>[]
          : S extends { type: 'array' }
            ? unknown[]
            : S extends { type: 'object'; properties: infer Fields }
              ? RecordOf<Fields, S extends { required: readonly (infer Name)[] } ? Name : never>
              : S extends { type: 'object'; additionalProperties: infer Value }
                ? Record<string, ValueOf<Value>>
                : S extends { type: 'object' }
                  ? Record<string, unknown>
                  : S extends { type: readonly (infer Type)[] }
                    ? ValueOfType<Type>
                    : unknown;

type ValueOfType<Type> = Type extends 'null' ? null : ValueOf<{ type: Type }>;

type RecordOf<Fields, Required> = {
  -readonly [Name in keyof Fields as Name extends Required ? Name : never]: ValueOf<Fields[Name]>;
} & {
  -readonly [Name in keyof Fields as Name extends Required ? never : Name]?: ValueOf<Fields[Name]>;
};
