import { useCompileCache } from './platform/compile-cache.ts';

useCompileCache({ createHome: true }); // before all else is loaded
await import('./process.ts');
