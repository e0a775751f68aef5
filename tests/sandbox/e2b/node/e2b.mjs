// E2B's client for Node.js, as its users write it; what it saw is printed as JSON
import { FilesystemEventType, Sandbox } from '@e2b/code-interpreter'

const seen = {}
const box = await Sandbox.create({ envs: { GIVEN: 'at creation' }, metadata: { of: 'node' } })
try {
  const lines = []
  const ran = await box.runCode('x = 41\nprint("hi")\nx + 1', { onStdout: (said) => lines.push(said.line) })
  seen.code = { text: ran.text, lines, count: ran.executionCount }
  seen.error = (await box.runCode('1 / 0')).error.name

  await box.files.write('folder/a.txt', 'hello')
  seen.files = {
    text: await box.files.read('folder/a.txt'),
    names: (await box.files.list('folder')).map((entry) => entry.name),
    exists: await box.files.exists('none'),
  }

  const ended = await box.commands.run('echo $GIVEN; echo err >&2')
  seen.command = { out: ended.stdout, err: ended.stderr, code: ended.exitCode }
  seen.failed = await box.commands.run('exit 3').catch((error) => error.exitCode)
  const cat = await box.commands.run('cat', { background: true, stdin: true })
  await box.commands.sendStdin(cat.pid, 'typed\n')
  await box.commands.closeStdin(cat.pid)
  seen.typed = (await cat.wait()).stdout

  let told
  const news = new Promise((resolve) => (told = resolve))
  const watch = await box.files.watchDir('folder', told)
  await box.files.write('folder/new', 'x')
  const event = await news
  seen.news = [event.name, event.type === FilesystemEventType.CREATE]
  await watch.stop()

  let screen = ''
  const terminal = await box.pty.create({
    cols: 80,
    rows: 24,
    onData: (data) => (screen += new TextDecoder().decode(data)),
  })
  await box.pty.sendInput(terminal.pid, new TextEncoder().encode('echo $((40 + 2)); exit\n'))
  await terminal.wait()
  seen.screen = screen.includes('42')

  seen.paused = [await box.pause(), await box.isRunning()]
  const again = await Sandbox.connect(box.sandboxId)
  seen.again = (await again.runCode('x')).text
  seen.listed = (await Sandbox.list({ query: { metadata: { of: 'node' } } }).nextItems()).length
} finally {
  seen.killed = [await box.kill(), await Sandbox.kill(box.sandboxId)]
}
console.log(JSON.stringify(seen))
