import express, { type Express } from 'express'

const app: Express = express()
app.get('/', (_request, response) => {
  response.type('text/plain').send('hello\n')
})
export default app
