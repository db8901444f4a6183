const PORT = '"protocol": "tcp", "port": 0, "handler": "./h.ts"'

/** A config with one tcp port that has these keys too. */
function tcp(keys: string): string {
  return `{ "ports": [{ ${PORT}, ${keys} }] }`
}

/** A config with a port that is right, and these keys. */
function top(keys: string): string {
  return `{ "ports": [{ ${PORT} }], ${keys} }`
}

function ports(...entries: string[]): string {
  return `{\n"ports": [\n${entries.map((entry) => `{ "handler": "./h.ts", ${entry} }`).join(',\n')}\n] }`
}

const NO_UNIX_DGRAM = 'a unix datagram socket needs an optional package that is not there, expected it to be installed: "npm install unix-dgram"'

/** Mistakes in a config file, and what is said of each: `line:column: path: message`, without the folder. */
export const BROKEN: readonly (readonly [name: string, text: string, ...expected: string[]])[] = [
  ['nothing', '', '1:1: not valid JSON: expected a value'],
  ['no object', '[]', '1:1: expected an object { … }, found a list'],
  ['no end', '{ "ports": [\n', '2:1: not valid JSON: expected "]"'],
  ['no comma', '{ "name": "a"\n  "ports": [] }', '2:3: not valid JSON: expected ","'],
  ['no quotes', '{ name: "a" }', '1:3: not valid JSON: expected a value, text in double quotes, a number, true, false or null'],
  ['text without end', '{ "name": "a }\n', '1:11: not valid JSON: the text has no closing quote', '2:1: not valid JSON: expected "}"'],
  ['comment without end', '{} /* ', '1:4: not valid JSON: the comment has no end'],
  [
    'a key twice',
    '{\n  "name": "a",\n  "ports": [],\n  "name": "b" }',
    '3:12: ports: expected at least 1 entry, found 0',
    '4:3: name: the key "name" is there twice, expected once',
  ],
  [
    'a table twice',
    top('"tables": { "a": { "size": 1, "columns": { "x": { "type": "float" } } }, "a": {} }'),
    '1:142: tables.a: the key "a" is there twice, expected once',
  ],
  [
    'a table whose name is taken',
    top('"tables": { "transaction": { "size": 1, "columns": { "x": { "type": "float" } } } }'),
    '1:81: tables.transaction: the name "transaction" cannot be used: `daemon.tables.transaction` is a method, expected another name',
  ],
  [
    'files where folders are to be',
    top('"runtimeDir": "./h.ts", "dataDir": "./h.ts/data", "tables": { "a": { "size": 1, "persist": true, "columns": { "x": { "type": "float" } } } }'),
    '1:83: runtimeDir: h.ts is a file, expected a folder',
    '1:104: dataDir: h.ts is a file, expected a folder',
  ],
  ['a file where tasks are to be', top('"tasks": { "modules": [], "dataDir": "./h.ts" }'), '1:106: tasks.dataDir: h.ts is a file, expected a folder'],
  [
    'a handler without its ending',
    '{ "ports": [{ "protocol": "tcp", "port": 0, "handler": "./h" }] }',
    '1:56: ports[0].handler: there is no file h, did you mean "./h.ts"?',
  ],
  ['events without modules', top('"events": {}'), '1:79: events.modules: missing, expected a list [ … ]'],
  [
    'modules of tasks and events that are not there',
    top('"tasks": { "modules": ["./t.ts"] }, "events": { "modules": ["./e.ts"] }'),
    '1:92: tasks.modules[0]: there is no file t.ts',
    '1:129: events.modules[0]: there is no file e.ts',
  ],
  [
    'task workers that are none',
    top('"tasks": { "workers": 0, "maxQueud": 5 }'),
    '1:91: tasks.workers: expected at least 1, found 0',
    '1:94: tasks.maxQueud: unknown key "maxQueud", did you mean "maxQueued"?',
  ],
  ['timers without modules', top('"timers": {}'), '1:79: timers.modules: missing, expected a list [ … ]'],
  [
    'modules that are not there',
    top('"timers": { "modules": ["./t.ts"] }, "processes": { "p": { "module": "./p.ts" } }, "lifecycle": ["./l.ts"]'),
    '1:93: timers.modules[0]: there is no file t.ts',
    '1:138: processes.p.module: there is no file p.ts',
    '1:166: lifecycle[0]: there is no file l.ts',
  ],
  [
    'a lock without Redis',
    top('"timers": { "modules": ["./h.ts"], "globalLock": true }'),
    '1:118: timers.globalLock: of several machines only one can run the timers with Redis alone, and this version has no "cluster" yet, expected false',
  ],
  [
    'jobs that fit nothing',
    top('"timers": { "modules": ["./h.ts"], "jobs": [{ "class": "A", "interval": 5, "schedule": "* * * * *" }, { "class": "A", "intreval": 5 }] }'),
    '1:144: timers.jobs[0].schedule: a timer runs either every "interval" or by "schedule", expected one of them',
    '1:182: timers.jobs[1].class: timers.jobs[0] is of "A" already, expected one entry for a class',
    '1:187: timers.jobs[1].intreval: unknown key "intreval", did you mean "interval"?',
  ],
  [
    'the time zone of an interval',
    top('"timers": { "modules": ["./h.ts"], "jobs": [{ "class": "A", "interval": 5, "timezone": "UTC" }] }'),
    '1:144: timers.jobs[0].timezone: only for a timer with a "schedule"',
  ],
  [
    'a process name',
    top('"processes": { "a b": { "module": "./h.ts" } }'),
    '1:84: processes["a b"]: the name "a b" cannot be used: expected 1 to 64 letters, digits, "_", "." or "-", not starting with "." or "-"',
  ],
  [
    'a process',
    top('"processes": { "a": { "module": "./h.ts", "count": 0, "stdio": "file" } }'),
    '1:120: processes.a.count: expected at least 1, found 0',
    '1:132: processes.a.stdio: expected "log" or "inherit", found "file"',
  ],
  ['__proto__', top('"__proto__": { "name": "x" }'), '1:69: __proto__: the key "__proto__" is not allowed'],
  [
    'constructor',
    top('"constructor": 3'),
    '1:69: constructor: unknown key "constructor", expected one of "$schema", "name", "workers", "dispatch", "user", "group", "runtimeDir", "dataDir", "maxWaitSeconds", "spreadSeconds", "startSeconds", "stuckSeconds", "maxRequests", "maxMemory", "serverHeader", "log", "admin", "watch", "ports", "tables", "tasks", "events", "timers", "processes", "lifecycle"',
  ],
  ['a member that is no constructor', '{ "ports": { "constructor": { "name": { "toString": 1 } } } }', '1:12: ports: expected a list [ … ], found an object'],
  [
    'too deep',
    `{ "a": ${'['.repeat(200)}${']'.repeat(200)} }`,
    '1:1: ports: missing, expected a list [ … ]',
    '1:3: a: unknown key "a", expected one of "$schema", "name", "workers", "dispatch", "user", "group", "runtimeDir", "dataDir", "maxWaitSeconds", "spreadSeconds", "startSeconds", "stuckSeconds", "maxRequests", "maxMemory", "serverHeader", "log", "admin", "watch", "ports", "tables", "tasks", "events", "timers", "processes", "lifecycle"',
    '1:108: a[0][0]: nested too deeply, expected at most 100 levels',
  ],
  ['far too deep', '['.repeat(100_000), '1:1: nested too deeply, expected at most 100 levels'],
  ['nothing in it', '{}', '1:1: ports: missing, expected a list [ … ]'],
  ['no port', '{ "ports": [] }', '1:12: ports: expected at least 1 entry, found 0'],
  [
    'unknown key',
    '{\n  "ports": [{ "protocol": "tcp", "port": 0, "hanlder": "./h.ts" }]\n}',
    '2:13: ports[0].handler: missing, expected text in quotes',
    '2:45: ports[0].hanlder: unknown key "hanlder", did you mean "handler"?',
  ],
  [
    'a key that belongs to an object beside it',
    '{ "ports": [{ "protocol": "tcp", "port": 0, "handler": "./h.ts", "maxConnections": 9 }] }',
    '1:66: ports[0].maxConnections: unknown key "maxConnections", did you mean "limits.maxConnections"?',
  ],
  ['unknown key far from all', `{ "log": { "xyz": 1 }, ${tcp('').slice(1)}`, '1:12: log.xyz: unknown key "xyz", expected one of "level", "format"'],
  [
    'unknown key in the branch of a union',
    tcp('"framing": { "type": "eof", "eoff": "x" }'),
    '1:94: ports[0].framing.eoff: unknown key "eoff", did you mean "eof"?',
  ],
  [
    'unknown key of another branch',
    tcp('"framing": { "type": "raw", "maxLength": 5 }'),
    '1:94: ports[0].framing.maxLength: unknown key "maxLength", expected one of "type"',
  ],
  [
    'unknown key of a table',
    top('"tables": { "a": { "sise": 1, "size": 1, "columns": { "x": { "type": "float", "size": 3 } } } }'),
    '1:88: tables.a.sise: unknown key "sise", did you mean "size"?',
    '1:147: tables.a.columns.x.size: unknown key "size", expected one of "type"',
  ],
  [
    'wrong types',
    top('"name": 5, "maxWaitSeconds": "3", "log": [], "tables": null'),
    '1:77: name: expected text in quotes, found a number',
    '1:98: maxWaitSeconds: expected a number, found "3"',
    '1:110: log: expected an object { … }, found a list',
    '1:124: tables: expected an object { … }, found null',
  ],
  ['not whole', tcp('"limits": { "sendBuffer": 5000.5 }'), '1:92: ports[0].limits.sendBuffer: expected a whole number, found 5000.5'],
  [
    'out of range',
    '{ "maxWaitSeconds": -1, "ports": [{ "protocol": "tcp", "port": 65536, "handler": "./h.ts", "limits": { "sendBuffer": 1 } }] }',
    '1:21: maxWaitSeconds: expected at least 0, found -1',
    '1:64: ports[0].port: expected at most 65535, found 65536',
    '1:118: ports[0].limits.sendBuffer: expected at least 1024, found 1',
  ],
  [
    'no such value',
    tcp('"limits": { "onOverflow": "clsoe" }'),
    '1:92: ports[0].limits.onOverflow: expected "close" or "drop", found "clsoe", did you mean "close"?',
  ],
  [
    'no such protocol',
    '{ "ports": [{ "protocol": "upd", "port": 0, "handler": "./h.ts" }] }',
    '1:27: ports[0].protocol: expected "tcp", "udp", "http", "websocket" or "stream", found "upd", did you mean "udp"?',
  ],
  ['no such framing', tcp('"framing": { "type": "line" }'), '1:87: ports[0].framing.type: expected "eof", "length", "raw" or "custom", found "line"'],
  ['framing without type', tcp('"framing": { "eof": "x" }'), '1:77: ports[0].framing.type: missing, expected "eof", "length", "raw" or "custom"'],
  ['no such number of workers', top('"workers": "all"'), '1:80: workers: expected "auto" or a number, found "all"'],
  ['no workers', top('"workers": 0'), '1:80: workers: expected at least 1, found 0'],
  ['short token', top('"admin": { "port": 0, "token": "geheim" }'), '1:100: admin.token: expected at least 16 characters'],
  ['bad name', top('"name": "a b"'), '1:77: name: expected 1 to 64 letters, digits, "_", "." or "-", not starting with "." or "-", found "a b"'],
  [
    'bad table name',
    top('"tables": { "a b": { "size": 1, "columns": { "x": { "type": "float" } } } }'),
    '1:81: tables["a b"]: the name "a b" cannot be used: expected 1 to 64 letters, digits, "_", "." or "-", not starting with "." or "-"',
  ],
  ['no columns', top('"tables": { "a": { "size": 1, "columns": {} } }'), '1:110: tables.a.columns: expected at least one column'],
  [
    'bad column',
    top('"tables": { "a": { "size": 1, "columns": { "x": { "type": "int", "size": 3 }, "y": { "type": "string" } } } }'),
    '1:142: tables.a.columns.x.size: expected 1, 2, 4 or 8, found 3',
    '1:152: tables.a.columns.y.size: missing, expected a number',
  ],
  [
    'bad mode and owner',
    '{ "ports": [{ "protocol": "tcp", "path": "./s", "handler": "./h.ts", "mode": "rw", "owner": "a b" }] }',
    '1:78: ports[0].mode: expected an octal mode such as "0660", found "rw"',
    '1:93: ports[0].owner: expected "user", "user:group" or ":group", found "a b"',
  ],
  [
    'bad websocket path',
    '{ "ports": [{ "protocol": "http", "port": 0, "handler": "./h.ts", "websocket": { "path": "ws", "handler": "./h.ts" } }] }',
    '1:90: ports[0].websocket.path: expected a path that starts with "/", found "ws"',
  ],
  [
    'a name twice',
    ports('"name": "a", "protocol": "tcp", "port": 1', '"name": "a", "protocol": "tcp", "port": 2'),
    '4:32: ports[1].name: ports[0] already has the name "a", expected a name of its own',
  ],
  [
    'a default name twice',
    ports('"protocol": "tcp", "port": 0', '"protocol": "tcp", "port": 0'),
    '4:1: ports[1]: ports[0] already has the name "tcp-0", which this port gets for want of a name: give it one',
  ],
  [
    'an address twice',
    ports('"protocol": "tcp", "port": 5000', '"protocol": "http", "port": 5000'),
    '4:52: ports[1].port: ports[0] already listens on 127.0.0.1:5000, expected another port or host',
  ],
  [
    'an address by wildcard',
    ports('"protocol": "tcp", "port": 5000, "host": "0.0.0.0"', '"protocol": "http", "port": 5000, "host": "10.0.0.1"'),
    '4:52: ports[1].port: ports[0] already listens on 0.0.0.0:5000, expected another port or host',
  ],
  [
    'an IPv6 address written differently',
    ports('"protocol": "tcp", "port": 5000, "host": "::1"', '"protocol": "http", "port": 5000, "host": "0:0::1"'),
    '4:52: ports[1].port: ports[0] already listens on [::1]:5000, expected another port or host',
  ],
  [
    'the address of admin',
    `{ "ports": [{ "protocol": "tcp", "port": 5000, "handler": "./h.ts" }], "admin": { "port": 5000, "host": "::", "token": "0123456789abcdef" } }`,
    '1:91: admin.port: ports[0] already listens on 127.0.0.1:5000, expected another port or host',
  ],
  [
    'a path twice',
    ports('"protocol": "tcp", "path": "./a.sock"', '"protocol": "udp", "path": "a.sock"'),
    '4:51: ports[1].path: ports[0] already listens on a.sock, expected a path of its own',
    `4:51: ports[1].path: ${NO_UNIX_DGRAM}`,
  ],
  ['a unix datagram socket without the package', ports('"protocol": "udp", "path": "./a.sock"'), `3:51: ports[0].path: ${NO_UNIX_DGRAM}`],
  [
    'an address and a name twice, while one of the two is wrong in itself',
    ports(
      '"protocol": "tcp", "name": "a", "port": 5000, "hots": 1, "limits": { "sendBuffer": "x" }',
      '"protocol": "tcp", "name": "a", "port": 5000, "framing": { "type": "x" }',
    ),
    '3:70: ports[0].hots: unknown key "hots", did you mean "host"?',
    '3:107: ports[0].limits.sendBuffer: expected a number, found "x"',
    '4:51: ports[1].name: ports[0] already has the name "a", expected a name of its own',
    '4:64: ports[1].port: ports[0] already listens on 127.0.0.1:5000, expected another port or host',
    '4:91: ports[1].framing.type: expected "eof", "length", "raw" or "custom", found "x"',
  ],
  [
    'an address twice, while both are wrong in themselves',
    ports('"protocol": "http", "port": 5000, "http2": 1', '"protocol": "websocket", "port": 5000, "host": "0.0.0.0", "origins": {}'),
    '3:67: ports[0].http2: expected true or false, found 1',
    '4:57: ports[1].port: ports[0] already listens on 127.0.0.1:5000, expected another port or host',
    '4:93: ports[1].origins: expected a list [ … ], found an object',
  ],
  [
    'a path twice, while both are wrong in themselves',
    ports('"protocol": "tcp", "path": "./a.sock", "mode": 5', '"protocol": "stream", "path": "a.sock", "limits": 3'),
    '3:71: ports[0].mode: expected text in quotes, found a number',
    '4:54: ports[1].path: ports[0] already listens on a.sock, expected a path of its own',
    '4:74: ports[1].limits: expected an object { … }, found 3',
  ],
  [
    'a name that another gets for want of one, while it is wrong in itself',
    ports('"protocol": "tcp", "name": "udp-5000", "port": 5001, "tls": 1', '"protocol": "udp", "port": 5000, "options": 2'),
    '3:84: ports[0].tls: expected an object { … }, found 1',
    '4:1: ports[1]: ports[0] already has the name "udp-5000", which this port gets for want of a name: give it one',
    '4:68: ports[1].options: expected an object { … }, found 2',
  ],
  [
    'nothing of an address that is wrong itself',
    ports(
      '"protocol": "tcp", "port": 5000',
      '"protocol": "tpc", "port": 5000',
      '"protocol": "tcp", "port": "5000"',
      '"protocol": "http", "port": 5000, "host": 7',
      '"protocol": "http", "port": 5000, "path": 7',
    ),
    '4:36: ports[1].protocol: expected "tcp", "udp", "http", "websocket" or "stream", found "tpc", did you mean "tcp"?',
    '5:51: ports[2].port: expected a number, found "5000"',
    '6:66: ports[3].host: expected text in quotes, found a number',
    '7:66: ports[4].path: expected text in quotes, found a number',
  ],
  [
    'other rules, while a value that they do not need is wrong',
    ports('"protocol": "udp", "port": 0, "static": "./public", "limits": { "sendBuffer": -1 }', '"protocol": "tcp", "port": 0, "mode": "0600", "hots": 1'),
    '3:54: ports[0].static: only for http ports, and this one is udp',
    '3:102: ports[0].limits.sendBuffer: expected at least 1024, found -1',
    '4:54: ports[1].mode: only for a unix socket, expected "path" beside "mode"',
    '4:70: ports[1].hots: unknown key "hots", did you mean "host"?',
  ],
  [
    'neither port nor path',
    '{ "ports": [{ "protocol": "tcp", "handler": "./h.ts" }], "admin": {} }',
    '1:13: ports[0]: missing, expected "port", or "path" for a unix socket',
    '1:67: admin: missing, expected "port", or "path" for a unix socket',
  ],
  [
    'both port and path',
    ports('"protocol": "tcp", "port": 5000, "host": "::1", "path": "./a.sock"'),
    '3:43: ports[0].port: a unix socket has no port, expected either "path" or "host" and "port"',
    '3:57: ports[0].host: a unix socket has no host, expected either "path" or "host" and "port"',
  ],
  [
    'a long path',
    ports(`"protocol": "tcp", "path": "/tmp/${'x'.repeat(110)}"`),
    '3:51: ports[0].path: 115 bytes are too long for a unix socket (/tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx), expected at most 107',
  ],
  [
    'a long runtimeDir',
    top(`"runtimeDir": "/tmp/${'x'.repeat(90)}"`),
    '1:83: runtimeDir: the control socket /tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/polyport.sock would have a path of 109 bytes, expected at most 107: choose a shorter folder',
  ],
  [
    'keys of other protocols',
    ports(
      '"protocol": "udp", "port": 0, "framing": { "type": "raw" }, "static": "./public", "websocket": { "handler": "./h.ts" }, "limits": { "maxPayload": 5 }',
    ),
    '3:54: ports[0].framing: only for tcp ports, and this one is udp',
    '3:84: ports[0].static: only for http ports, and this one is udp',
    '3:106: ports[0].websocket: only for http ports, and this one is udp',
    '3:156: ports[0].limits.maxPayload: only for websocket ports, and this one is udp',
  ],
  [
    'maxPayload on http',
    ports('"protocol": "http", "port": 0, "limits": { "maxFragments": 5 }'),
    '3:67: ports[0].limits.maxFragments: only for websocket ports, and this one is http: set it in websocket.limits',
  ],
  [
    'mode without path',
    tcp('"mode": "0660", "owner": "root"'),
    '1:66: ports[0].mode: only for a unix socket, expected "path" beside "mode"',
    '1:82: ports[0].owner: only for a unix socket, expected "path" beside "owner"',
  ],
  ['a long eof', tcp('"framing": { "type": "eof", "eof": "123456789" }'), '1:101: ports[0].framing.eof: the end mark has 9 bytes, expected 1 to 8'],
  [
    'a bad escape in eof',
    tcp('"framing": { "type": "eof", "eof": "\\\\q" }'),
    '1:101: ports[0].framing.eof: unknown escape "\\q": expected \\r, \\n, \\t, \\0, \\\\ or \\xHH',
  ],
  [
    'a length field that holds no header',
    tcp('"framing": { "type": "length", "field": "u8", "offset": 300, "bodyOffset": 0 }'),
    '1:141: ports[0].framing.bodyOffset: the longest frame would have 255 bytes, less than the 301 of its header: expected a larger bodyOffset, or a smaller offset',
  ],
  [
    'a maxLength that holds no header',
    tcp('"framing": { "type": "length", "offset": 100, "maxLength": 50 }'),
    '1:125: ports[0].framing.maxLength: the shortest message has 100 bytes, expected at least that, found 50',
  ],
  ['no host', tcp('"host": "[::1]"').replace('"port": 0', '"port": 1'), '1:74: ports[0].host: "[::1]" is no address, expected the address without brackets'],
  ['no address', tcp('"host": "300.1.1.1"'), '1:74: ports[0].host: "300.1.1.1" is no address, expected an IPv4 or IPv6 address, or a host name'],
  [
    'an open admin port',
    top('"admin": { "host": "0.0.0.0", "port": 0 }'),
    '1:88: admin.host: others than this machine can reach 0.0.0.0, expected "token" in admin, or "host": "127.0.0.1"',
  ],
  [
    'files that are not there',
    ports(
      '"protocol": "http", "port": 0, "static": "./gone", "websocket": { "handler": "./gone.ts" }',
      '"protocol": "tcp", "port": 1, "framing": { "type": "custom", "module": "/no/framing.ts" }',
    ),
    '3:65: ports[0].static: there is no folder gone',
    '3:101: ports[0].websocket.handler: there is no file gone.ts',
    '4:95: ports[1].framing.module: there is no file /no/framing.ts',
  ],
  [
    'a folder for a file, a file for a folder',
    '{ "ports": [{ "protocol": "http", "port": 0, "handler": "./public", "static": "./h.ts" }] }',
    '1:57: ports[0].handler: public is a folder, expected a file',
    '1:79: ports[0].static: h.ts is a file, expected a folder',
  ],
  [
    'a package that is not there',
    '{ "ports": [{ "protocol": "http", "port": 0, "handler": "no-such-package" }] }',
    '1:57: ports[0].handler: there is no package "no-such-package" that DIR can import, expected an installed package, or a file such as "./no-such-package"',
  ],
  [
    'a port that is not enabled',
    '{ "ports": [{ "enabled": false, "protocol": "http", "port": 0, "handler": "./gone.ts", "hots": "" }] }',
    '1:75: ports[0].handler: there is no file gone.ts',
    '1:88: ports[0].hots: unknown key "hots", did you mean "host"?',
  ],
  [
    'HTTP limits where there is no HTTP',
    tcp('"limits": { "headerSeconds": 5 }'),
    '1:78: ports[0].limits.headerSeconds: only for http and websocket ports, and this one is tcp',
  ],
  [
    'HTTP limits of a WebSocket path',
    ports('"protocol": "http", "port": 0, "websocket": { "handler": "./h.ts", "limits": { "bodyBytes": 5 } }'),
    '3:103: ports[0].websocket.limits.bodyBytes: set it in the limits of the port: what asks for a WebSocket is an HTTP request',
  ],
  [
    'a request that ends before its head',
    ports('"protocol": "http", "port": 0, "limits": { "headerSeconds": 90 }', '"protocol": "websocket", "port": 0, "limits": { "requestSeconds": 5 }'),
    '3:84: ports[0].limits.headerSeconds: a request of 60 s would end before its head of 90 s, expected requestSeconds to be longer',
    '4:90: ports[1].limits.requestSeconds: a request of 5 s would end before its head of 10 s, expected requestSeconds to be longer',
  ],
  [
    'a variable that is not set',
    tcp('"host": "${POLYPORT_NOT_SET}"'),
    '1:74: ports[0].host: the environment variable POLYPORT_NOT_SET is not set: set it, or give a default with ${POLYPORT_NOT_SET:-default}',
  ],
  [
    'a variable that is none',
    tcp('"host": "${a-b}", "name": "${"'),
    '1:74: ports[0].host: "${a-b}" is not a variable: expected ${NAME} or ${NAME:-default}; a literal "${" is written "$${"',
    '1:92: ports[0].name: "${" is not a variable: expected ${NAME} or ${NAME:-default}; a literal "${" is written "$${"',
  ],
  ['a variable that is no number', ports('"protocol": "tcp", "port": "${TEXT}"'), '3:51: ports[0].port: expected a number, found "${TEXT}"'],
  [
    'a secret in a variable',
    top('"log": { "level": "${SECRET}" }'),
    '1:87: log.level: expected "trace", "debug", "info", "warn", "error", "fatal" or "silent", found "${SECRET}"',
  ],
  [
    'rules beside a wrong key',
    ports('"protocol": "tcp", "port": 5000, "mode": "0660"', '"protocol": "http", "port": 5000, "hots": 1'),
    '3:57: ports[0].mode: only for a unix socket, expected "path" beside "mode"',
    '4:52: ports[1].port: ports[0] already listens on 127.0.0.1:5000, expected another port or host',
    '4:58: ports[1].hots: unknown key "hots", did you mean "host"?',
  ],
]
