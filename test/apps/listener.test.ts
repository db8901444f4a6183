import { appSuite } from '../suites/app-suite.ts'

appSuite('listener.js', { except: ['a throw', 'a rejection'] })
