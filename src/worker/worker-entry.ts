import { setFlagsFromString } from 'node:v8'
import { unoptimized } from './unoptimized.ts'

/** The first file of a worker process. */

// What the program needs of Node. While V8's flags are the defaults, Node takes the code that was compiled when it was built: a tenth of a start.
for (const name of ['child_process', 'cluster', 'dgram', 'http', 'module', 'net', 'os', 'perf_hooks', 'tty', 'vm']) process.getBuiltinModule(name)

// What a start-up allocates mostly stays, from which V8 concludes that the same places of node's own code, process.nextTick
// above all, should allocate in the old generation. Under load that costs an http request a quarter more (measured on Node 26).
setFlagsFromString('--no-allocation-site-pretenuring')

await unoptimized(() => import('./worker-process.ts'))
