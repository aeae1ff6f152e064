// A real OpenID provider, with an API behind it that takes its tokens: the
// oidc-provider package as its maintainers ship it, logins and consent pages
// included. Prints one line of JSON when it listens, and ends with its standard
// input.
import http from 'node:http'
import Provider from 'oidc-provider'

const life = Number(process.env.TOKEN_LIFE || 3600)
let provider
const seen = { refreshed: 0, answered: 0, refused: 0 }

async function api(req, res) {
  const token = await provider.AccessToken.find((req.headers.authorization || '').replace(/^Bearer /, ''))
  res.setHeader('content-type', 'application/json')
  if (!token) {
    seen.refused++
    res.statusCode = 401
    res.end(JSON.stringify({ error: { message: 'the access token is not valid', type: 'invalid_request_error', code: 'invalid_api_key' } }))
    return
  }
  seen.answered++
  if (req.url.endsWith('/models')) {
    res.end(JSON.stringify({ object: 'list', data: [{ id: 'oak-1', object: 'model', created: 1, owned_by: 'acme' }] }))
    return
  }
  res.end(JSON.stringify({
    id: 'c1', object: 'chat.completion', created: 1, model: 'oak-1',
    choices: [{ index: 0, message: { role: 'assistant', content: 'hello ' + token.accountId }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  }))
}

const server = http.createServer(async (req, res) => {
  if (req.url.startsWith('/v1/')) return api(req, res)
  if (req.url === '/seen') return res.end(JSON.stringify(seen))
  if (req.url === '/forget') { // every access token is revoked, the refresh tokens stay
    tokens.forEach((t) => t.destroy())
    tokens.clear()
    return res.end('{}')
  }
  return provider.callback()(req, res)
})
const tokens = new Set()

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  provider = new Provider(issuer, {
    clients: [{
      client_id: 'korproxy-test', application_type: 'native', token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'], redirect_uris: ['http://127.0.0.1/callback'],
    }],
    scopes: ['openid', 'offline_access', 'email'],
    claims: { openid: ['sub'], email: ['email'] },
    conformIdTokenClaims: false, // the address stands in the ID token
    features: { deviceFlow: { enabled: true }, revocation: { enabled: true } },
    rotateRefreshToken: true,
    ttl: { AccessToken: life, RefreshToken: 86400, IdToken: 3600, Session: 3600, Grant: 86400, Interaction: 600, DeviceCode: 600 },
    cookies: { keys: ['a test needs no secret'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id + '@acme.test' }) }),
  })
  provider.on('access_token.saved', (t) => tokens.add(t))
  provider.on('grant.success', (ctx) => { if (ctx.oidc.params.grant_type === 'refresh_token') seen.refreshed++ })
  console.log(JSON.stringify({ issuer }))
})
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
