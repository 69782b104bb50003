import { a } from './planted-circle-a.ts';
export const b = (): unknown => a;
