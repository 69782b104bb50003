import { planted } from '../interfaces/planted-target.ts';
void planted;
