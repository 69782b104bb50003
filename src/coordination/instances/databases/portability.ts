import { ColmeiaError, type Fault } from '../../../platform/errors.ts';
import { describeObjects, type SchemaDefinition } from './schema-definition.ts';

/**
 * Throws DATABASE_NOT_PORTABLE with everything that cannot be carried into another schema by its definition: kinds of objects that
 * are not read, and texts (bodies of functions, settings, literals) that name this schema and would go on pointing at it.
 */
export function assertPortable(definition: SchemaDefinition, schema: string): void {
  const faults: Fault[] = definition.others.map((other) => ({
    path: other,
    message: 'is of a kind that cannot be copied',
  }));
  if (schema !== 'public') {
    const naming = new RegExp(`(?<![A-Za-z0-9_$])${schema}(?![A-Za-z0-9_$])`);
    for (const [object, text] of Object.entries(describeObjects(definition))) {
      const message = `names the schema ${schema}; leave the name out, as search_path has it`;
      if (naming.test(text)) faults.push({ path: object, message });
    }
  }
  if (faults.length === 0) return;
  const list = faults.map(({ path, message }) => `${path} ${message}`).join('; ');
  throw new ColmeiaError('DATABASE_NOT_PORTABLE', `The company's database cannot be copied as it is: ${list}.`, {
    faults,
  });
}
