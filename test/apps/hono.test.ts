import { appSuite } from '../suites/app-suite.ts'

appSuite('hono.js')
