import { appSuite } from '../suites/app-suite.ts'

appSuite('nest.js')
