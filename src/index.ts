/** Colmeia as a library: the whole control plane in a process. Agents are at `colmeia/agent`. */
export { createColmeia } from './create-colmeia.ts';
export { optionsOf, type ColmeiaOptions, type LogLine } from './colmeia-options.ts';
export { coordinatorOf, type Coordinator } from './coordination/coordinator.ts';
export { initializeCoordinator } from './initialize-coordinator.ts';
export { localTransport } from './local-transport.ts';
export type * from './colmeia.ts';
export { ColmeiaError, isColmeiaError, ERROR_CODES, type ErrorCode, type Fault } from './platform/errors.ts';
export { LOCAL_OPERATOR, type Principal } from './trust/identity/principal.ts';
