// What to do about each error, in Chinese and English. The codes of the service are
// those of its signing endpoints (a test compares them with its error table); the
// others are the helper's own.

/** What to do, in Chinese and in English. */
export interface Hint {
  zh: string
  en: string
}

const busy = ['签名服务暂时不可用，请稍后再试。', 'The signing service cannot answer: try again later.']
const detail = ['原因见 detail。', 'The reason is in detail.']

/** The hints by code: Chinese, English. Short, for they are half of what a page loads. */
export const hints: { [code: string]: string[] } = {
  // the service's
  invalid_request: ['请检查 corpId、suiteId、agentId 和 endpoint。', 'Check corpId, suiteId, agentId and endpoint.'],
  invalid_url: ['请用域名打开，不要用 IP、用户名或默认端口。', 'Open this page by a domain name: no IP, user, default port.'],
  origin_mismatch: ['请检查代理是否改写 Origin。', 'Check whether a proxy rewrites Origin.'],
  untrusted_domain: ['请在 suitesign 中信任此页面的域名和端口（http 需 allow_http）。', 'Trust the domain and port of this page in suitesign (http needs allow_http).'],
  tenant_not_found: ['该企业未安装此应用，请检查 corpId 和 suiteId。', 'This corp has not installed the suite: check corpId and suiteId.'],
  tenant_ambiguous: ['多个企业信任此域名，请传入 suiteId。', 'Several apps trust this domain: pass suiteId.'],
  tenant_inactive: ['该企业已停用或已取消授权。', 'This corp is disabled or cancelled.'],
  agent_not_found: ['该企业没有此应用，请检查 agentId。', 'This corp has no such app: check agentId.'],
  agent_ambiguous: ['该企业有多个应用，请传入 agentId。', 'This corp has several apps: pass agentId.'],
  rate_limited: ['请求过多，请稍后再试。', 'Too many requests: try again later.'],
  ticket_unavailable: ['该企业暂无有效的 ticket，请稍后再试。', 'This corp has no live ticket: try again later.'],
  database_unavailable: busy,
  starting: busy,
  timeout: busy,
  internal: busy,

  // the helper's
  needs_agent: ['请传入 agentId。', 'Pass agentId.'],
  missing_corp_id: ['请传入 corpId。', 'Pass corpId.'],
  no_client: ['请在企业微信或微信中打开；开发时可用 data-simulator。', 'Open this page in WeCom or WeChat; to develop, use data-simulator.'],
  no_answer: ['客户端没有响应，请重新打开页面。', 'The client did not answer: open this page again.'],
  no_wx: ['此 wx 没有 agentConfig，请改用 registerSuite。', 'This wx has no agentConfig: use registerSuite.'],
  unreachable: ['无法连接 endpoint，请检查网络、https 和 CSP。', 'Cannot reach endpoint: check network, https, CSP.'],
  bad_answer: ['endpoint 不是 suitesign。', 'endpoint is not suitesign.'],
  sdk_missing: ['无法加载 SDK，请检查地址和 CSP。', 'Cannot load the SDK: check address and CSP.'],
  sdk_error: detail,
  page_changed: ['页面地址不断变化，请稍后再试。', 'The page kept moving: try again later.'],
  client_refused: detail,

  // what a client refuses, by what it says
  client_signature: ['客户端不认签名，请检查 corpId 和 agentId。', 'The client refused the signature: check corpId and agentId.'],
  client_domain: ['请在企业微信后台把此域名设为可信域名。', 'Trust this domain in the WeCom console.'],
  client_corp: ['corpId 须为当前企业的。', 'corpId must be that of the present corp.'],
  client_agent: ['agentId 须为此应用的。', 'agentId must be that of this app.']
}

export function hintFor(code: string, otherwise = code): Hint {
  const [zh, en] = hints[code] || [otherwise, otherwise]
  return { zh, en }
}
