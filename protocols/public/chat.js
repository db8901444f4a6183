const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 10_000
const ONLINE_EVERY_MS = 5000
const MOST_LINES = 500

const log = document.querySelector('#log')
const state = document.querySelector('#state')
const online = document.querySelector('#online')
const form = document.querySelector('#form')
const { name, text } = form.elements
const button = form.querySelector('button')

/** What was sent and has not come back: the server returns our own messages as they are. */
let sent = []
let socket
let timer
let delay = FIRST_DELAY_MS

name.value = localStorage.getItem('name') ?? ''
connect()
setInterval(showOnline, ONLINE_EVERY_MS)

form.addEventListener('submit', (event) => {
  event.preventDefault()
  if (socket.readyState !== WebSocket.OPEN || text.value === '') return
  socket.send(text.value)
  sent.push(text.value)
  text.value = ''
})

name.addEventListener('change', () => {
  localStorage.setItem('name', name.value.trim())
  delay = FIRST_DELAY_MS
  connect()
})

/** Opens a socket under the name at hand, in place of the one before. */
function connect() {
  clearTimeout(timer)
  const old = socket
  const url = new URL('ws', location.href)
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  if (name.value.trim() !== '') url.searchParams.set('name', name.value.trim())
  show('connecting', 'Connecting…')
  sent = []
  socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  socket.addEventListener('open', onOpen)
  socket.addEventListener('message', onMessage)
  socket.addEventListener('close', onClose)
  old?.close()
}

function onOpen() {
  if (this !== socket) return
  delay = FIRST_DELAY_MS
  show('open', 'Connected')
  showOnline()
}

function onClose() {
  if (this !== socket) return
  // Not all at once when a server comes back: up to half of the delay is chance.
  const wait = delay * (1 - Math.random() / 2)
  delay = Math.min(delay * 2, LONGEST_DELAY_MS)
  show('closed', 'Connection lost, trying again…')
  online.textContent = ''
  timer = setTimeout(connect, wait)
}

function onMessage({ data }) {
  if (this !== socket) return
  if (typeof data !== 'string') return append('', '', `${data.byteLength} bytes`)
  if (data === sent[0]) return append('me', 'me', sent.shift())
  if (data.startsWith('* ')) {
    append('notice', '', data.slice(2))
    return showOnline()
  }
  const colon = data.indexOf(': ')
  append('', data.slice(0, Math.max(colon, 0)), data.slice(colon === -1 ? 0 : colon + 2))
}

/** Everything that comes from outside goes in as text, never as HTML. */
function append(kind, who, what) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40
  const line = document.createElement('li')
  line.className = kind
  if (who !== '') {
    const author = document.createElement('b')
    author.textContent = who
    line.append(author)
  }
  line.append(what)
  log.append(line)
  while (log.children.length > MOST_LINES) log.firstChild.remove()
  if (isAtEnd || kind === 'me') log.scrollTop = log.scrollHeight
}

function show(name, words) {
  state.dataset.state = name
  state.textContent = words
  button.disabled = name !== 'open'
}

async function showOnline() {
  if (document.hidden || socket.readyState !== WebSocket.OPEN) return
  try {
    const names = await (await fetch('online')).json()
    online.textContent = `${names.length} online`
    online.title = names.join(', ')
  } catch {
    // The socket shows whether the server is there.
  }
}
