// A provider that speaks OpenAI's chat dialect and answers as the test says: a
// directive in the last user text chooses what. [[hold]] stops in the middle
// until the test lets it go on, so that streaming is seen without a clock.
import http from 'node:http'

export async function startProvider() {
  const seen = { asked: [], held: undefined, cut: 0 }
  const server = http.createServer((req, res) => {
    if (req.url.endsWith('/models')) {
      res.setHeader('content-type', 'application/json')
      return res.end(JSON.stringify({ object: 'list', data: [{ id: 'oak-1', object: 'model', created: 1, owned_by: 'lab' }] }))
    }
    let body = ''
    req.on('data', (d) => (body += d)).on('end', () => answer(JSON.parse(body), res, seen))
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  return { url: `http://127.0.0.1:${server.address().port}/v1`, seen, stop: () => server.closeAllConnections() ?? server.close() }
}

const textOf = (content) => (typeof content === 'string' ? content : (content ?? []).map((p) => p.text ?? '').join(''))

function answer(body, res, seen) {
  seen.asked.push(body)
  const last = body.messages.findLast((m) => m.role === 'user')
  const result = body.messages.findLast((m) => m.role === 'tool')
  const said = textOf(last?.content)
  const send = (delta, finish_reason = null) =>
    res.write(`data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: body.model, choices: [{ index: 0, delta, finish_reason }] })}\n\n`)
  const end = (reason = 'stop') => {
    send({}, reason)
    res.end('data: [DONE]\n\n')
  }
  res.on('close', () => (seen.cut += res.writableFinished ? 0 : 1))
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  send({ role: 'assistant', content: '' })
  // What an editor asks beside the conversation, as for a title, comes without tools.
  if (said.includes('[[hold]]') || (said.includes('Slowly, please.') && body.tools)) {
    send({ content: 'An oak is a tree,' })
    seen.held = () => {
      send({ content: ' and a patient one.' })
      end()
    }
  } else if (result) {
    send({ content: `The tool said ${textOf(result.content)}.` })
    end()
  } else if (said.includes('[[tool]]')) {
    const call = { name: body.tools[0].function.name, arguments: '{"city":"Oslo"}' }
    send({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: call }] })
    end('tool_calls')
  } else if (said.includes('[[image]]')) {
    const url = last.content.find((p) => p.type === 'image_url')?.image_url.url ?? 'nothing'
    send({ content: `I see ${url}` })
    end()
  } else {
    send({ content: 'Hello ' })
    send({ content: 'from the oak.' })
    end()
  }
}
