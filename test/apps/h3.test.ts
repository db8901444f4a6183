import { appSuite } from '../suites/app-suite.ts'

// h3's own server sends in chunks what it could count, and no type where a Response has none.
appSuite('h3.js', { otherHeaders: ['content-length', 'transfer-encoding'], untyped: ['a stream that breaks off', 'a file', 'a range of a file'] })
