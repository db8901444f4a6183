import { appSuite } from '../suites/app-suite.ts'

appSuite('koa.js')
