import { appSuite } from '../suites/app-suite.ts'

appSuite('express.js')
