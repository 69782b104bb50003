import type { planted } from '../trust/planted-target.ts';
export type Planted = typeof planted;
