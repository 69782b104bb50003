export { planted } from '../coordination/planted-target.ts';
