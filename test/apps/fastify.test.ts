import { appSuite } from '../suites/app-suite.ts'

appSuite('fastify.js')
