// A JavaScript context: runs cells one after the other, in a namespace that lives on.
'use strict';
const net = require('node:net');
const repl = require('node:repl');
const util = require('node:util');
const { PassThrough } = require('node:stream');

const LARGEST = 16 << 20;
const socket = new net.Socket({ fd: Number(process.argv[2]), readable: true, writable: true });
const shell = repl.start({
  input: new PassThrough(), output: new PassThrough(), prompt: '', terminal: false, useGlobal: true,
  ignoreUndefined: true, breakEvalOnSigint: true, replMode: repl.REPL_MODE_SLOPPY,
});
// errors that no callback gets go where the shell would print them
shell._domain?.removeAllListeners('error');
shell._domain?.on('error', (error) => finish(error));
let current = 0;
let count = 0;
let finish = () => {};

function tell(event, fields) {
  let body = Buffer.from(JSON.stringify({ event, id: current, ...fields }));
  if (body.length > LARGEST) {
    body = Buffer.from(JSON.stringify({ event, id: current, data: { 'text/plain': `<${body.length} bytes: too large to be shown>` } }));
  }
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  socket.write(Buffer.concat([head, body]));
}

function bundle(value) {
  const shown = { 'text/plain': typeof value === 'string' ? `'${value}'` : util.inspect(value) };
  if (value !== null && typeof value === 'object') {
    try { shown['application/json'] = JSON.parse(JSON.stringify(value)); } catch { /* it has cycles */ }
  }
  return shown;
}

function fail(error) {
  const known = error instanceof Error || (error !== null && typeof error === 'object' && 'stack' in error);
  tell('error', {
    name: String(known ? error.name : 'Error'), value: String(known ? error.message : error),
    traceback: String(known ? error.stack : error).split('\n').filter((line) => !line.includes('node:') && !line.includes(__filename)).join('\n'),
  });
}

globalThis.display = (value) => tell('result', { data: bundle(value), main: false });

function interrupted() { finish(new Error('Interrupted')); }

function run(frame) {
  return new Promise((done) => {
    current = frame.id;
    count += 1;
    Object.assign(process.env, frame.env);
    let over = false;
    finish = (error, value) => {
      if (over) return;
      over = true;
      if (error) fail(error);
      else if (value !== undefined) tell('result', { data: bundle(value), main: true });
      tell('done', { count });
      done();
    };
    // while code runs without a pause the shell listens for SIGINT itself, if nobody else does
    process.removeListener('SIGINT', interrupted);
    shell.eval(`${frame.code}\n`, shell.context, `<cell ${count}>`, (error, value) => finish(error, value));
    process.on('SIGINT', interrupted);
  });
}

process.on('SIGINT', interrupted);
process.on('uncaughtException', (error) => finish(error));
process.on('unhandledRejection', (error) => finish(error));

let waiting = Buffer.alloc(0);
let busy = Promise.resolve();
socket.on('data', (data) => {
  waiting = Buffer.concat([waiting, data]);
  while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32LE()) {
    const length = waiting.readUInt32LE();
    const frame = JSON.parse(waiting.subarray(4, 4 + length).toString());
    waiting = waiting.subarray(4 + length);
    busy = busy.then(() => run(frame));
  }
});
socket.on('end', () => process.exit(0));
