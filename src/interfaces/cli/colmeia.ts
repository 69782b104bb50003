#!/usr/bin/env node
import { useCompileCache } from '../../platform/compile-cache.ts';

useCompileCache({ createHome: false }); // before all else is loaded
await import('./main.ts');
